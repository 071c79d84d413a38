"""References: cast, call, tell, signal, stop and kill, before, between and after incarnations."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.child_spec import Restart
from supervision.exit_reason import Normal, Shutdown
from supervision.reply import ActorCrashed, DeadlineExceeded, MailboxFull, Reply
from supervision.slot import Status
from supervision.supervisor import supervisor_spec
from tests.supervision.stage import Ask, Finish, Note, Raise, Sleep, Stage, fail_init, hang, lasting

BROKEN = ValueError("broken")


async def test_call_returns_the_answer() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        assert await stage.ref("/a").call(Ask) == 1


async def test_call_of_an_actor_that_dies_of_it_raises_actor_crashed() -> None:
    """The caller does not wait for its deadline, let alone for ever."""
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        with pytest.raises(ActorCrashed, match="died of this request: crashed: ValueError: broken") as caught:
            await stage.ref("/a").call(lambda reply: Raise(BROKEN, reply), deadline_seconds=1e9)
        assert caught.value.__cause__ is BROKEN
        assert await stage.ref("/a").call(Ask) == 2


async def test_call_of_a_temporary_actor_that_dies_of_it_raises_actor_crashed() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a", Restart.TEMPORARY)):
        with pytest.raises(ActorCrashed, match="/a has ended: crashed: ValueError: broken"):
            await stage.ref("/a").call(lambda reply: Raise(BROKEN, reply), deadline_seconds=1e9)


async def test_call_behind_one_that_kills_the_actor_is_answered_by_the_next_incarnation() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Raise(BROKEN))
        assert await stage.ref("/a").call(Ask) == 2


async def test_call_behind_an_end_for_good_raises_actor_crashed() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a", Restart.TRANSIENT)):
        stage.ref("/a").cast(Finish(Normal()))
        with pytest.raises(ActorCrashed, match="/a has ended: normal"):
            await stage.ref("/a").call(Ask)


async def test_call_during_a_restart_waits_for_it(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.behaviour("a").init = lasting(3)
        await stage.kill("/a")
        assert stage.slot("/a").status is Status.STARTING
        assert await stage.ref("/a").call(Ask) == 2
        assert trio.current_time() == pytest.approx(3)


async def test_call_whose_deadline_passes_raises_and_the_late_reply_is_dropped(
    autojump_clock: MockClock,
) -> None:
    """Nor does the late reply hurt the actor that gives it."""
    stage = Stage()
    replies: list[Reply[int]] = []

    def build(reply: Reply[int]) -> Ask:
        replies.append(reply)
        return Ask(reply)

    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Sleep(20))
        with pytest.raises(DeadlineExceeded):
            await stage.ref("/a").call(build)
        assert trio.current_time() == pytest.approx(5)
        await trio.sleep(30)
        assert replies[0].is_filled
        assert stage.incarnations("a") == [1]


async def test_call_of_a_full_mailbox_raises_mailbox_full(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a", messages_max=1)):
        assert stage.ref("/a").cast(Sleep(1))
        with pytest.raises(MailboxFull, match="/a is full"):
            await stage.ref("/a").call(Ask)


async def test_call_of_a_slot_that_has_ended_raises_actor_crashed() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        ref = stage.ref("/a")
    with pytest.raises(ActorCrashed, match="/a has ended"):
        await ref.call(Ask)


async def test_call_that_is_cancelled_leaves_the_actor_alone(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Sleep(10))
        with trio.move_on_after(1):
            await stage.ref("/a").call(Ask)
        await trio.sleep(20)
        assert stage.incarnations("a") == [1]


async def test_call_of_oneself_ends_with_the_deadline(autojump_clock: MockClock) -> None:
    """It is a mistake, as in Erlang, but not a deadlock: posting never waits."""
    stage = Stage()

    async def call_myself(slot: Any) -> None:
        with pytest.raises(DeadlineExceeded):
            await slot.ref.call(Ask)

    stage.behaviour("a").init = call_myself
    async with stage.supervising(stage.spec("a")):
        assert trio.current_time() == pytest.approx(5)
        assert await stage.ref("/a").call(Ask) == 1


async def test_call_in_a_circle_ends_with_the_deadline(autojump_clock: MockClock) -> None:
    stage = Stage()
    caught: list[DeadlineExceeded] = []

    async def call_next(slot: Any) -> None:
        try:
            await stage.ref(others[slot.spec.id]).call(Ask, deadline_seconds=deadlines[slot.spec.id])
        except DeadlineExceeded as error:
            caught.append(error)

    others, deadlines = {"a": "/other/b", "b": "/one/a"}, {"a": 5, "b": 6}
    one, other = supervisor_spec("one", [stage.spec("a")]), supervisor_spec("other", [stage.spec("b")])
    async with stage.supervising(one, other):
        stage.behaviour("a").init = stage.behaviour("b").init = call_next
        stage.ref("/one/a").kill()
        stage.ref("/other/b").kill()
        await trio.sleep(20)
        assert len(caught) == 1
        assert stage.incarnations("one/a", "other/b") == [2, 2]


async def test_cast_never_waits_and_says_whether_it_was_taken(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a", messages_max=2, bytes_max=100)):
        ref = stage.ref("/a")
        assert ref.cast(Sleep(1))
        await wait_all_tasks_blocked()
        assert not ref.cast(Note("heavy"), size=101)
        assert ref.cast(Note("b"))
        assert not ref.cast(Note("c"))
        assert ref.tell(Note("urgent"))
        await trio.sleep(2)
        assert stage.notes("/a") == ["slept 1", "urgent", "b"]


async def test_cast_from_an_actor_to_itself_is_taken() -> None:
    stage = Stage()

    async def note_myself(slot: Any) -> None:
        assert slot.ref.cast(Note("to myself"))

    stage.behaviour("a").init = note_myself
    async with stage.supervising(stage.spec("a")):
        assert stage.notes("/a") == ["to myself"]


async def test_stop_finishes_the_message_in_hand_and_no_other(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a", Restart.TRANSIENT)):
        notes = stage.notes("/a")
        stage.ref("/a").cast(Sleep(3))
        stage.ref("/a").cast(Note("never"))
        await wait_all_tasks_blocked()
        stage.ref("/a").stop(Shutdown())
        await trio.sleep(5)
        assert notes == ["slept 3"]
        assert not stage.is_there("/a")


async def test_kill_of_an_actor_between_incarnations_does_nothing() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a", Restart.TRANSIENT)):
        ref = stage.ref("/a")
        ref.stop(Normal())
        await wait_all_tasks_blocked()
        ref.kill()
        assert ref.slot.status is Status.CLOSED


async def test_kill_of_an_actor_that_starts_is_a_failed_start(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.behaviour("a").init = hang
        await stage.kill("/a")
        stage.behaviour("a").init = None
        await stage.kill("/a")
        assert stage.incarnations("a") == [3]


async def test_is_alive_is_true_between_incarnations(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a"), stage.spec("b")):
        stage.behaviour("a").init = hang
        await stage.kill("/a")
        assert stage.ref("/a").is_alive
        stage.behaviour("a").init = fail_init
        ref = stage.ref("/a")
    assert not ref.is_alive


async def test_reference_names_its_slot() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        assert repr(stage.ref("/a")) == "<Ref /a>"
        assert stage.ref("/a").slot is stage.slot("/a")
