"""What is planned happens at its time, in the order in which it was planned."""

from functools import partial

import trio
from trio.testing import MockClock

from tests.simulation.agenda import Agenda


async def run(agenda: Agenda, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await agenda.run()


async def test_agenda_does_things_in_the_order_of_their_times(autojump_clock: MockClock) -> None:
    agenda = Agenda()
    done: list[tuple[int, float]] = []

    def note(seconds: int) -> None:
        done.append((seconds, trio.current_time()))

    for seconds in (3, 1, 2):
        agenda.after(seconds, partial(note, seconds))
    await run(agenda, 10)
    assert done == [(1, 1), (2, 2), (3, 3)]


async def test_agenda_keeps_the_order_of_what_happens_at_once(autojump_clock: MockClock) -> None:
    agenda = Agenda()
    done: list[int] = []
    for number in range(20):
        agenda.at(5, partial(done.append, number))
    await run(agenda, 10)
    assert done == list(range(20))


async def test_agenda_takes_what_comes_sooner_than_what_it_waits_for(
    autojump_clock: MockClock,
) -> None:
    agenda = Agenda()
    done: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, agenda, 10)
        agenda.after(8, lambda: done.append("late"))
        await trio.sleep(1)
        agenda.after(1, lambda: done.append("soon"))
    assert done == ["soon", "late"]
