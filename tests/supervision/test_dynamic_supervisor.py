"""Thousands of like children (OTP: simple_one_for_one_*, the group restart_simple_one_for_one)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import BRUTAL_KILL, Intensity, Restart
from supervision.dynamic_supervisor import (
    DynamicChildren,
    DynamicSupervisorStatistics,
    NotAcceptingError,
)
from supervision.exit_reason import Crashed, ExitReason, Killed, Normal, Shutdown
from supervision.report import (
    ChildStarted,
    ChildTerminated,
    IntensityReached,
    ShutdownFailed,
    StartFailed,
)
from supervision.slot import Slot, Status
from supervision.supervisor import ChildFailedToStartError, supervisor_spec
from tests.supervision.stage import (
    PATIENT,
    Ask,
    Finish,
    Message,
    Note,
    Raise,
    Stage,
    fail_init,
    hang,
    lasting,
    refuse_to_die,
)

CRASH = Raise(ValueError("broken"))
NORMAL = Finish(Normal())
SHUTDOWN = Finish(Shutdown("had enough"))


class Crowd:
    """A stage whose root has one dynamic supervisor."""

    def __init__(self, children_max: int = 100_000, intensity: Intensity = PATIENT) -> None:
        self.stage = Stage()
        self.children = DynamicChildren("crowd", children_max=children_max, intensity=intensity)

    def add(self, id_: str, restart: Restart = Restart.TRANSIENT, **more: Any) -> Slot[Any]:
        return self.children.start_child(self.stage.spec(id_, restart, **more))

    async def end(self, slot: Slot[Any], message: Message) -> None:
        assert slot.ref.cast(message)
        await wait_all_tasks_blocked()

    @asynccontextmanager
    async def playing(self, root_intensity: Intensity = PATIENT) -> AsyncIterator[Stage]:
        async with self.stage.supervising(self.children.spec(), intensity=root_intensity):
            yield self.stage


async def test_simple_one_for_one_restarts_only_the_one_that_died() -> None:
    crowd = Crowd()
    async with crowd.playing():
        slots = [crowd.add(id_) for id_ in ("a", "b", "c")]
        await wait_all_tasks_blocked()
        await crowd.end(slots[1], CRASH)
        assert [slot.incarnation for slot in slots] == [1, 2, 1]
        assert slots[1].path == "/crowd/b"


@pytest.mark.parametrize(
    ("restart", "how", "comes_back"),
    [
        (Restart.PERMANENT, NORMAL, True),
        (Restart.PERMANENT, SHUTDOWN, True),
        (Restart.PERMANENT, CRASH, True),
        (Restart.TRANSIENT, NORMAL, False),
        (Restart.TRANSIENT, SHUTDOWN, False),
        (Restart.TRANSIENT, CRASH, True),
        (Restart.TEMPORARY, NORMAL, False),
        (Restart.TEMPORARY, SHUTDOWN, False),
        (Restart.TEMPORARY, CRASH, False),
    ],
)
async def test_simple_one_for_one_restarts_by_otps_table(
    restart: Restart, how: Message, comes_back: bool
) -> None:
    crowd = Crowd()
    async with crowd.playing():
        slot = crowd.add("a", restart)
        await crowd.end(slot, how)
        assert slot.incarnation == (2 if comes_back else 1)
        assert slot.ref.is_alive is comes_back
        assert (crowd.children.get("a") is slot) is comes_back


async def test_simple_one_for_one_takes_messages_before_the_init_has_ended() -> None:
    crowd = Crowd()
    async with crowd.playing():
        slot = crowd.add("a")
        assert slot.status is Status.STARTING
        assert slot.ref.cast(Note("early"))
        await wait_all_tasks_blocked()
        assert slot.state.texts == ["early"]  # type: ignore[attr-defined]  # the state of a Worker


async def test_simple_one_for_one_failed_init_is_tried_again_and_then_given_up() -> None:
    crowd = Crowd(intensity=Intensity(3, 5.0))
    crowd.stage.behaviour("a").init = fail_init
    async with crowd.playing() as stage:
        slot = crowd.add("a")
        with pytest.raises(Exception, match="/crowd/a has ended: crashed: OSError: cannot start"):
            await slot.ref.call(Ask)
        assert slot.incarnation == 4
        assert len(stage.reported(StartFailed)) == 4
        assert stage.reported(IntensityReached) == [IntensityReached("/crowd/a", 3, 5.0)]
        assert crowd.children.statistics() == DynamicSupervisorStatistics(
            children=0, started=1, restarts=3, given_up=1
        )


async def test_start_child_and_wait_returns_after_the_init(autojump_clock: MockClock) -> None:
    crowd = Crowd()
    crowd.stage.behaviour("a").init = lasting(3)
    async with crowd.playing() as stage:
        slot = await crowd.children.start_child_and_wait(stage.spec("a"))
        assert slot.status is Status.RUNNING
        assert trio.current_time() == pytest.approx(3)


async def test_start_child_and_wait_survives_a_first_failure() -> None:
    crowd = Crowd()

    async def fail_once(_slot: Slot[Any]) -> None:
        crowd.stage.behaviour("a").init = None
        raise OSError("not yet")

    crowd.stage.behaviour("a").init = fail_once
    async with crowd.playing() as stage:
        slot = await crowd.children.start_child_and_wait(stage.spec("a"))
        assert slot.incarnation == 2


async def test_start_child_and_wait_raises_when_the_child_is_given_up() -> None:
    crowd = Crowd(intensity=Intensity(1, 5.0))
    crowd.stage.behaviour("a").init = fail_init
    async with crowd.playing() as stage:
        with pytest.raises(ChildFailedToStartError, match="/crowd/a: crashed: OSError: cannot start"):
            await crowd.children.start_child_and_wait(stage.spec("a"))


async def test_start_child_and_wait_raises_when_the_supervisor_ends_meanwhile() -> None:
    crowd = Crowd()
    crowd.stage.behaviour("a").init = hang
    async with crowd.playing() as stage, trio.open_nursery() as nursery:

        @nursery.start_soon
        async def ask() -> None:
            with pytest.raises(ChildFailedToStartError, match="its supervisor was killed"):
                await crowd.children.start_child_and_wait(stage.spec("a"))

        await wait_all_tasks_blocked()
        await stage.kill("/crowd")


async def test_start_child_is_refused_when_full() -> None:
    crowd = Crowd(children_max=2)
    async with crowd.playing():
        first = crowd.add("a")
        crowd.add("b")
        with pytest.raises(NotAcceptingError, match="crowd has its maximum of 2 children"):
            crowd.add("c")
        await crowd.end(first, NORMAL)
        crowd.add("c")


async def test_start_child_is_refused_for_an_id_that_lives() -> None:
    crowd = Crowd()
    async with crowd.playing():
        crowd.add("a")
        with pytest.raises(ValueError, match="crowd already has a child a"):
            crowd.add("a")


async def test_start_child_is_refused_before_the_start_and_after_the_end() -> None:
    crowd = Crowd()
    assert crowd.children.children() == ()
    assert crowd.children.get("a") is None
    assert not await crowd.children.terminate_child("a")
    assert crowd.children.statistics() == DynamicSupervisorStatistics()
    with pytest.raises(NotAcceptingError, match="crowd is not running"):
        crowd.add("a")
    async with crowd.playing():
        pass
    with pytest.raises(NotAcceptingError, match="crowd is not running"):
        crowd.add("a")


async def test_start_child_is_refused_while_stopping(autojump_clock: MockClock) -> None:
    crowd = Crowd()
    crowd.stage.behaviour("slow").terminate = lasting(3)
    async with crowd.playing() as stage:
        crowd.add("slow")
        await wait_all_tasks_blocked()
        assert stage.tree is not None
        stage.tree.root.ref.stop(Shutdown())
        await wait_all_tasks_blocked()
        with pytest.raises(NotAcceptingError):
            crowd.add("late")


async def test_start_child_is_accepted_as_soon_as_the_supervisor_has_started() -> None:
    crowd = Crowd()
    stage = crowd.stage

    async def use_it(_slot: Slot[Any]) -> None:
        crowd.add("a")

    stage.behaviour("next").init = use_it
    async with stage.supervising(crowd.children.spec(), stage.spec("next")):
        assert crowd.children.get("a") is not None


async def test_simple_one_for_one_shutdown_is_parallel_with_a_grace_for_each(
    autojump_clock: MockClock,
) -> None:
    crowd = Crowd()
    for id_, seconds in (("quick", 1), ("slow", 9), ("stuck", 1e6)):
        crowd.stage.behaviour(id_).terminate = lasting(seconds)
    async with crowd.playing() as stage:
        for id_ in ("quick", "slow", "stuck"):
            crowd.add(id_, grace_seconds=10)
        crowd.add("brutal", grace_seconds=BRUTAL_KILL)
        await wait_all_tasks_blocked()
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(10)
    assert stage.log[-2:] == ["-quick", "-slow"]
    assert stage.reported(ShutdownFailed) == [ShutdownFailed("/crowd/stuck", 10, still_lives=False)]


async def test_terminate_child_stops_it_for_good_whatever_its_restart() -> None:
    crowd = Crowd()
    async with crowd.playing() as stage:
        slot = crowd.add("a", Restart.PERMANENT)
        await wait_all_tasks_blocked()
        assert await crowd.children.terminate_child("a")
        assert slot.status is Status.CLOSED
        assert stage.log == ["+a", "-a"]
        assert not await crowd.children.terminate_child("a")


async def test_terminate_child_does_not_restart_one_that_had_to_be_killed(autojump_clock: MockClock) -> None:
    crowd = Crowd()
    crowd.stage.behaviour("a").terminate = hang
    async with crowd.playing():
        slot = crowd.add("a", Restart.PERMANENT, grace_seconds=1)
        await wait_all_tasks_blocked()
        assert await crowd.children.terminate_child("a")
        assert slot.status is Status.CLOSED


async def test_terminated_id_is_free_again() -> None:
    crowd = Crowd()
    async with crowd.playing():
        crowd.add("a")
        await crowd.children.terminate_child("a")
        slot = crowd.add("a")
        await crowd.end(slot, CRASH)
        assert slot.incarnation == 2


async def test_child_asked_to_stop_that_fails_on_the_way_out_does_not_come_back() -> None:
    crowd = Crowd()

    async def trip(_slot: Slot[Any]) -> None:
        raise RuntimeError("tripped")

    crowd.stage.behaviour("a").terminate = trip
    async with crowd.playing() as stage:
        slot = crowd.add("a")
        await crowd.end(slot, NORMAL)
        assert slot.status is Status.CLOSED
        (report,) = stage.reported(ChildTerminated)
        assert isinstance(report.reason, Crashed)
        assert not report.will_restart


async def test_retired_child_that_crashes_does_not_come_back() -> None:
    """Nobody could reach it any more."""
    crowd = Crowd()
    async with crowd.playing():
        slot = crowd.add("a", Restart.PERMANENT)
        slot.ref.cast(CRASH)
        slot.retire(Normal())
        await wait_all_tasks_blocked()
        assert slot.status is Status.CLOSED
        assert slot.incarnation == 1


async def test_intensity_is_counted_per_child(autojump_clock: MockClock) -> None:
    crowd = Crowd(intensity=Intensity(2, 60.0))
    async with crowd.playing() as stage:
        slots = [crowd.add(f"{number}") for number in range(5)]
        for slot in slots:
            await crowd.end(slot, CRASH)
        assert [slot.incarnation for slot in slots] == [2] * 5
        for _ in range(2):
            await crowd.end(slots[0], CRASH)
        assert not slots[0].ref.is_alive
        assert stage.reported(IntensityReached) == [IntensityReached("/crowd/0", 2, 60.0)]
        assert [slot.ref.is_alive for slot in slots[1:]] == [True] * 4


async def test_intensity_forgets_what_is_older_than_the_period(autojump_clock: MockClock) -> None:
    crowd = Crowd(intensity=Intensity(1, 10.0))
    async with crowd.playing():
        slot = crowd.add("a")
        for _ in range(5):
            await crowd.end(slot, CRASH)
            await trio.sleep(10.1)
        assert slot.incarnation == 6


async def test_given_up_child_starts_with_a_clean_record() -> None:
    crowd = Crowd(intensity=Intensity(1, 60.0))
    async with crowd.playing():
        for _ in range(2):
            slot = crowd.add("a")
            await crowd.end(slot, CRASH)
            assert slot.ref.is_alive
            await crowd.end(slot, CRASH)
            assert not slot.ref.is_alive


async def test_simple_one_for_one_escalation_of_a_storm() -> None:
    """Half of the living children within the period are more than bad luck: the parent decides."""
    crowd = Crowd(intensity=Intensity(5, 60.0))
    async with crowd.playing() as stage:
        slots = [crowd.add(f"{number}") for number in range(30)]
        for slot in slots[:15]:
            await crowd.end(slot, CRASH)
        assert stage.slot("/crowd").incarnation == 1
        await crowd.end(slots[15], CRASH)
        assert stage.slot("/crowd").incarnation == 2
        assert stage.reported(IntensityReached) == [IntensityReached("/crowd", 16, 60.0)]
        assert not any(slot.ref.is_alive for slot in slots)
        assert stage.log.count("-0") == 1
        crowd.add("0")


async def test_few_sick_children_are_no_storm_however_often_they_restart() -> None:
    crowd = Crowd(intensity=Intensity(100, 60.0))
    async with crowd.playing() as stage:
        slots = [crowd.add(f"{number}") for number in range(12)]
        for _ in range(20):
            for slot in slots[:3]:
                await crowd.end(slot, CRASH)
        assert stage.slot("/crowd").incarnation == 1
        assert [slot.ref.is_alive for slot in slots] == [True] * 12


async def test_storm_escalates_to_the_root() -> None:
    crowd = Crowd(intensity=Intensity(5, 60.0))
    async with crowd.playing(root_intensity=Intensity(0, 1.0)) as stage:
        for slot in [crowd.add(f"{number}") for number in range(12)]:
            slot.ref.cast(CRASH)
        await wait_all_tasks_blocked()
        assert stage.ended == Shutdown("reached_max_restart_intensity")


async def test_killed_supervisor_ends_its_children_for_good() -> None:
    """Unlike those of a fixed supervisor: whoever started them starts others."""
    crowd = Crowd()
    async with crowd.playing() as stage:
        slot = crowd.add("a", Restart.PERMANENT)
        told: list[ExitReason] = []
        slot.on_close(lambda _slot, reason: told.append(reason))
        await wait_all_tasks_blocked()
        await stage.kill("/crowd")
        assert told == [Killed("its supervisor was killed")]
        assert crowd.children.children() == ()
        crowd.add("a")


async def test_supervisor_killed_while_it_stops_its_children_does_not_hang(autojump_clock: MockClock) -> None:
    crowd = Crowd()
    crowd.stage.behaviour("slow").terminate = hang
    async with crowd.playing() as stage:
        crowd.add("slow", grace_seconds=1e6)
        await wait_all_tasks_blocked()
        began = trio.current_time()
        stage.ref("/crowd").stop(Shutdown())
        await wait_all_tasks_blocked()
        await stage.kill("/crowd")
        assert trio.current_time() == began
        assert stage.incarnations("crowd") == [2]


async def test_immortal_child_does_not_keep_the_others(autojump_clock: MockClock) -> None:
    crowd = Crowd()

    async def stubborn(_slot: Slot[Any]) -> None:
        await refuse_to_die(100)

    crowd.stage.behaviour("immortal").terminate = stubborn
    async with crowd.playing() as stage:
        crowd.add("immortal", grace_seconds=1)
        crowd.add("a")
        await wait_all_tasks_blocked()
    assert "-a" in stage.log
    assert stage.reported(ShutdownFailed) == [ShutdownFailed("/crowd/immortal", 1, still_lives=True)]


async def test_children_can_be_supervisors() -> None:
    """OTP: count_children_supervisor."""
    crowd = Crowd()
    async with crowd.playing() as stage:
        spec = supervisor_spec("room", [stage.spec("x")], restart=Restart.TEMPORARY)
        slot = await crowd.children.start_child_and_wait(spec)
        leaf = stage.ref("/crowd/room/x")
        assert leaf.is_alive
        slot.ref.stop(Normal())
        await wait_all_tasks_blocked()
        assert not leaf.is_alive


async def test_simple_one_for_one_scale_many_temporary_children() -> None:
    """Ten thousand start, restart, are counted and stop, leaving nothing behind."""
    crowd = Crowd(intensity=Intensity(1, 60.0))
    async with crowd.playing() as stage:
        slots = [crowd.add(f"{number}", Restart.TRANSIENT) for number in range(10_000)]
        await wait_all_tasks_blocked()
        assert len(stage.reported(ChildStarted)) == 10_002
        for slot in slots[::10]:
            slot.ref.cast(CRASH)
        await wait_all_tasks_blocked()
        assert sum(slot.incarnation for slot in slots) == 11_000
        for slot in slots[1::2]:
            slot.ref.stop(Normal())
        await wait_all_tasks_blocked()
        assert crowd.children.statistics() == DynamicSupervisorStatistics(5_000, 10_000, 1_000, 0)
        assert len(crowd.children.children()) == 5_000
    assert not any(slot.ref.is_alive for slot in slots)
    assert stage.reported(ShutdownFailed) == []
