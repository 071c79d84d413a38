"""Children added and taken away by request, and what a supervisor keeps (OTP: child_adm, child_specs)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import Intensity, Restart, Strategy
from supervision.exit_reason import Killed, Shutdown
from supervision.reply import ActorCrashed, DeadlineExceeded
from supervision.report import ChildStarted, ChildTerminated
from supervision.slot import Slot, Status
from supervision.supervisor import ChildFailedToStartError, StartChild, TerminateChild, supervisor_spec
from supervision.tree import Tree, children_of
from tests.supervision.stage import Note, Raise, Stage, fail_init, hang

CRASH = Raise(ValueError("broken"))


def ids(slot: Slot[Any]) -> list[str]:
    return [child.spec.id for child in children_of(slot)]


async def test_child_adm_added_children_come_last_and_are_supervised() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")) as tree:
        slot = await stage.add(stage.spec("b"))
        assert slot.path == "/b"
        assert ids(tree.root) == ["a", "b"]
        await stage.end("/b", CRASH)
        assert stage.incarnations("a", "b") == [1, 2]
    assert stage.log[-2:] == ["-b", "-a"]


async def test_child_adm_terminated_child_is_stopped_and_gone() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("b")) as tree:
        ref = stage.ref("/a")
        assert await stage.remove("a")
        assert ids(tree.root) == ["b"]
        assert not ref.is_alive
        assert not ref.cast(Note("anybody?"))
        assert stage.log == ["+a", "+b", "-a"]


async def test_child_adm_terminating_a_stranger_says_so() -> None:
    stage = Stage()
    async with stage.supervising():
        assert not await stage.remove("nobody")


async def test_child_adm_terminated_id_is_free_again() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        before = stage.slot("/a")
        await stage.remove("a")
        after = await stage.add(stage.spec("a"))
        assert after is not before
        assert after.incarnation == 1


async def test_child_adm_second_child_of_one_id_is_refused() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        with pytest.raises(ValueError, match="/ already has a child a"):
            await stage.add(stage.spec("a"))
        assert stage.incarnations("a") == [1]


async def test_sup_start_child_returns_error_to_whoever_asked() -> None:
    stage = Stage()
    stage.behaviour("b").init = fail_init
    async with stage.supervising(stage.spec("a")):
        with pytest.raises(ChildFailedToStartError, match="/b: crashed: OSError: cannot start"):
            await stage.add(stage.spec("b"))
        assert not stage.is_there("/b")
        assert stage.incarnations("a") == [1]
        assert stage.ended is None


def test_child_specs_with_one_id_twice_are_refused() -> None:
    stage = Stage()
    with pytest.raises(ValueError, match="supervisor root: two children have one id"):
        supervisor_spec("root", [stage.spec("a"), stage.spec("a")])


async def test_tree_restart_makes_finished_children_anew_in_their_place() -> None:
    """What had ended for good is started with its restarted supervisor, in the order of the specs."""
    stage = Stage()
    children = [stage.spec("a", Restart.TRANSIENT), stage.spec("b"), stage.spec("t", Restart.TEMPORARY)]
    inner = supervisor_spec("inner", children, intensity=Intensity(0, 1.0))
    async with stage.supervising(inner):
        stage.ref("/inner/a").stop(Shutdown())
        await wait_all_tasks_blocked()
        temporary = stage.ref("/inner/t")
        assert ids(stage.slot("/inner")) == ["b", "t"]
        await stage.end("/inner/b", CRASH)
        assert ids(stage.slot("/inner")) == ["a", "b", "t"]
        assert stage.incarnations("inner/a", "inner/b", "inner/t") == [1, 2, 1]
        assert not temporary.is_alive


async def test_tree_restart_keeps_added_children_unless_temporary() -> None:
    """Unlike OTP, which forgets them: their references live on, so nobody would notice them missing."""
    stage = Stage()
    inner = supervisor_spec("inner", [stage.spec("a")], intensity=Intensity(0, 1.0))
    async with stage.supervising(inner):
        kept = await stage.add(stage.spec("kept", Restart.TRANSIENT), to="/inner")
        gone = await stage.add(stage.spec("gone", Restart.TEMPORARY), to="/inner")
        await stage.end("/inner/a", CRASH)
        assert ids(stage.slot("/inner")) == ["a", "kept"]
        assert (kept.incarnation, kept.status) == (2, Status.RUNNING)
        assert gone.status is Status.CLOSED


async def test_tree_restart_of_a_nested_supervisor_keeps_the_references_of_grandchildren() -> None:
    """Their slots must not be forgotten: callers would hang and watchers would never be told."""
    stage = Stage()
    leaf = supervisor_spec("leaf", [stage.spec("x")])
    inner = supervisor_spec("inner", [stage.spec("a"), leaf], intensity=Intensity(0, 1.0))
    async with stage.supervising(inner):
        grandchild = stage.ref("/inner/leaf/x")
        await stage.end("/inner/a", CRASH)
        assert stage.ref("/inner/leaf/x") is grandchild
        assert grandchild.cast(Note("still there"))
        await wait_all_tasks_blocked()
        assert stage.notes("/inner/leaf/x") == ["still there"]


async def test_closed_supervisor_closes_the_slots_of_all_its_descendants() -> None:
    stage = Stage()
    inner = supervisor_spec("inner", [supervisor_spec("leaf", [stage.spec("x")])])
    async with stage.supervising(inner):
        grandchild = stage.ref("/inner/leaf/x")
        assert await stage.remove("inner")
        assert not grandchild.is_alive


async def test_watching_a_supervisor_before_its_first_start_does_not_keep_its_children_open() -> None:
    stage = Stage()
    tree = stage.tree = Tree(supervisor_spec("root", [stage.spec("x")]), stage.runtime)
    told: list[object] = []
    tree.root.on_close(lambda _slot, reason: told.append(reason))
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        ref = stage.ref("/x")
        tree.root.ref.stop(Shutdown("enough"))
    assert told == [Shutdown("enough")]
    assert not ref.is_alive


async def test_start_child_of_a_stopping_supervisor_fails(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("slow").terminate = hang
    async with stage.supervising(stage.spec("slow", grace_seconds=2)) as tree:
        tree.root.ref.stop(Shutdown("closing time"))
        await wait_all_tasks_blocked()
        with pytest.raises(ActorCrashed, match="/ has ended: shutdown: closing time"):
            await stage.add(stage.spec("late"))
        with pytest.raises(ActorCrashed, match="/ has ended"):
            await stage.add(stage.spec("later"))


async def test_start_child_whose_supervisor_is_asked_to_stop_meanwhile_fails(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    stage.behaviour("stuck").init = hang
    async with stage.supervising() as tree, trio.open_nursery() as nursery:

        @nursery.start_soon
        async def ask() -> None:
            with pytest.raises(ChildFailedToStartError, match="/stuck: its supervisor is stopping"):
                await tree.root.ref.call(
                    lambda reply: StartChild(stage.spec("stuck", grace_seconds=1), reply),
                    deadline_seconds=60,
                )

        await wait_all_tasks_blocked()
        tree.root.ref.stop(Shutdown())
    assert stage.ended == Shutdown()


async def test_start_child_is_not_done_twice_when_its_supervisor_is_killed_in_between(
    autojump_clock: MockClock,
) -> None:
    """The request is redelivered; the child, which its slot has outlived, is the answer."""
    stage = Stage()

    async def hang_once(_slot: Slot[Any]) -> None:
        stage.behaviour("new").init = None
        await trio.sleep_forever()

    stage.behaviour("new").init = hang_once
    async with stage.supervising(supervisor_spec("inner", [])):
        answers: list[Slot[Any]] = []
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def ask() -> None:
                answers.append(await stage.add(stage.spec("new"), to="/inner"))

            await wait_all_tasks_blocked()
            await stage.kill("/inner")
        assert [slot.incarnation for slot in answers] == [2]
        assert ids(stage.slot("/inner")) == ["new"]


async def test_start_child_of_which_its_supervisor_dies_twice_is_set_aside(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("new").init = hang
    async with stage.supervising(supervisor_spec("inner", [], intensity=Intensity(9, 1.0))):
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def ask() -> None:
                with pytest.raises(ActorCrashed, match="died 2 times with this message in hand"):
                    await stage.add(stage.spec("new", Restart.TEMPORARY), to="/inner")

            await wait_all_tasks_blocked()
            await stage.kill("/inner")
            await stage.kill("/inner")
        assert ids(stage.slot("/inner")) == []
        assert stage.incarnations("inner") == [3]


async def test_late_answer_to_start_child_is_dropped(autojump_clock: MockClock) -> None:
    stage = Stage()

    async def slow(_slot: Slot[Any]) -> None:
        await trio.sleep(10)

    stage.behaviour("slow").init = slow
    async with stage.supervising():
        with pytest.raises(DeadlineExceeded):
            await stage.add(stage.spec("slow"))
        await trio.sleep(20)
        assert stage.incarnations("slow") == [1]


async def test_child_unlink_killed_child_whose_end_is_not_yet_known_can_be_terminated() -> None:
    """OTP: child_unlink; the supervisor does not hang."""
    stage = Stage()
    async with stage.supervising(stage.spec("naughty")) as tree:
        stage.ref("/naughty").kill()
        assert await tree.root.ref.call(lambda reply: TerminateChild("naughty", reply))
        assert not stage.is_there("/naughty")


async def test_count_restarting_children_shows_in_their_status(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("b"), strategy=Strategy.REST_FOR_ONE) as tree:
        stage.behaviour("a").init = hang
        await stage.kill("/a")
        assert [child.status for child in children_of(tree.root)] == [Status.STARTING, Status.RESTARTING]
        stage.behaviour("a").init = None
        await stage.kill("/a")
        assert [child.status for child in children_of(tree.root)] == [Status.RUNNING] * 2


async def test_order_of_children_is_kept_by_restarts() -> None:
    stage = Stage()
    names = ["c", "a", "b"]
    async with stage.supervising(*(stage.spec(id_) for id_ in names)) as tree:
        for id_ in ("a", "c", "b"):
            await stage.end(f"/{id_}", CRASH)
        assert ids(tree.root) == names


async def test_scale_start_stop_many_children() -> None:
    stage = Stage()
    async with stage.supervising(*(stage.spec(f"child-{number}") for number in range(500))) as tree:
        assert len(ids(tree.root)) == 500
    assert stage.log[500:] == [f"-child-{number}" for number in reversed(range(500))]


async def test_killed_supervisor_takes_its_children_along_and_is_restarted() -> None:
    stage = Stage()
    inner = supervisor_spec("inner", [stage.spec("x"), stage.spec("y")])
    async with stage.supervising(inner, stage.spec("other")):
        await stage.kill("/inner")
        assert stage.incarnations("inner", "inner/x", "inner/y", "other") == [2, 2, 2, 1]
        assert stage.slot("/inner/x").last_crash == "killed: its supervisor was killed"
        assert stage.slot("/inner").last_crash == "killed: killed"


async def test_supervisor_killed_while_it_stops_its_children_does_not_hang(autojump_clock: MockClock) -> None:
    """Its children are shielded from everything but a kill of their own."""
    stage = Stage()
    stage.behaviour("slow").terminate = hang
    inner = supervisor_spec("inner", [stage.spec("slow", grace_seconds=1e6)])
    async with stage.supervising(inner):
        began = trio.current_time()
        stage.ref("/inner").stop(Shutdown())
        await wait_all_tasks_blocked()
        await stage.kill("/inner")
        assert trio.current_time() == began
        stage.behaviour("slow").terminate = None
        assert stage.incarnations("inner", "inner/slow") == [2, 2]


async def test_supervisor_killed_while_a_child_starts_does_not_hang() -> None:
    stage = Stage()
    async with stage.supervising(supervisor_spec("inner", [stage.spec("x")])):
        stage.behaviour("x").init = hang
        await stage.kill("/inner/x")
        stage.behaviour("x").init = None
        await stage.kill("/inner")
        assert stage.incarnations("inner", "inner/x") == [2, 3]


async def test_signal_to_a_supervisor_does_not_make_it_spin() -> None:
    """It has no use for readiness bits; that somebody sets them must not keep everybody else from running."""
    stage = Stage()
    async with stage.supervising(stage.spec("x")) as tree:
        tree.root.ref.signal(1)
        await stage.end("/x", CRASH)
        assert stage.incarnations("x") == [2]


async def test_deliberate_stop_is_not_reported_as_a_death() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("x")):
        await stage.remove("x")
    assert {type(report) for report in stage.reports} == {ChildStarted}


async def test_root_killed_is_reported_and_ends_the_tree() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("x")):
        await stage.kill("/")
    assert stage.ended == Killed()
    assert stage.reports[-1] == ChildTerminated("/", 1, Killed(), in_hand=None, will_restart=False)
