"""Timers owned by slots, under a clock that jumps."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import Intensity, Restart
from supervision.exit_reason import Normal
from supervision.runtime import Runtime
from supervision.slot import Slot
from supervision.supervisor import supervisor_spec
from supervision.timers import CANCELLED_MIN, TimerQueue, timers_spec
from tests.supervision.stage import Finish, Note, Raise, Sleep, Stage


async def test_timer_fires_when_it_is_due_and_once(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        timer = stage.slot("/a").send_after(10, Note("ten"))
        await trio.sleep(9.9)
        seen = [(stage.notes("/a").copy(), timer.is_pending)]
        await trio.sleep(0.2)
        seen.append((stage.notes("/a").copy(), timer.is_pending))
        assert seen == [([], True), (["ten"], False)]
        await trio.sleep(100)
        assert stage.notes("/a") == ["ten"]
        assert stage.slot("/a").timers == set()


async def test_timers_fire_in_order_of_their_deadlines_and_then_of_their_setting(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        for seconds, text in ((5, "late"), (1, "early"), (3, "middle"), (3, "middle too"), (0, "now")):
            stage.slot("/a").send_after(seconds, Note(text))
        await trio.sleep(6)
        assert stage.notes("/a") == ["now", "early", "middle", "middle too", "late"]


async def test_timer_that_is_due_before_all_others_wakes_the_sleeper(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        stage.slot("/a").send_after(1_000, Note("late"))
        await trio.sleep(1)
        stage.slot("/a").send_after(1, Note("early"))
        await trio.sleep(2)
        assert stage.notes("/a") == ["early"]


async def test_timer_that_is_cancelled_never_fires(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        timer = stage.slot("/a").send_after(1, Note("never"))
        timer.cancel()
        timer.cancel()
        await trio.sleep(2)
        assert stage.notes("/a") == []
        assert not timer.is_pending
        timer.cancel()


async def test_timer_overtakes_what_waits(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        for message in (Sleep(3), Note("waits")):
            stage.ref("/a").cast(message)
        stage.slot("/a").send_after(1, Note("timer"))
        await trio.sleep(5)
        assert stage.notes("/a") == ["slept 3", "timer", "waits"]


async def test_timer_ends_with_its_slot(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a", Restart.TEMPORARY)):
        slot = stage.slot("/a")
        timers = [slot.send_after(5, Note("never")) for _ in range(3)]
        await stage.end("/a", Finish(Normal()))
        assert not any(timer.is_pending for timer in timers)
        timers[0].cancel_nowait()
        await trio.sleep(10)
        assert slot.mailbox.refused == 0
        timers[0].cancel()


async def test_timer_survives_restarts_of_its_actor(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        stage.slot("/a").send_after(5, Note("still"))
        await stage.end("/a", Raise(ValueError("broken")))
        await trio.sleep(6)
        assert stage.notes("/a") == ["still"]


async def test_timer_survives_the_death_of_the_timer_actor(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        stage.slot("/a").send_after(5, Note("one"))
        await stage.kill("/timers")
        stage.slot("/a").send_after(7, Note("two"))
        await trio.sleep(10)
        assert stage.incarnations("timers") == [2]
        assert stage.notes("/a") == ["one", "two"]


async def test_timer_survives_the_death_of_the_supervisor_of_the_timer_actor(
    autojump_clock: MockClock,
) -> None:
    """Which makes the state of its children anew; the timers belong to slots elsewhere."""
    stage = Stage()
    inner = supervisor_spec("inner", [timers_spec()], intensity=Intensity(0, 1.0))
    async with stage.supervising(inner, stage.spec("a")):
        stage.slot("/a").send_after(5, Note("one"))
        await stage.kill("/inner/timers")
        assert stage.incarnations("inner", "inner/timers") == [2, 2]
        await trio.sleep(10)
        assert stage.notes("/a") == ["one"]


async def test_timer_survives_the_timer_actor_getting_another_slot(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        stage.slot("/a").send_after(5, Note("one"))
        await stage.remove("timers")
        await stage.add(timers_spec())
        stage.slot("/a").send_after(1, Note("two"))
        await trio.sleep(10)
        assert stage.notes("/a") == ["two", "one"]


async def test_timer_that_nobody_keeps_is_a_mistake() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        with pytest.raises(AssertionError, match="this tree has no timers"):
            stage.slot("/a").send_after(1, Note("never"))


async def test_message_to_the_timer_actor_does_not_make_it_spin(autojump_clock: MockClock) -> None:
    """It has none; a stray one must not keep everybody else from running."""
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        stage.ref("/timers").cast(Note("stray"))
        stage.ref("/timers").tell(Note("stray"))
        stage.slot("/a").send_after(1, Note("one"))
        await trio.sleep(2)
        assert stage.notes("/a") == ["one"]


async def test_timers_set_anew_with_every_message_do_not_fill_memory(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        slot = stage.slot("/a")
        queue = stage.runtime.timers
        assert queue is not None
        timer = slot.send_after(300, Note("idle"))
        for _ in range(10_000):
            timer.cancel()
            timer = slot.send_after(300, Note("idle"))
        assert len(queue) <= 2 * CANCELLED_MIN
        assert slot.timers == {timer}
        await trio.sleep(301)
        assert stage.notes("/a") == ["idle"]
        assert len(queue) == 0


async def test_queue_counts_cancelled_timers_until_they_are_due(mock_clock: MockClock) -> None:
    keeper: Slot[Any] = Slot(timers_spec(), None, Runtime(print))
    queue = TimerQueue(keeper)
    timers = [queue.add(float(number), keeper, number) for number in range(4)]
    for timer in timers[1:3]:
        timer.cancel()
    assert len(queue) == 4
    assert queue.fire_due(1.0) == 3.0
    assert queue.fire_due(3.0) == float("inf")
    assert keeper.mailbox.close() == [0, 3]
    await wait_all_tasks_blocked()


async def test_many_timers_due_at_once_all_fire(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.with_timers(stage.spec("a")):
        for number in range(1_000):
            stage.slot("/a").send_after(5, Note(str(number)))
        await trio.sleep(6)
        assert stage.notes("/a") == [str(number) for number in range(1_000)]
