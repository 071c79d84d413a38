"""Notices that a slot has ended for good."""

from collections.abc import Callable

from trio.testing import wait_all_tasks_blocked

from supervision.child_spec import ChildSpec, Restart
from supervision.exit_reason import Crashed, ExitReason, Normal, Shutdown, describe
from tests.supervision.stage import Finish, Note, Raise, Stage

DONE = Finish(Normal())
CRASH = Raise(ValueError("broken"))


def down(of: str) -> Callable[[ExitReason], Note]:
    return lambda reason: Note(f"{of} {describe(reason)}")


def pair(stage: Stage) -> tuple[ChildSpec, ChildSpec]:
    return (stage.spec("watcher"), stage.spec("target", Restart.TRANSIENT))


async def test_monitor_tells_when_the_slot_ends_for_good_and_why() -> None:
    stage = Stage()
    async with stage.supervising(*pair(stage)):
        stage.ref("/target").monitor(stage.ref("/watcher"), down("target"))
        await stage.end("/target", DONE)
        assert stage.notes("/watcher") == ["target normal"]


async def test_monitor_does_not_tell_of_restarts() -> None:
    stage = Stage()
    async with stage.supervising(*pair(stage)):
        stage.ref("/target").monitor(stage.ref("/watcher"), down("target"))
        await stage.end("/target", CRASH)
        assert stage.incarnations("target") == [2]
        assert stage.notes("/watcher") == []


async def test_monitor_outlives_restarts_of_the_watcher() -> None:
    stage = Stage()
    async with stage.supervising(*pair(stage)):
        stage.ref("/target").monitor(stage.ref("/watcher"), down("target"))
        await stage.end("/watcher", CRASH)
        await stage.end("/target", DONE)
        assert stage.notes("/watcher") == ["target normal"]


async def test_monitor_of_a_slot_that_has_ended_tells_at_once() -> None:
    stage = Stage()
    async with stage.supervising(*pair(stage)):
        target = stage.ref("/target")
        await stage.end("/target", DONE)
        target.monitor(stage.ref("/watcher"), down("target"))
        await wait_all_tasks_blocked()
        assert stage.notes("/watcher") == ["target shutdown: had ended before"]
        assert not stage.slot("/watcher").closing


async def test_monitor_of_a_slot_that_has_retired_tells_at_once() -> None:
    stage = Stage()
    async with stage.supervising(*pair(stage)):
        stage.slot("/target").retire(Shutdown("moved"))
        stage.ref("/target").monitor(stage.ref("/watcher"), down("target"))
        await wait_all_tasks_blocked()
        assert stage.notes("/watcher") == ["target shutdown: had ended before"]


async def test_monitor_tells_every_watcher_and_each_as_often_as_it_asked() -> None:
    stage = Stage()
    async with stage.supervising(*pair(stage), stage.spec("other")):
        for path in ("/watcher", "/watcher", "/other"):
            stage.ref("/target").monitor(stage.ref(path), down("target"))
        await stage.end("/target", DONE)
        assert stage.notes("/watcher") == ["target normal"] * 2
        assert stage.notes("/other") == ["target normal"]


async def test_monitor_that_is_cancelled_tells_nothing() -> None:
    stage = Stage()
    async with stage.supervising(*pair(stage)):
        monitor = stage.ref("/target").monitor(stage.ref("/watcher"), down("target"))
        monitor.cancel()
        monitor.cancel()
        await stage.end("/target", DONE)
        monitor.cancel()
        assert stage.notes("/watcher") == []


async def test_monitors_that_come_and_go_leave_nothing_on_a_long_lived_slot() -> None:
    """By whichever of the two ends, and by cancelling."""
    stage = Stage()
    async with stage.supervising(stage.spec("old")):
        old = stage.ref("/old")
        for number in range(20):
            young = (await stage.add(stage.spec(f"young-{number}", Restart.TEMPORARY))).ref
            young.monitor(old, down("young"))
            old.monitor(young, down("old"))
            old.monitor(young, down("old")).cancel()
            young.cast(CRASH)
            await wait_all_tasks_blocked()
        assert stage.slot("/old").closing == {}
        assert stage.notes("/old") == ["young crashed: ValueError: broken"] * 20


async def test_monitor_reports_the_crash_of_a_temporary_actor() -> None:
    stage = Stage()
    reasons: list[ExitReason] = []

    def build(reason: ExitReason) -> Note:
        reasons.append(reason)
        return Note("down")

    async with stage.supervising(stage.spec("watcher"), stage.spec("target", Restart.TEMPORARY)):
        stage.ref("/target").monitor(stage.ref("/watcher"), build)
        await stage.end("/target", CRASH)
    assert reasons == [Crashed(CRASH.error)]


async def test_monitor_between_slots_that_both_end_tells_nobody_twice() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("b")):
        a, b = stage.ref("/a"), stage.ref("/b")
        a.monitor(b, down("a"))
        b.monitor(a, down("b"))
        a.monitor(a, down("myself"))
    assert not a.is_alive
    assert (a.slot.mailbox.refused, b.slot.mailbox.refused) == (1, 0)
