"""Where Trio is not Erlang's machine, and what an actor library on it easily gets wrong.

Traps that belong to one module are tested with it: interrupts and groups in `test_slot`, batches and signals
in `test_actor`, late replies and circular calls in `test_ref`, children that will not die with supervisors.
"""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervision.dynamic_supervisor import DynamicChildren
from supervision.exit_reason import Normal
from supervision.report import ChildTerminated, IntensityReached
from supervision.slot import Slot
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY, supervisor_spec
from tests.supervision.stage import Ask, Finish, Message, Note, Raise, Stage, Worker

CRASH = Raise(ValueError("broken"))
MANY = [f"child-{number}" for number in range(20)]


async def test_stop_is_in_reverse_order_however_the_scheduler_shuffles() -> None:
    """Cancelling a nursery would stop them in random order."""
    for _ in range(10):
        stage = Stage()
        async with stage.supervising(*(stage.spec(id_) for id_ in MANY)):
            pass
        assert stage.log[len(MANY) :] == [f"-{id_}" for id_ in reversed(MANY)]


async def test_cancelled_tree_stops_in_reverse_order_however_the_scheduler_shuffles() -> None:
    for _ in range(10):
        stage = Stage()
        children = [stage.spec(id_) for id_ in MANY]
        async with trio.open_nursery() as nursery, stage.supervising(*children):
            nursery.cancel_scope.cancel()
        assert stage.log[len(MANY) :] == [f"-{id_}" for id_ in reversed(MANY)]


async def test_exception_in_a_child_does_not_cancel_its_siblings() -> None:
    """In a nursery it would: each child's end is turned into a reason inside its own box."""
    stage = Stage()
    async with stage.supervising(*(stage.spec(id_) for id_ in MANY)):
        for id_ in MANY[::2]:
            stage.ref(f"/{id_}").cast(CRASH)
        await wait_all_tasks_blocked()
        assert stage.incarnations(*MANY) == [2, 1] * 10


async def test_message_is_shared_and_not_copied() -> None:
    """So messages must be immutable values; here the very object arrives."""
    stage = Stage()
    seen: list[Message] = []

    class Keeper(Worker):
        def decide(self, message: Message) -> tuple[Message, ...]:
            seen.append(message)
            return ()

    note = Note("one")
    async with stage.supervising(ChildSpec("a", lambda slot: Keeper(slot, stage))):
        await stage.end("/a", note)
    assert seen[0] is note


async def test_control_lane_stands_in_for_selective_receive() -> None:
    """What must overtake does, without a scan of what waits."""
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("t", Restart.TEMPORARY)):
        stage.ref("/t").monitor(stage.ref("/a"), lambda _reason: Note("down"))
        for number in range(3):
            stage.ref("/a").cast(Note(f"{number}"))
        stage.slot("/t").close(Normal())
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["down", "0", "1", "2"]


async def test_permanent_child_that_keeps_ending_normally_escalates() -> None:
    """It is not given up in silence."""
    stage = Stage()
    async with stage.supervising(stage.spec("a"), intensity=Intensity(3, 60.0)):
        for _ in range(4):
            await stage.end("/a", Finish(Normal()))
    assert stage.ended == REACHED_MAX_RESTART_INTENSITY
    assert stage.reported(IntensityReached) == [IntensityReached("/", 3, 60.0)]


async def test_crash_loop_of_one_poisonous_message_ends_with_the_message() -> None:
    """It neither crash-loops its actor nor vanishes without a trace."""
    stage = Stage()
    async with stage.supervising(stage.spec("a"), intensity=Intensity(1, 1e9)):
        await stage.end("/a", CRASH)
        assert await stage.ref("/a").call(Ask) == 2
    assert stage.ended == Normal()


async def test_products_of_intensities_do_not_loop_for_ever(autojump_clock: MockClock) -> None:
    """A leaf that always fails ends the root after a bounded number of attempts, level by level."""
    stage = Stage()
    intensity = Intensity(2, 1e6)
    spec = stage.spec("leaf")
    for level in range(3):
        spec = supervisor_spec(f"level-{level}", [spec], intensity=intensity)
    async with stage.supervising(spec, intensity=intensity):
        attempts = 0
        while stage.ended is None and attempts < 1_000:
            attempts += 1
            await stage.end("/level-2/level-1/level-0/leaf", CRASH)
    assert stage.ended == REACHED_MAX_RESTART_INTENSITY
    assert attempts == 3**4


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_chaos_of_kills_leaves_a_tree_that_works(strategy: Strategy) -> None:
    """Whoever is killed when, alone or together: all are up again, and nothing in a mailbox is lost."""
    stage = Stage()
    crowd = DynamicChildren("crowd", children_max=50, intensity=Intensity(10_000, 1.0))
    patient = Intensity(10_000, 1.0)
    inner = supervisor_spec("inner", [stage.spec("x"), stage.spec("y")], strategy=strategy, intensity=patient)
    random = stage.runtime.random
    random.seed(7)
    async with stage.supervising(stage.spec("a"), inner, crowd.spec(), strategy=strategy):
        paths = ("/a", "/inner", "/inner/x", "/inner/y", "/crowd")
        for round_ in range(100):
            for path in random.sample(paths, random.randint(1, 3)):
                stage.ref(path).kill()
                for _ in range(random.randint(0, 3)):
                    await trio.lowlevel.checkpoint()
            stage.ref("/inner/x").cast(Note(f"{round_}"))
            await wait_all_tasks_blocked()
            for path in ("/a", "/inner/x", "/inner/y"):
                assert await stage.ref(path).call(Ask) == stage.slot(path).incarnation
            crowd.start_child(stage.spec(f"{round_}", Restart.TEMPORARY))
        assert stage.slot("/inner/x").mailbox.statistics().depth == 0
        assert stage.slot("/inner/x").handled >= 200
    assert stage.ended == Normal()


async def test_report_of_a_death_names_everything_that_an_operator_needs() -> None:
    stage = Stage()

    async def nothing(_slot: Slot[Any]) -> None:
        """Init that succeeds."""

    stage.behaviour("a").init = nothing
    async with stage.supervising(stage.spec("a")):
        await stage.end("/a", CRASH)
    (report,) = stage.reported(ChildTerminated)
    assert (report.path, report.incarnation, report.in_hand, report.will_restart) == ("/a", 1, CRASH, True)
