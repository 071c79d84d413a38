"""Who is stopped and started when one child dies, and how often (OTP: the groups restart_*)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import Intensity, Restart, Strategy
from supervision.exit_reason import Crashed, Shutdown
from supervision.report import ChildStarted, ChildTerminated, IntensityReached, ShutdownFailed, StartFailed
from supervision.slot import Slot, Status
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY, StartChild, supervisor_spec
from tests.supervision.stage import Note, Raise, Stage, fail_init, refuse_to_die

CRASH = Raise(ValueError("broken"))
TWICE = Intensity(restarts=2, period_seconds=3_600)
NAMES = ("a", "b", "c")


def three(stage: Stage) -> list[Any]:
    return [stage.spec(id_) for id_ in NAMES]


async def test_one_for_one_restarts_only_the_one_that_died() -> None:
    stage = Stage()
    async with stage.supervising(*three(stage)):
        await stage.end("/b", CRASH)
        assert stage.incarnations(*NAMES) == [1, 2, 1]
        assert stage.log == ["+a", "+b", "+c", "+b"]


async def test_one_for_all_restarts_all_stopping_in_reverse_order() -> None:
    stage = Stage()
    async with stage.supervising(*three(stage), strategy=Strategy.ONE_FOR_ALL):
        await stage.end("/b", CRASH)
        assert stage.incarnations(*NAMES) == [2, 2, 2]
        assert stage.log == ["+a", "+b", "+c", "-c", "-a", "+a", "+b", "+c"]


async def test_rest_for_one_restarts_those_after_the_one_that_died() -> None:
    stage = Stage()
    async with stage.supervising(*three(stage), strategy=Strategy.REST_FOR_ONE):
        await stage.end("/b", CRASH)
        assert stage.incarnations(*NAMES) == [1, 2, 2]
        assert stage.log == ["+a", "+b", "+c", "-c", "+b", "+c"]


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_multiple_restarts_within_the_intensity_go_on(strategy: Strategy) -> None:
    stage = Stage()
    async with stage.supervising(*three(stage), strategy=strategy, intensity=TWICE):
        await stage.end("/a", CRASH)
        await stage.end("/c", CRASH)
        assert stage.ended is None


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_escalation_ends_the_supervisor_and_its_children(strategy: Strategy) -> None:
    """OTP: one_for_one_escalation, one_for_all_escalation, rest_for_one_escalation."""
    stage = Stage()
    async with stage.supervising(*three(stage), strategy=strategy, intensity=TWICE):
        for _ in range(3):
            await stage.end("/b", CRASH)
    assert stage.ended == REACHED_MAX_RESTART_INTENSITY
    assert stage.reported(IntensityReached) == [IntensityReached("/", 2, 3_600)]
    assert stage.log[-2:] == ["-c", "-a"]


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_escalation_when_a_restart_keeps_failing(strategy: Strategy) -> None:
    """A start that fails during a restart counts again."""
    stage = Stage()
    async with stage.supervising(*three(stage), strategy=strategy, intensity=TWICE):
        stage.behaviour("b").init = fail_init
        await stage.end("/b", CRASH)
    assert stage.ended == REACHED_MAX_RESTART_INTENSITY
    assert len(stage.reported(StartFailed)) == 2
    assert stage.log[-1] == "-a"


async def test_escalation_goes_up_to_the_parent_which_restarts_the_supervisor() -> None:
    stage = Stage()
    inner = supervisor_spec("inner", three(stage), intensity=Intensity(0, 1.0))
    async with stage.supervising(stage.spec("outer"), inner):
        await stage.end("/inner/b", CRASH)
        assert stage.incarnations("outer", "inner", "inner/a", "inner/b", "inner/c") == [1, 2, 2, 2, 2]
        assert stage.ended is None


async def test_escalation_reaches_the_root() -> None:
    stage = Stage()
    inner = supervisor_spec("inner", three(stage), intensity=Intensity(0, 1.0))
    async with stage.supervising(inner, intensity=Intensity(0, 1.0)):
        await stage.end("/inner/b", CRASH)
    assert stage.ended == REACHED_MAX_RESTART_INTENSITY
    assert [report.path for report in stage.reported(IntensityReached)] == ["/inner", "/"]


async def test_escalation_does_not_restart_a_transient_supervisor() -> None:
    """It gave up in good order: `shutdown` is no abnormal end, as in OTP."""
    stage = Stage()
    inner = supervisor_spec("inner", three(stage), intensity=Intensity(0, 1.0), restart=Restart.TRANSIENT)
    async with stage.supervising(inner):
        await stage.end("/inner/b", CRASH)
        assert not stage.is_there("/inner")


async def test_intensity_forgets_restarts_older_than_the_period(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), intensity=Intensity(1, 10.0)):
        for _ in range(5):
            await stage.end("/a", CRASH)
            await trio.sleep(10.1)
        assert stage.incarnations("a") == [6]


async def test_intensity_counts_for_the_supervisor_and_not_for_each_child() -> None:
    stage = Stage()
    children = [stage.spec(f"child-{number}") for number in range(10)]
    async with stage.supervising(*children, intensity=Intensity(3, 60.0)):
        for number in range(10):
            if stage.ended is None:
                await stage.end(f"/child-{number}", CRASH)
    assert len([report for report in stage.reported(ChildStarted) if report.incarnation > 1]) == 3


async def test_rest_for_one_other_child_fails_restart() -> None:
    """OTP: the child that was restarted well is not restarted again because a later one fails to start."""
    stage = Stage()
    children = [stage.spec("a"), stage.spec("b")]
    async with stage.supervising(*children, strategy=Strategy.REST_FOR_ONE):
        fail_once(stage, "b")
        await stage.end("/a", CRASH)
        assert stage.incarnations("a", "b") == [2, 3]
        assert stage.log == ["+a", "+b", "-b", "+a", "+b"]


async def test_one_for_all_other_child_fails_restart() -> None:
    """OTP: all others are stopped again before the next attempt."""
    stage = Stage()
    children = [stage.spec("a"), stage.spec("b")]
    async with stage.supervising(*children, strategy=Strategy.ONE_FOR_ALL):
        fail_once(stage, "b")
        await stage.end("/a", CRASH)
        assert stage.incarnations("a", "b") == [3, 3]
        assert stage.log == ["+a", "+b", "-b", "+a", "-a", "+a", "+b"]


def fail_once(stage: Stage, id_: str) -> None:
    async def init(_slot: Slot[Any]) -> None:
        stage.behaviour(id_).init = None
        raise OSError("not yet")

    stage.behaviour(id_).init = init


def fail_slowly(stage: Stage, id_: str) -> None:
    async def init(_slot: Slot[Any]) -> None:
        await trio.sleep(2)
        raise OSError("still not")

    stage.behaviour(id_).init = init


async def test_hanging_restart_loop_lets_other_children_restart(autojump_clock: MockClock) -> None:
    """A child whose restart keeps failing, too slowly for the intensity, must not keep us from the rest."""
    stage = Stage()
    async with stage.supervising(stage.spec("bad"), stage.spec("good"), intensity=Intensity(8, 10.0)):
        fail_slowly(stage, "bad")
        await stage.end("/bad", CRASH)
        await trio.sleep(7)
        assert stage.slot("/bad").status in (Status.RESTARTING, Status.STARTING)
        await stage.end("/good", CRASH)
        await trio.sleep(5)
        assert stage.slot("/good").status is Status.RUNNING
        assert stage.incarnations("good") == [2]


async def test_hanging_restart_loop_lets_the_child_be_terminated(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("bad"), intensity=Intensity(8, 10.0)) as tree:
        fail_slowly(stage, "bad")
        await stage.end("/bad", CRASH)
        await trio.sleep(7)
        with pytest.raises(ValueError, match="already has a child bad"):
            await tree.root.ref.call(lambda reply: StartChild(stage.spec("bad"), reply))
        assert await stage.remove("bad")
        await trio.sleep(100)
        assert not stage.is_there("/bad")


async def test_hanging_restart_loop_lets_the_supervisor_stop(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("bad"), intensity=Intensity(8, 10.0)) as tree:
        fail_slowly(stage, "bad")
        await stage.end("/bad", CRASH)
        await trio.sleep(7)
        tree.root.ref.stop(Shutdown("enough"))
        await trio.sleep(10)
        assert stage.ended == Shutdown("enough")


@pytest.mark.parametrize("strategy", [Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL])
async def test_hanging_restart_loop_rest_for_one_terminated_child_frees_its_siblings(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    """Those that waited for the failing one are started when it is taken away."""
    stage = Stage()
    async with stage.supervising(*three(stage), strategy=strategy, intensity=Intensity(8, 10.0)):
        fail_slowly(stage, "b")
        await stage.end("/b", CRASH)
        await trio.sleep(7)
        assert stage.slot("/c").status is Status.RESTARTING
        assert await stage.remove("b")
        assert [stage.slot(f"/{id_}").status for id_ in ("a", "c")] == [Status.RUNNING] * 2


async def test_failed_restart_is_forgotten_when_a_sibling_brings_the_child_back(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    children = [stage.spec("a"), stage.spec("b")]
    async with stage.supervising(*children, strategy=Strategy.REST_FOR_ONE):
        attempts = 0

        async def init(_slot: Slot[Any]) -> None:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                stage.ref("/a").cast(CRASH)
                await trio.sleep(1)
                raise OSError("not while a is going")

        stage.behaviour("b").init = init
        await stage.end("/b", CRASH)
        await trio.sleep(10)
        assert stage.incarnations("a", "b") == [2, 3]
        assert attempts == 2


async def test_temporary_child_that_was_stopped_for_its_siblings_ends_its_slot() -> None:
    stage = Stage()
    children = [stage.spec("a"), stage.spec("t", Restart.TEMPORARY)]
    async with stage.supervising(*children, strategy=Strategy.REST_FOR_ONE):
        temporary = stage.ref("/t")
        await stage.end("/a", CRASH)
        assert not temporary.is_alive
        assert stage.log == ["+a", "+t", "-t", "+a"]


async def test_child_that_ended_for_good_does_not_come_back_with_its_siblings() -> None:
    """Unlike OTP: its references have been told that it is down, so it cannot be up again."""
    stage = Stage()
    children = [stage.spec("a"), stage.spec("t", Restart.TRANSIENT)]
    async with stage.supervising(*children, strategy=Strategy.ONE_FOR_ALL):
        stage.ref("/t").stop(Shutdown())
        await wait_all_tasks_blocked()
        await stage.end("/a", CRASH)
        assert stage.incarnations("a") == [2]
        assert not stage.is_there("/t")


async def test_several_deaths_at_once_are_one_restart_for_one_for_all() -> None:
    """Those that were stopped and started for the first one are not restarted again for the second."""
    stage = Stage()
    async with stage.supervising(*three(stage), strategy=Strategy.ONE_FOR_ALL):
        for id_ in NAMES:
            stage.ref(f"/{id_}").kill()
        await wait_all_tasks_blocked()
        assert stage.incarnations(*NAMES) == [2, 2, 2]


async def test_restarted_child_that_refuses_to_go_has_no_second_reader(autojump_clock: MockClock) -> None:
    """It is reported, and its successor starts when it has really gone."""
    stage = Stage()

    async def stubborn(_slot: Slot[Any]) -> None:
        await refuse_to_die(60)

    stage.behaviour("b").terminate = stubborn
    children = [stage.spec("a"), stage.spec("b", grace_seconds=1)]
    async with stage.supervising(*children, strategy=Strategy.REST_FOR_ONE):
        await stage.end("/a", CRASH)
        await trio.sleep(30)
        assert stage.reported(ShutdownFailed) == [ShutdownFailed("/b", 1, still_lives=True)]
        assert stage.incarnations("a", "b") == [2, 1]
        await trio.sleep(60)
        assert stage.incarnations("a", "b") == [2, 2]
        stage.behaviour("b").terminate = None


async def test_restart_keeps_state_mailbox_and_reference() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        ref = stage.ref("/a")
        for message in (Note("one"), CRASH, Note("two")):
            ref.cast(message)
        await wait_all_tasks_blocked()
        assert stage.ref("/a") is ref
        assert stage.notes("/a") == ["one", "two"]
        assert stage.slot("/a").last_crash == "crashed: ValueError: broken"


async def test_restart_by_the_grandparent_makes_state_anew_and_keeps_references() -> None:
    """The supervisor died of these children, so they begin anew; their references notice nothing."""
    stage = Stage()
    inner = supervisor_spec("inner", three(stage), intensity=Intensity(0, 1.0))
    async with stage.supervising(supervisor_spec("middle", [inner], intensity=Intensity(0, 1.0))):
        ref = stage.ref("/middle/inner/a")
        ref.cast(Note("old"))
        await stage.end("/middle/inner/b", CRASH)
        assert stage.slot("/middle").incarnation == 2
        ref.cast(Note("new"))
        await wait_all_tasks_blocked()
        assert stage.ref("/middle/inner/a") is ref
        assert stage.notes("/middle/inner/a") == ["new"]


async def test_reports_tell_the_time_to_recover(autojump_clock: MockClock) -> None:
    stage = Stage()

    async def slow(_slot: Slot[Any]) -> None:
        await trio.sleep(3)

    async with stage.supervising(stage.spec("a")):
        stage.behaviour("a").init = slow
        await stage.end("/a", CRASH)
        await trio.sleep(5)
    started = [report for report in stage.reported(ChildStarted) if report.path == "/a"]
    assert started == [ChildStarted("/a", 1, None), ChildStarted("/a", 2, 3.0)]
    (terminated,) = stage.reported(ChildTerminated)
    assert isinstance(terminated.reason, Crashed)
    assert terminated.in_hand is CRASH
