"""Starting in order, stopping in reverse, each with its own grace (OTP: sup_start_*, sup_stop_*)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import BRUTAL_KILL, INFINITY, Restart, Strategy
from supervision.exit_reason import Crashed, Killed, Normal, Shutdown
from supervision.report import ChildStarted, ChildTerminated, ShutdownFailed, StartFailed
from supervision.slot import Slot, Status
from supervision.supervisor import ChildFailedToStartError, supervisor_spec
from supervision.tree import Tree
from tests.supervision.stage import Finish, Note, Sleep, Stage, fail_init, hang, lasting, refuse_to_die


async def test_sup_start_normal_starts_children_in_order_and_stops_them_in_reverse() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("b"), stage.spec("c")):
        assert stage.log == ["+a", "+b", "+c"]
    assert stage.log == ["+a", "+b", "+c", "-c", "-b", "-a"]
    assert stage.ended == Normal()


async def test_sup_start_normal_without_children() -> None:
    stage = Stage()
    async with stage.supervising() as tree:
        assert tree.root.status is Status.RUNNING
    assert stage.ended == Normal()


async def test_sup_start_waits_for_each_init(autojump_clock: MockClock) -> None:
    """The next child starts when the init before has ended, and the supervisor has started after the last."""
    stage = Stage()

    async def slow(slot: Slot[Any]) -> None:
        await trio.sleep(10)
        stage.log.append(f"{slot.spec.id} at {trio.current_time() - began:.0f}")

    stage.behaviour("a").init = stage.behaviour("b").init = slow
    began = trio.current_time()
    async with stage.supervising(stage.spec("a"), stage.spec("b")):
        assert stage.log == ["a at 10", "+a", "b at 20", "+b"]
    assert [report.path for report in stage.reported(ChildStarted)] == ["/a", "/b", "/"]


async def test_sup_start_fail_stops_those_that_had_started_in_reverse() -> None:
    stage = Stage()
    stage.behaviour("c").init = fail_init
    children = [stage.spec(id_) for id_ in ("a", "b", "c", "d")]
    reason = await Tree(supervisor_spec("root", children), stage.runtime).run()
    assert isinstance(reason, Crashed)
    assert isinstance(reason.error, ChildFailedToStartError)
    assert "/c: crashed: OSError: cannot start" in str(reason.error)
    assert stage.log == ["+a", "+b", "-b", "-a"]
    assert [report.path for report in stage.reported(StartFailed)] == ["/c", "/"]


async def test_sup_start_error_return_of_start_itself_is_a_failed_start() -> None:
    """What `ChildSpec.start` raises is treated as what `init` raises."""
    stage = Stage()

    def broken(_slot: Slot[Any]) -> Any:
        raise LookupError("no such actor")

    spec = stage.spec("a")
    children = [spec, type(spec)("b", broken)]
    reason = await Tree(supervisor_spec("root", children), stage.runtime).run()
    assert isinstance(reason, Crashed)
    assert "LookupError: no such actor" in str(reason.error)
    assert stage.log == ["+a", "-a"]


async def test_sup_start_fail_of_a_nested_supervisor_fails_the_start_above() -> None:
    stage = Stage()
    stage.behaviour("leaf").init = fail_init
    inner = supervisor_spec("inner", [stage.spec("leaf")])
    reason = await Tree(supervisor_spec("root", [stage.spec("a"), inner]), stage.runtime).run()
    assert isinstance(reason, Crashed)
    assert "/inner: crashed: ChildFailedToStartError: /inner/leaf" in str(reason.error)
    assert stage.log == ["+a", "-a"]


async def test_sup_start_killed_child_is_a_failed_start() -> None:
    """A kill while the init is under way."""
    stage = Stage()
    stage.behaviour("b").init = hang
    tree = Tree(supervisor_spec("root", [stage.spec("a"), stage.spec("b")]), stage.runtime)
    stage.tree = tree
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def run() -> None:
            stage.ended = await tree.run()

        await wait_all_tasks_blocked()
        assert stage.slot("/b").status is Status.STARTING
        await stage.kill("/b")
    assert isinstance(stage.ended, Crashed)
    (report, _root) = stage.reported(StartFailed)
    assert report == StartFailed("/b", 1, Killed())


async def test_sup_stop_infinity_waits_for_a_slow_child(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("slow").terminate = lasting(10_000)
    began = trio.current_time()
    async with stage.supervising(stage.spec("slow", grace_seconds=INFINITY)):
        pass
    assert trio.current_time() - began == pytest.approx(10_000)
    assert stage.log == ["+slow", "-slow"]
    assert stage.reported(ShutdownFailed) == []


async def test_sup_stop_timeout_kills_after_the_grace(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("slow").terminate = hang
    began = trio.current_time()
    async with stage.supervising(stage.spec("quick"), stage.spec("slow", grace_seconds=7)):
        pass
    assert trio.current_time() - began == pytest.approx(7)
    assert stage.log == ["+quick", "+slow", "-quick"]
    assert stage.reported(ShutdownFailed) == [ShutdownFailed("/slow", 7, still_lives=False)]


async def test_sup_stop_timeout_applies_to_a_child_in_the_middle_of_a_message(
    autojump_clock: MockClock,
) -> None:
    """It finishes the message in hand if that is within its grace."""
    stage = Stage()
    async with stage.supervising(stage.spec("a", grace_seconds=7), stage.spec("b", grace_seconds=7)):
        state_of_a = stage.notes("/a")
        for path, seconds in (("/a", 5), ("/b", 9)):
            stage.ref(path).cast(Sleep(seconds))
        await wait_all_tasks_blocked()
    assert stage.log == ["+a", "+b", "-a"]
    assert state_of_a == ["slept 5"]


async def test_sup_stop_brutal_kill_does_not_ask() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("polite"), stage.spec("brutal", grace_seconds=BRUTAL_KILL)):
        pass
    assert stage.log == ["+polite", "+brutal", "-polite"]
    assert stage.reported(ShutdownFailed) == []


async def test_sup_stop_is_one_child_at_a_time(autojump_clock: MockClock) -> None:
    stage = Stage()
    times: dict[str, float] = {}

    async def slow(slot: Slot[Any]) -> None:
        times[slot.spec.id] = trio.current_time() - began
        await trio.sleep(2)

    for id_ in ("a", "b", "c"):
        stage.behaviour(id_).terminate = slow
    async with stage.supervising(*(stage.spec(id_) for id_ in ("a", "b", "c"))):
        began = trio.current_time()
    assert times == pytest.approx({"c": 0, "b": 2, "a": 4})


async def test_sup_stop_reports_a_child_that_still_lives(autojump_clock: MockClock) -> None:
    """There is no kill on Trio: a shielded clean-up is waited for a while and reported, and lives on."""
    stage = Stage()
    stage.behaviour("immortal").terminate = lambda _slot: refuse_to_die(100)
    async with stage.supervising(stage.spec("a"), stage.spec("immortal", grace_seconds=1)):
        pass
    assert stage.reported(ShutdownFailed) == [ShutdownFailed("/immortal", 1, still_lives=True)]
    assert stage.log == ["+a", "+immortal", "-a", "-immortal"]


async def test_sup_stop_manual_by_reference_ends_the_tree_with_that_reason() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")) as tree:
        tree.root.ref.stop(Shutdown("maintenance"))
        tree.root.ref.stop(Shutdown("too late"))
        await wait_all_tasks_blocked()
        assert stage.ended == Shutdown("maintenance")
        assert tree.root.status is Status.CLOSED


async def test_sup_stop_of_a_nested_tree_is_in_reverse_all_the_way_down() -> None:
    stage = Stage()
    inner = supervisor_spec("inner", [stage.spec("x"), stage.spec("y")])
    async with stage.supervising(stage.spec("a"), inner, stage.spec("b")):
        pass
    assert stage.log == ["+a", "+x", "+y", "+b", "-b", "-y", "-x", "-a"]


async def test_sup_stop_while_a_child_starts_does_not_wait_for_its_init(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("stuck").init = hang
    tree = Tree(
        supervisor_spec("root", [stage.spec("a"), stage.spec("stuck", grace_seconds=3)]), stage.runtime
    )
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def run() -> None:
            stage.ended = await tree.run()

        await wait_all_tasks_blocked()
        tree.root.ref.stop(Shutdown("never mind"))
    assert trio.current_time() - began == pytest.approx(3)
    assert stage.ended == Shutdown("never mind")
    assert stage.log == ["+a", "-a"]


async def test_sup_stop_before_the_next_child_has_been_started_starts_no_more() -> None:
    stage = Stage()

    async def stop_all(slot: Slot[Any]) -> None:
        assert slot.parent is not None
        slot.parent.ref.stop(Shutdown("changed my mind"))

    stage.behaviour("a").init = stop_all
    reason = await Tree(supervisor_spec("root", [stage.spec("a"), stage.spec("b")]), stage.runtime).run()
    assert reason == Shutdown("changed my mind")
    assert stage.log == ["+a", "-a"]


async def test_cancelling_the_tree_stops_it_in_order_with_its_graces(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("b").terminate = lasting(2)
    async with trio.open_nursery() as nursery:
        tree = Tree(supervisor_spec("root", [stage.spec("a"), stage.spec("b")]), stage.runtime)
        await nursery.start(tree.run)
        nursery.cancel_scope.cancel()
    assert stage.log == ["+a", "+b", "-b", "-a"]
    assert tree.root.status is Status.CLOSED


async def test_stop_asked_while_a_child_restarts_ends_the_supervisor(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("b", grace_seconds=1)) as tree:
        stage.behaviour("b").init = hang
        await stage.kill("/b")
        tree.root.ref.stop(Shutdown("enough"))
    assert stage.ended == Shutdown("enough")
    assert stage.log == ["+a", "+b", "-a"]


async def test_child_that_fails_in_terminate_has_crashed() -> None:
    stage = Stage()

    async def trip(_slot: Slot[Any]) -> None:
        raise RuntimeError("tripped")

    stage.behaviour("a").terminate = trip
    async with stage.supervising(stage.spec("a", Restart.TRANSIENT)):
        await stage.end("/a", Finish(Normal()))
        assert stage.incarnations("a") == [2]
        assert stage.slot("/a").last_crash == "crashed: RuntimeError: tripped"


async def test_child_killed_in_terminate_was_killed(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("a").terminate = hang
    async with stage.supervising(stage.spec("a", Restart.TRANSIENT)):
        await stage.end("/a", Finish(Normal()))
        await stage.kill("/a")
        assert stage.slot("/a").last_crash == "killed: killed"
        assert stage.incarnations("a") == [2]
        stage.behaviour("a").terminate = None


async def test_messages_left_behind_a_finish_are_kept_for_the_next_incarnation() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        for message in (Note("before"), Finish(Normal()), Note("after")):
            stage.ref("/a").cast(message)
        await wait_all_tasks_blocked()
        assert stage.incarnations("a") == [2]
        assert stage.notes("/a") == ["before", "after"]


@pytest.mark.parametrize("how", ["all stop", "removed", "with a sibling"])
async def test_child_that_crashes_while_it_is_stopped_is_reported(how: str) -> None:
    stage = Stage()

    async def trip(_slot: Slot[Any]) -> None:
        raise RuntimeError("tripped")

    stage.behaviour("b").terminate = trip
    children = [stage.spec("a"), stage.spec("b")]
    async with stage.supervising(*children, strategy=Strategy.REST_FOR_ONE) as tree:
        match how:
            case "all stop":
                tree.root.ref.stop(Normal())
            case "removed":
                await stage.remove("b")
            case _:
                await stage.end("/a", Finish(Normal()))
                stage.behaviour("b").terminate = None
    crashes = [report for report in stage.reported(ChildTerminated) if isinstance(report.reason, Crashed)]
    assert [(report.path, report.incarnation, report.will_restart) for report in crashes] == [
        ("/b", 1, False)
    ]
