"""A whole tree: running it, reading it while it runs, and how it ends."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import ChildSpec, Intensity, Restart
from supervision.dynamic_supervisor import DynamicChildren
from supervision.exit_reason import Crashed, Killed, Normal, Shutdown
from supervision.reply import ActorCrashed
from supervision.report import ChildTerminated, IntensityReached
from supervision.slot import Status
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY, supervisor_spec
from supervision.tree import Tree, find, snapshot, walk
from tests.supervision.stage import Ask, Finish, Note, Raise, Sleep, Stage, fail_init, hang, lasting

CRASH = Raise(ValueError("broken"))


def garden(stage: Stage) -> tuple[ChildSpec, DynamicChildren]:
    """A root with a worker, a fixed supervisor and a dynamic one."""
    crowd = DynamicChildren("crowd", children_max=1_000)
    inner = supervisor_spec("inner", [stage.spec("x"), stage.spec("y")])
    return supervisor_spec("root", [stage.spec("a"), inner, crowd.spec()]), crowd


async def test_snapshot_reads_the_tree_without_stopping_it(autojump_clock: MockClock) -> None:
    stage = Stage()
    root, crowd = garden(stage)
    async with stage.playing(root) as tree:
        for number in range(3):
            crowd.start_child(stage.spec(f"juliet@capulet.example/{number}"))
        await stage.end("/inner/x", CRASH)
        stage.ref("/a").cast(Note("done"))
        await wait_all_tasks_blocked()
        stage.ref("/a").cast(Sleep(9), size=7)
        stage.ref("/a").tell(Note("urgent"))
        look = snapshot(tree.root)
        assert (look.path, look.id, look.status) == ("/", "root", "running")
        a, inner, crowd_look = look.children
        assert (a.handled, a.mailbox_depth, a.mailbox_bytes, a.refused) == (1, 2, 7, 0)
        x, y = inner.children
        assert (x.path, x.incarnation, x.restarts, x.last_crash) == (
            "/inner/x",
            2,
            1,
            "crashed: ValueError: broken",
        )
        assert (y.incarnation, y.restarts, y.last_crash, y.children) == (1, 0, None, ())
        assert [child.id for child in crowd_look.children] == [
            f"juliet@capulet.example/{number}" for number in range(3)
        ]


class Standing:
    """A state with a name for where its actor stands."""

    phase_name = "on one leg"


async def test_snapshot_says_where_an_actor_stands() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("b")) as tree:
        stage.slot("/a").state = Standing()
        assert [child.phase for child in snapshot(tree.root).children] == ["on one leg", None]


async def test_snapshot_counts_the_children_that_it_does_not_list() -> None:
    stage = Stage()
    root, crowd = garden(stage)
    async with stage.playing(root):
        for number in range(5):
            crowd.start_child(stage.spec(f"{number}"))
        look = snapshot(stage.slot("/crowd"), children_max=2)
        assert [child.id for child in look.children] == ["0", "1"]
        assert look.hidden == 3


async def test_snapshot_shows_a_child_that_starts() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")) as tree:
        stage.behaviour("a").init = hang
        await stage.kill("/a")
        assert [child.status for child in snapshot(tree.root).children] == ["starting"]
        stage.behaviour("a").init = None
        await stage.kill("/a")


async def test_walk_visits_every_slot_in_order_of_start() -> None:
    stage = Stage()
    root, crowd = garden(stage)
    async with stage.playing(root) as tree:
        crowd.start_child(stage.spec("c"))
        assert [slot.path for slot in walk(tree.root)] == [
            "/",
            "/a",
            "/inner",
            "/inner/x",
            "/inner/y",
            "/crowd",
            "/crowd/c",
        ]


async def test_find_returns_what_has_that_path() -> None:
    stage = Stage()
    root, crowd = garden(stage)
    async with stage.playing(root) as tree:
        for id_ in ("juliet@capulet.example", "juliet@capulet.example/balcony", "juliet@capulet.example/"):
            crowd.start_child(stage.spec(id_))
        for slot in walk(tree.root):
            assert find(tree.root, slot.path) is slot
        inner = stage.slot("/inner")
        assert find(inner, "/inner/x") is not None
        assert find(inner, "/inner") is inner


@pytest.mark.parametrize("path", ["", "a", "/b", "/inner/z", "/innerx", "/a/b", "/inner/x/y", "//a"])
async def test_find_of_a_path_that_nothing_has_returns_none(path: str) -> None:
    stage = Stage()
    root, _ = garden(stage)
    async with stage.playing(root) as tree:
        assert find(tree.root, path) is None
        assert find(stage.slot("/inner"), "/a") is None


async def test_root_that_exceeds_its_intensity_ends_run_with_the_reason_and_a_report() -> None:
    stage = Stage()
    inner = supervisor_spec("inner", [stage.spec("x")], intensity=Intensity(1, 5.0))
    async with stage.supervising(stage.spec("a"), inner, intensity=Intensity(1, 60.0)):
        for _ in range(4):
            await stage.end("/inner/x", CRASH)
    assert stage.ended == REACHED_MAX_RESTART_INTENSITY
    assert stage.reported(IntensityReached) == [
        IntensityReached("/inner", 1, 5.0),
        IntensityReached("/inner", 1, 5.0),
        IntensityReached("/", 1, 60.0),
    ]
    assert stage.log[-1] == "-a"


async def test_run_returns_why_the_root_ended() -> None:
    stage = Stage()
    tree = stage.tree = Tree(supervisor_spec("root", [stage.spec("a")]), stage.runtime)
    tree.root.on_close(lambda slot, reason: stage.log.append(f"{slot.path} {reason}"))
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        tree.root.ref.stop(Shutdown("enough"))
    assert stage.log == ["+a", "-a", "/ Shutdown(why='enough')"]


async def test_run_announces_the_start_after_all_inits(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.behaviour("a").init = stage.behaviour("b").init = lasting(5)
    tree = Tree(supervisor_spec("root", [stage.spec("a"), stage.spec("b")]), stage.runtime)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.run)
        await tree.wait_started()
        assert trio.current_time() == pytest.approx(10)
        tree.root.ref.stop(Normal())


async def test_run_of_a_tree_that_does_not_start_returns_the_reason() -> None:
    stage = Stage()
    stage.behaviour("a").init = fail_init
    reason = await Tree(supervisor_spec("root", [stage.spec("a")]), stage.runtime).run()
    assert isinstance(reason, Crashed)


async def test_run_that_is_cancelled_answers_and_tells_everybody(autojump_clock: MockClock) -> None:
    stage = Stage()
    tree = stage.tree = Tree(supervisor_spec("root", [stage.spec("a")]), stage.runtime)
    async with trio.open_nursery() as outer:

        @outer.start_soon
        async def ask() -> None:
            await wait_all_tasks_blocked()
            with pytest.raises(ActorCrashed, match="/a has ended"):
                await stage.ref("/a").call(Ask, deadline_seconds=1e9)

        async with trio.open_nursery() as nursery:
            await nursery.start(tree.run)
            stage.ref("/a").cast(Sleep(2))
            stage.ref("/a").cast(Finish(Normal()))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert tree.root.status is Status.CLOSED


async def test_run_that_is_cancelled_while_it_starts_stops_what_had_started(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    stage.behaviour("b").init = hang
    tree = Tree(supervisor_spec("root", [stage.spec("a"), stage.spec("b", grace_seconds=2)]), stage.runtime)
    with trio.move_on_after(1):
        await tree.run()
    assert trio.current_time() == pytest.approx(3)
    assert stage.log == ["+a", "-a"]


async def test_root_that_is_killed_is_reported() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a", Restart.TEMPORARY)):
        await stage.kill("/")
    assert stage.ended == Killed()
    assert stage.reported(ChildTerminated)[-1].path == "/"
