"""The slot and the box around an incarnation: every end becomes a reason, nothing foreign is swallowed."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import BRUTAL_KILL, ChildSpec, Restart
from supervision.dynamic_supervisor import DynamicChildren
from supervision.exit_reason import Crashed, ExitReason, Killed, Normal, Shutdown
from supervision.reply import ActorCrashed, Reply
from supervision.report import ChildTerminated
from supervision.runtime import Runtime
from supervision.slot import Slot, Status, fail_reply
from supervision.supervisor import supervisor_spec
from supervision.tree import Tree
from tests.supervision.stage import (
    Ask,
    Finish,
    Message,
    Note,
    Stage,
    Worker,
    hang,
    refuse_to_die,
)

DONE = Finish(Normal())


def reasons(stage: Stage) -> list[ExitReason]:
    return [report.reason for report in stage.reported(ChildTerminated)]


async def clean_up_that_fails(_slot: Slot[Any]) -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise OSError("clean-up failed")


async def nursery_whose_clean_up_fails(_slot: Slot[Any]) -> None:
    """Raises a group that holds both the cancellation and the error."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await clean_up_that_fails(_slot)


@pytest.mark.parametrize("terminate", [clean_up_that_fails, nursery_whose_clean_up_fails])
async def test_killed_actor_whose_clean_up_fails_has_crashed(terminate: Any) -> None:
    """The error is kept, the cancellation is ours, and the supervisor notices nothing of either."""
    stage = Stage()
    stage.behaviour("a").terminate = terminate
    async with stage.supervising(stage.spec("a"), stage.spec("b")):
        await stage.end("/a", DONE)
        stage.ref("/a").kill()
        stage.behaviour("a").terminate = None
        await wait_all_tasks_blocked()
        assert stage.slot("/a").last_crash == "crashed: OSError: clean-up failed"
        assert stage.incarnations("a", "b") == [2, 1]


async def test_killed_actor_with_tasks_of_its_own_was_killed() -> None:
    stage = Stage()

    class Busy(Worker):
        async def run(self) -> ExitReason:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(trio.sleep_forever)
                return await super().run()

    async with stage.supervising(ChildSpec("a", lambda slot: Busy(slot, stage), grace_seconds=BRUTAL_KILL)):
        await stage.kill("/a")
        assert reasons(stage) == [Killed()]


async def test_group_of_errors_is_one_crash_with_one_reason() -> None:
    stage = Stage()

    async def raise_two(_slot: Slot[Any]) -> None:
        async with trio.open_nursery() as nursery:
            for error in (KeyError("x"), OSError("y")):
                nursery.start_soon(raise_it, error)

    async def raise_it(error: Exception) -> None:
        raise error

    stage.behaviour("a").terminate = raise_two
    async with stage.supervising(stage.spec("a", Restart.TRANSIENT), stage.spec("b")):
        await stage.end("/a", DONE)
        stage.behaviour("a").terminate = None
        (reason,) = reasons(stage)
        assert isinstance(reason, Crashed)
        assert isinstance(reason.error, ExceptionGroup)
        assert {type(error) for error in reason.error.exceptions} <= {KeyError, OSError}
        assert stage.incarnations("b") == [1]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("where", ["init", "decide", "in a nursery"])
async def test_interrupt_is_not_a_crash_and_ends_the_whole_tree(
    interrupt: BaseException, where: str, autojump_clock: MockClock
) -> None:
    """It belongs to whoever runs the tree, who gets it at once: nothing is swallowed and nothing hangs."""
    stage = Stage()

    class Interrupted(Worker):
        async def init(self) -> None:
            if where == "init":
                raise interrupt

        def decide(self, message: Message) -> Any:
            raise interrupt

        async def run(self) -> ExitReason:
            if where != "in a nursery":
                return await super().run()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                raise interrupt

    inner = supervisor_spec("inner", [stage.spec("x"), ChildSpec("a", lambda slot: Interrupted(slot, stage))])
    tree = stage.tree = Tree(supervisor_spec("root", [stage.spec("b"), inner]), stage.runtime)

    async def play() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.run)
            await wait_all_tasks_blocked()
            if where == "decide":
                stage.ref("/inner/a").cast(Note("bang"))
            await trio.sleep(100)

    with pytest.raises(BaseExceptionGroup) as caught:
        await play()
    assert caught.group_contains(type(interrupt))
    assert trio.current_time() == 0
    assert tree.root.status is Status.CLOSED
    assert not tree.root.is_live
    assert reasons(stage) == []


async def test_interrupt_in_a_child_of_a_dynamic_supervisor_closes_all_slots() -> None:
    stage = Stage()
    crowd = DynamicChildren("crowd", children_max=9)

    async def interrupt(_slot: Slot[Any]) -> None:
        raise KeyboardInterrupt

    stage.behaviour("bad").init = interrupt
    tree = Tree(supervisor_spec("root", [crowd.spec()]), stage.runtime)
    slots: list[Slot[Any]] = []

    async def play() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(tree.run)
            slots.extend(crowd.start_child(stage.spec(id_)) for id_ in ("good", "bad"))
            await trio.sleep(100)

    with pytest.raises(BaseExceptionGroup):
        await play()
    assert [slot.status for slot in slots] == [Status.CLOSED] * 2


async def test_wait_gone_wakes_everybody(autojump_clock: MockClock) -> None:
    stage = Stage()
    gone: list[str] = []

    async def wait(name: str, slot: Slot[Any]) -> None:
        await slot.wait_gone()
        gone.append(name)

    async with stage.supervising(stage.spec("a", Restart.TEMPORARY)), trio.open_nursery() as nursery:
        slot = stage.slot("/a")
        nursery.start_soon(wait, "one", slot)
        nursery.start_soon(wait, "two", slot)
        await wait_all_tasks_blocked()
        assert gone == []
        slot.ref.kill()
        await wait_all_tasks_blocked()
        assert sorted(gone) == ["one", "two"]
        await slot.wait_gone()


async def test_close_tells_watchers_in_order_once_and_drops_state() -> None:
    stage = Stage()
    slot: Slot[Any] = Slot(stage.spec("a"), None, stage.runtime)
    told: list[str] = []

    def first(_slot: Slot[Any], reason: ExitReason) -> None:
        told.append(f"first {reason}")

    slot.on_close(first)
    slot.on_close(lambda _slot, _reason: told.append("second"))
    slot.on_close(first)
    slot.keep(dict)
    slot.close(Normal())
    slot.close(Shutdown("again"))
    assert told == ["first Normal()", "second"]
    assert slot.state is None


async def test_on_close_that_is_taken_back_is_not_called() -> None:
    slot: Slot[Any] = Slot(Stage().spec("a"), None, Runtime(print))
    told: list[object] = []

    def tell(_slot: Slot[Any], reason: ExitReason) -> None:
        told.append(reason)

    slot.forget_on_close(tell)
    slot.on_close(tell)
    slot.forget_on_close(tell)
    slot.forget_on_close(tell)
    slot.close(Normal())
    assert told == []


async def test_on_close_of_a_closed_slot_is_called_at_once() -> None:
    slot: Slot[Any] = Slot(Stage().spec("a"), None, Runtime(print))
    slot.close(Normal())
    told: list[object] = []
    slot.on_close(lambda _slot, reason: told.append(reason))
    assert told == [Shutdown("had ended before")]


async def test_close_answers_calls_and_hands_over_what_was_left() -> None:
    stage = Stage()
    left: list[object] = []
    slot: Slot[Any] = Slot(stage.spec("a", abandoned=left.extend), None, stage.runtime)
    reply: Reply[int] = Reply()
    ask = Ask(reply)
    slot.ref.cast(Note("one"))
    slot.ref.cast(ask)
    slot.close(Crashed(ValueError("broken")))
    assert left == [Note("one"), ask]
    with pytest.raises(ActorCrashed, match="/ has ended: crashed: ValueError: broken"):
        await reply.wait(1)


async def test_retire_refuses_messages_and_tells_watchers_but_lets_the_actor_finish() -> None:
    stage = Stage()
    told: list[object] = []
    async with stage.supervising(stage.spec("a", Restart.TRANSIENT)):
        slot = stage.slot("/a")
        slot.on_close(lambda _slot, reason: told.append(reason))
        slot.ref.cast(Note("last"))
        slot.retire(Normal())
        assert not slot.ref.cast(Note("late"))
        assert told == [Normal()]
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["last"]
        slot.ref.stop(Shutdown())
        await wait_all_tasks_blocked()
        assert told == [Normal()]
        assert not stage.is_there("/a")


async def test_retired_child_of_a_fixed_supervisor_that_crashes_does_not_come_back() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.slot("/a").retire(Normal())
        await stage.kill("/a")
        assert not stage.is_there("/a")


async def test_zombie_that_outlives_its_slot_ends_quietly(autojump_clock: MockClock) -> None:
    """It refused to go, was reported, its slot was closed; its real end later is nobody's business."""
    stage = Stage()

    async def stubborn(_slot: Slot[Any]) -> None:
        await refuse_to_die(100)

    stage.behaviour("a").terminate = stubborn
    async with stage.supervising(stage.spec("a", grace_seconds=1)):
        slot = stage.slot("/a")
        assert await stage.remove("a")
        assert (slot.status, slot.is_live) == (Status.CLOSED, True)
        await trio.sleep(200)
        assert (slot.status, slot.is_live) == (Status.CLOSED, False)
    assert stage.ended == Normal()


async def test_begin_twice_is_a_mistake() -> None:
    """Two readers of one mailbox would lose messages."""
    stage = Stage()
    async with stage.supervising(stage.spec("a")), trio.open_nursery() as nursery:
        with pytest.raises(AssertionError, match="/a already lives"):
            stage.slot("/a").begin(nursery, lambda _slot, _reason: None)


async def test_keep_makes_state_once() -> None:
    slot: Slot[Any] = Slot(Stage().spec("a"), None, Runtime(print))
    made = slot.keep(list[int])
    assert slot.keep(list[int]) is made


async def test_kill_of_an_actor_that_has_just_begun_lets_it_go() -> None:
    """Before its task has run at all."""
    stage = Stage()
    stage.behaviour("a").init = hang
    ends: list[ExitReason] = []
    slot: Slot[Any] = Slot(stage.spec("a"), None, stage.runtime)
    async with trio.open_nursery() as nursery:
        slot.begin(nursery, lambda _slot, reason: ends.append(reason))
        slot.kill("too early")
    assert ends == [Killed("too early")]


def test_fail_reply_leaves_messages_without_a_reply_alone() -> None:
    fail_reply(Note("no reply"), ValueError())
    fail_reply(Finish(Normal()), ValueError())


async def test_fail_reply_passes_a_call_error_on_as_it_is() -> None:
    reply: Reply[int] = Reply()
    error = ActorCrashed("gone")
    fail_reply(Ask(reply), error)
    with pytest.raises(ActorCrashed) as caught:
        reply.result()
    assert caught.value is error


async def test_watcher_that_raises_keeps_nobody_else_from_being_told_or_answered() -> None:
    """It is a fault of ours and is raised; but no name stays, and no caller waits, because of it."""
    stage = Stage()
    slot: Slot[Any] = Slot(stage.spec("a"), None, stage.runtime)
    told: list[object] = []
    reply: Reply[int] = Reply()

    def trip(_slot: Slot[Any], _reason: ExitReason) -> None:
        raise RuntimeError("tripped")

    slot.on_close(trip)
    slot.on_close(lambda _slot, reason: told.append(reason))
    slot.ref.cast(Ask(reply))
    with pytest.raises(ExceptionGroup, match="watchers of / failed"):
        slot.close(Normal())
    assert told == [Normal()]
    assert reply.is_filled
    assert slot.state is None
