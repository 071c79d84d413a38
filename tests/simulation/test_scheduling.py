"""One seed gives one interleaving, and different seeds give different ones."""

from random import Random

import pytest
import trio
from trio.testing import MockClock

from supervision.child_spec import ChildSpec
from supervision.supervisor import supervisor_spec
from supervision.tree import Tree
from tests.simulation import scheduling
from tests.simulation.scheduling import delays, seeded_scheduling
from tests.supervision.stage import Message, Note, Stage, Worker

NAMES = [f"worker-{number}" for number in range(6)]


def interleaving(seed: int, seconds_max: float) -> list[tuple[str, Message]]:
    """The order in which some actors handle some messages."""
    order: list[tuple[str, Message]] = []

    class Recorder(Worker):
        def decide(self, message: Message) -> tuple[Message, ...]:
            order.append((self.slot.spec.id, message))
            return ()

    stage = Stage()
    stage.runtime.pause = delays(Random(seed), seconds_max) if seconds_max else None
    children = [ChildSpec(name, lambda slot: Recorder(slot, stage)) for name in NAMES]
    tree = stage.tree = Tree(supervisor_spec("root", children), stage.runtime)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(tree.run)
            for number in range(5):
                for name in NAMES:
                    stage.ref(f"/{name}").cast(Note(f"{number}"))
                await trio.sleep(1)
            await trio.sleep(100)
            nursery.cancel_scope.cancel()

    with seeded_scheduling(seed):
        trio.run(main, clock=MockClock(autojump_threshold=0))
    return order


@pytest.mark.parametrize("seconds_max", [0.0, 3.0])
def test_one_seed_gives_one_interleaving(seconds_max: float) -> None:
    for seed in range(5):
        assert interleaving(seed, seconds_max) == interleaving(seed, seconds_max)


@pytest.mark.parametrize("seconds_max", [0.0, 3.0])
def test_different_seeds_give_different_interleavings(seconds_max: float) -> None:
    orders = {tuple(interleaving(seed, seconds_max)) for seed in range(10)}
    assert len(orders) > 5


def test_delays_let_one_actor_overtake_another_but_reorder_no_mailbox() -> None:
    order = interleaving(1, 3.0)
    for name in NAMES:
        assert [message for id_, message in order if id_ == name] == [
            Note(f"{number}") for number in range(5)
        ]
    numbers = [message for _, message in order]
    assert numbers != sorted(numbers)


def test_seeded_scheduling_leaves_trio_as_it_was() -> None:
    before = scheduling._scheduler._r.getstate()
    with seeded_scheduling(7):
        assert scheduling._scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    assert scheduling._scheduler._r.getstate() == before
