"""Decide and apply, suspect messages, batches, and what a crash costs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervision.actor import BATCH_MAX, Actor
from supervision.child_spec import ChildSpec, Restart
from supervision.exit_reason import Crashed, ExitReason, Killed, Normal, Shutdown
from supervision.reply import ActorCrashed, CallError, DeadlineExceeded, MailboxFull, Reply
from supervision.report import ChildTerminated, MessageSetAside
from supervision.slot import Slot
from tests.supervision.stage import Ask, Message, Note, Raise, RaiseInApply, Sleep, Stage, Worker, hang

BROKEN = ValueError("broken")


class Scribe(Worker):
    """Collects in `apply`, writes in `flush`, and does with signals what the test says."""

    def __init__(self, slot: Slot[Message], stage: Stage, batches: list[list[str]]) -> None:
        super().__init__(slot, stage)
        self.batches = batches

    def flush(self) -> None:
        if self.notes.texts:
            self.batches.append(list(self.notes.texts))
            self.notes.texts.clear()


def scribe(stage: Stage, batches: list[list[str]], id_: str = "a") -> ChildSpec:
    return ChildSpec(id_, lambda slot: Scribe(slot, stage, batches))


async def test_decide_that_raises_changes_nothing_and_its_message_is_suspect_at_once() -> None:
    stage = Stage()
    poison = Raise(BROKEN)
    async with stage.supervising(stage.spec("a")):
        for message in (Note("one"), poison, Note("two")):
            stage.ref("/a").cast(message)
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["one", "two"]
        assert stage.incarnations("a") == [2]
        assert stage.reported(MessageSetAside) == [MessageSetAside("/a", poison, BROKEN)]
        assert stage.slot("/a").mailbox.attempts == 0


async def test_message_in_hand_at_a_kill_is_delivered_again(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Sleep(1))
        await stage.kill("/a")
        await trio.sleep(2)
        assert stage.notes("/a") == ["slept 1"]
        assert stage.reported(MessageSetAside) == []


async def test_message_in_hand_at_two_kills_is_suspect() -> None:
    stage = Stage()
    message = Sleep(1e9)
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(message)
        stage.ref("/a").cast(Note("behind"))
        await wait_all_tasks_blocked()
        await stage.kill("/a")
        await stage.kill("/a")
        assert stage.incarnations("a") == [3]
        (report,) = stage.reported(MessageSetAside)
        assert report.message is message
        assert "died 2 times with this message in hand" in str(report.error)
        assert stage.notes("/a") == ["behind"]


async def test_prepare_that_exceeds_its_deadline_is_a_crash_and_suspect_the_second_time(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Sleep(Worker.prepare_seconds_max + 1))
        await trio.sleep(Worker.prepare_seconds_max + 1)
        assert stage.incarnations("a") == [2]
        assert stage.reported(MessageSetAside) == []
        await trio.sleep(Worker.prepare_seconds_max + 1)
        assert stage.incarnations("a") == [3]
        (report,) = stage.reported(MessageSetAside)
        assert isinstance(report.error, ActorCrashed)


@pytest.mark.parametrize("error", [DeadlineExceeded("slow"), ActorCrashed("gone"), MailboxFull("full")])
async def test_message_that_met_another_actors_fault_is_delivered_again(error: CallError) -> None:
    """It is not to blame for the death, the first time."""
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Raise(error))
        await wait_all_tasks_blocked()
        assert stage.incarnations("a") == [3]
        (report,) = stage.reported(MessageSetAside)
        assert "died 2 times" in str(report.error)


async def test_message_that_was_not_in_hand_is_not_to_blame(autojump_clock: MockClock) -> None:
    """A message that waits for its second try is not suspect for what happens before that."""
    stage = Stage()

    async def trip_once(_slot: Slot[Any]) -> None:
        stage.behaviour("a").init = None
        raise OSError("tripped")

    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Sleep(1))
        await wait_all_tasks_blocked()
        stage.behaviour("a").init = trip_once
        await stage.kill("/a")
        assert stage.incarnations("a") == [3]
        await trio.sleep(2)
        assert stage.notes("/a") == ["slept 1"]


async def test_apply_that_raises_makes_the_next_incarnation_begin_anew() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        for message in (Note("one"), RaiseInApply(BROKEN), Note("two")):
            stage.ref("/a").cast(message)
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["two"]
        (terminated,) = stage.reported(ChildTerminated)
        assert terminated.reason == Crashed(BROKEN)
        (report,) = stage.reported(MessageSetAside)
        assert report.error is BROKEN


async def test_apply_that_raises_is_found_inside_the_group_of_a_nursery() -> None:
    stage = Stage()

    class WithNursery(Worker):
        async def run(self) -> Any:
            async with trio.open_nursery():
                return await super().run()

    async with stage.supervising(ChildSpec("a", lambda slot: WithNursery(slot, stage))):
        stage.ref("/a").cast(Note("one"))
        stage.ref("/a").cast(RaiseInApply(BROKEN))
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == []
        assert stage.slot("/a").last_crash == "crashed: ValueError: broken"


async def test_broken_may_keep_what_it_can() -> None:
    stage = Stage()

    class Frugal(Worker):
        def broken(self, error: BaseException) -> None:
            self.notes.texts.append(f"survived {error}")

    async with stage.supervising(ChildSpec("a", lambda slot: Frugal(slot, stage))):
        await stage.end("/a", RaiseInApply(BROKEN))
        assert stage.notes("/a") == ["survived broken"]


async def test_broken_that_raises_itself_is_part_of_the_crash() -> None:
    """It must not escape into the supervisor and take the siblings along."""
    stage = Stage()

    class Hopeless(Worker):
        def broken(self, _error: BaseException) -> None:
            raise KeyError("worse")

    async with stage.supervising(ChildSpec("a", lambda slot: Hopeless(slot, stage)), stage.spec("b")):
        stage.ref("/a").cast(Note("one"))
        await stage.end("/a", RaiseInApply(BROKEN))
        assert stage.incarnations("a", "b") == [2, 1]
        assert stage.notes("/a") == []
        (report,) = stage.reported(ChildTerminated)
        assert isinstance(report.reason, Crashed)
        assert isinstance(report.reason.error, ExceptionGroup)
        assert report.reason.error.exceptions[0] is BROKEN


class Fussy(Worker):
    """Its handling of suspect messages has faults of its own."""

    def set_aside(self, message: Message, error: BaseException) -> Sequence[Message]:
        assert isinstance(message, Raise)
        match str(message.error):
            case "note it":
                return (Note(f"aside: {error}"),)
            case "raise in apply":
                return (RaiseInApply(KeyError("worse")),)
            case _:
                raise KeyError("worse")


async def test_set_aside_returns_effects_that_are_applied() -> None:
    stage = Stage()
    async with stage.supervising(ChildSpec("a", lambda slot: Fussy(slot, stage))):
        await stage.end("/a", Raise(ValueError("note it")))
        assert stage.notes("/a") == ["aside: note it"]


@pytest.mark.parametrize(("text", "notes"), [("raise in apply", []), ("raise in set_aside", ["kept"])])
async def test_set_aside_that_fails_crashes_once_and_answers_the_caller(text: str, notes: list[str]) -> None:
    """The message is out of the mailbox by then, so nobody else would answer, and it cannot crash-loop."""
    stage = Stage()
    async with stage.supervising(ChildSpec("a", lambda slot: Fussy(slot, stage))):
        ref = stage.ref("/a")
        ref.cast(Note("kept"))
        with pytest.raises(ActorCrashed, match="died of this request"):
            await ref.call(lambda reply: Raise(ValueError(text), reply), deadline_seconds=1e9)
        assert await ref.call(Ask) == 3
        assert stage.notes("/a") == notes


async def test_flush_is_once_per_batch() -> None:
    stage, batches = Stage(), list[list[str]]()
    async with stage.supervising(scribe(stage, batches)):
        for text in ("a", "b", "c"):
            stage.ref("/a").cast(Note(text))
        await wait_all_tasks_blocked()
        stage.ref("/a").cast(Note("d"))
        await wait_all_tasks_blocked()
        assert batches == [["a", "b", "c"], ["d"]]


async def test_flush_comes_with_the_next_incarnation_when_a_batch_was_cut_short() -> None:
    """What was applied before the crash must not wait for the next message."""
    stage, batches = Stage(), list[list[str]]()
    async with stage.supervising(scribe(stage, batches)):
        for message in (Note("a"), Note("b"), Raise(BROKEN)):
            stage.ref("/a").cast(message)
        await wait_all_tasks_blocked()
        assert batches == [["a", "b"]]


async def test_flush_comes_before_an_orderly_end() -> None:
    stage, batches = Stage(), list[list[str]]()
    async with stage.supervising(scribe(stage, batches)):
        stage.ref("/a").cast(Note("a"))
        stage.ref("/a").stop(Normal())
        await wait_all_tasks_blocked()
    assert batches == [["a"]]


async def test_flush_that_raises_is_a_crash_without_a_message_in_hand() -> None:
    stage = Stage()

    class Clumsy(Worker):
        def flush(self) -> None:
            if len(self.notes.texts) == 1:
                self.notes.texts.append("flushed")
                raise BROKEN

    async with stage.supervising(ChildSpec("a", lambda slot: Clumsy(slot, stage))):
        stage.ref("/a").cast(Note("one"))
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["one", "flushed"]
        assert stage.incarnations("a") == [2]
        assert [report.in_hand for report in stage.reported(ChildTerminated)] == [None]
        assert stage.reported(MessageSetAside) == []


async def test_batch_is_bounded_so_that_others_get_a_turn() -> None:
    """A mailbox that is never empty must not keep everybody else from running."""
    stage, batches = Stage(), list[list[str]]()
    async with stage.supervising(scribe(stage, batches)):
        for number in range(3 * BATCH_MAX):
            stage.ref("/a").cast(Note(str(number)))
        sizes = []
        while stage.slot("/a").mailbox.queue:
            await trio.lowlevel.checkpoint()
            sizes.append(len(batches))
        assert [len(batch) for batch in batches] == [BATCH_MAX] * 3
        assert {1, 2} & set(sizes)


async def test_actor_that_makes_work_for_itself_lets_others_run() -> None:
    """Be it in `flush`, where no bound on messages would see it, or by signalling itself."""
    stage = Stage()
    rounds = 0

    class Restless(Worker):
        def flush(self) -> None:
            nonlocal rounds
            if self.notes.texts:
                rounds += 1
                self.mailbox.signal(1)

    async with stage.supervising(ChildSpec("a", lambda slot: Restless(slot, stage), grace_seconds=0)):
        stage.ref("/a").cast(Note("go"))
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        assert 2 <= rounds <= 20
    assert stage.ended == Normal()


class Signalled(Worker):
    """Notes the bits it is given, after an await in which it can be killed."""

    async def handle_signals(self, bits: int) -> None:
        if bits & 8:
            self.notes.texts.append("trip")
            if self.notes.texts.count("trip") == 1:
                raise BROKEN
        if bits & 4:
            await trio.sleep(1)
        self.notes.texts.append(f"bits {bits}")


def signalled(stage: Stage) -> ChildSpec:
    return ChildSpec("a", lambda slot: Signalled(slot, stage))


async def test_signals_are_handled_before_messages() -> None:
    stage = Stage()
    async with stage.supervising(signalled(stage)):
        stage.ref("/a").cast(Note("one"))
        stage.ref("/a").signal(1)
        stage.ref("/a").signal(2)
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["bits 3", "one"]


async def test_signals_are_not_lost_when_their_handling_is_killed(autojump_clock: MockClock) -> None:
    """A lost one would stall a client for ever."""
    stage = Stage()
    async with stage.supervising(signalled(stage)):
        stage.ref("/a").signal(5)
        await wait_all_tasks_blocked()
        await stage.kill("/a")
        await trio.sleep(2)
        assert stage.notes("/a") == ["bits 5"]
        assert stage.incarnations("a") == [2]


async def test_signals_are_not_lost_when_their_handling_crashes() -> None:
    stage = Stage()
    async with stage.supervising(signalled(stage)):
        stage.ref("/a").signal(9)
        await wait_all_tasks_blocked()
        assert stage.notes("/a") == ["trip", "trip", "bits 9"]


async def test_signal_that_comes_while_others_are_handled_is_handled_next(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(signalled(stage)):
        stage.ref("/a").signal(4)
        await wait_all_tasks_blocked()
        stage.ref("/a").signal(4)
        await trio.sleep(3)
        assert stage.notes("/a") == ["bits 4", "bits 4"]


async def test_control_message_overtakes_what_waits(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        for message in (Sleep(1), Note("one"), Note("two")):
            stage.ref("/a").cast(message)
        await wait_all_tasks_blocked()
        stage.ref("/a").tell(Note("urgent"))
        await trio.sleep(2)
        assert stage.notes("/a") == ["slept 1", "urgent", "one", "two"]


class Thorough(Scribe):
    """Leaves nothing undone."""

    async def terminate(self, reason: ExitReason) -> None:
        await self.handle_rest()
        await super().terminate(reason)


@pytest.mark.parametrize(("start", "written"), [(Thorough, ["one", "slept 1", "two"]), (Scribe, [])])
async def test_handle_rest_leaves_nothing_undone_at_an_orderly_end(
    start: type[Scribe], written: list[str], autojump_clock: MockClock
) -> None:
    """In order, with what must be awaited and the last flush; an actor that does not care stops at once."""
    stage, batches = Stage(), list[list[str]]()
    spec = ChildSpec("a", lambda slot: start(slot, stage, batches))
    async with stage.supervising(spec):
        slot = stage.slot("/a")
        slot.ref.stop(Shutdown())
        for message in (Note("one"), Sleep(1), Note("two")):
            slot.ref.cast(message)
    assert [text for batch in batches for text in batch] == written
    assert slot.handled == len(written)


async def test_handled_counts_every_message_also_when_the_batch_ends_in_a_crash() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        for message in (Note("a"), Note("b"), Raise(BROKEN), Note("c")):
            stage.ref("/a").cast(message)
        await wait_all_tasks_blocked()
        assert stage.slot("/a").handled == 3


async def test_init_that_hangs_can_be_killed() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.behaviour("a").init = hang
        await stage.kill("/a")
        stage.behaviour("a").init = None
        await stage.kill("/a")
        assert stage.slot("/a").last_crash == "killed: killed"
        assert await stage.ref("/a").call(Ask) == 3


class Ping(NamedTuple):
    reply: Reply[str]


async def test_actor_needs_no_more_than_decide_and_apply() -> None:
    class Pong(Actor[Ping, Ping]):
        def decide(self, message: Ping) -> Sequence[Ping]:
            return (message,)

        def apply(self, effects: Sequence[Ping]) -> None:
            for effect in effects:
                effect.reply.set("pong")

    stage = Stage()
    async with stage.supervising(ChildSpec("pong", Pong)):
        assert await stage.ref("/pong").call(Ping) == "pong"


async def test_actor_without_a_decide_crashes_of_its_first_message() -> None:
    stage = Stage()
    async with stage.supervising(ChildSpec("empty", Actor, Restart.TEMPORARY)):
        with pytest.raises(ActorCrashed, match="NotImplementedError"):
            await stage.ref("/empty").call(Ask)


async def test_actor_without_an_apply_crashes_of_its_first_effect() -> None:
    class Half(Actor[Ask, Ask]):
        def decide(self, message: Ask) -> Sequence[Ask]:
            return (message,)

    stage = Stage()
    async with stage.supervising(ChildSpec("half", Half, Restart.TEMPORARY)):
        with pytest.raises(ActorCrashed, match="NotImplementedError"):
            await stage.ref("/half").call(Ask)


async def test_prepare_by_default_changes_nothing() -> None:
    class Plain(Worker):
        async def prepare(self, message: Message) -> Message:
            return await Actor.prepare(self, message)

    stage = Stage()
    async with stage.supervising(ChildSpec("a", lambda slot: Plain(slot, stage))):
        await stage.end("/a", Sleep(1))
        assert stage.slot("/a").handled == 1
        assert stage.ref("/a").slot.last_crash is None


async def test_killed_actor_was_killed_even_if_it_had_handled_messages() -> None:
    stage = Stage()
    async with stage.supervising(stage.spec("a")):
        stage.ref("/a").cast(Note("one"))
        await wait_all_tasks_blocked()
        stage.ref("/a").kill("for the test")
        await wait_all_tasks_blocked()
        (report,) = stage.reported(ChildTerminated)
        assert report == ChildTerminated("/a", 1, Killed("for the test"), None, will_restart=True)


async def test_retired_actor_ends_with_its_queue_empty_and_its_names_gone() -> None:
    """Passivation is one synchronous step: what was posted before is refused or handled, never lost."""
    stage = Stage()
    told: list[object] = []

    class Passive(Worker):
        def apply(self, effects: Sequence[Message]) -> None:
            super().apply(effects)
            self.retire()
            told.append((self.ref.is_alive, self.ref.cast(Note("late"))))

    spec = ChildSpec("a", lambda slot: Passive(slot, stage), Restart.TRANSIENT)
    async with stage.supervising(spec):
        slot = stage.slot("/a")
        slot.on_close(lambda _slot, reason: told.append(reason))
        slot.ref.cast(Note("one"))
        await wait_all_tasks_blocked()
        assert told == [Normal(), (False, False)]
        assert not stage.is_there("/a")
