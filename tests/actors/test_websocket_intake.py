"""Messages from a client are posted in batches, in order, and nothing is read while some could not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import trio
from trio.testing import wait_all_tasks_blocked

from actors.connection_messages import CarrierLost, CloseConnection, FrameReceived
from actors.websocket_intake import WebSocketIntake
from protocols.conditions import StreamCondition
from supervision.child_spec import ChildSpec
from supervision.exit_reason import Normal
from supervision.runtime import Runtime
from supervision.slot import Slot

if TYPE_CHECKING:
    from supervision.mailbox import Mailbox


def never(_slot: Slot[Any]) -> NoReturn:
    raise AssertionError("this actor is only written to")


class Stage:
    """An intake, and the mailbox it posts to, which nobody reads."""

    def __init__(self, messages_max: int = 100, bytes_max: int = 1_000) -> None:
        spec = ChildSpec("connection", never, messages_max=messages_max, bytes_max=bytes_max)
        self.slot: Slot[Any] = Slot(spec, None, Runtime(report=lambda _report: None))
        self.intake = WebSocketIntake()
        self.intake.begin(self.slot.ref)

    @property
    def mailbox(self) -> Mailbox[Any]:
        return self.slot.mailbox

    @property
    def texts(self) -> list[str]:
        """What waits in the mailbox."""
        return [_text(message) for message, _size in self.mailbox.queue]

    def handle(self, count: int) -> list[str]:
        """The actor handles so many messages."""
        texts = []
        for _ in range(count):
            texts.append(_text(self.mailbox.take()))
            self.mailbox.done()
        return texts


def _text(message: object) -> str:
    return message.data.decode() if isinstance(message, FrameReceived) else type(message).__name__


async def test_what_was_read_in_one_piece_is_posted_in_one_piece() -> None:
    stage = Stage()
    await stage.intake.before_reading()
    stage.intake.after_reading()
    stage.intake.add("a")
    stage.intake.add("b")
    assert stage.texts == []
    await stage.intake.before_reading()
    assert stage.texts == ["a", "b"]


async def test_last_message_that_comes_late_is_posted_at_once() -> None:
    """The library may be back at reading before its last message has been taken."""
    stage = Stage()
    await stage.intake.before_reading()
    stage.intake.add("ä")
    assert stage.texts == ["ä"]
    assert stage.mailbox.depth_bytes == 2


async def test_reading_waits_until_all_is_posted() -> None:
    stage = Stage(messages_max=2)
    for text in "abcde":
        stage.intake.add(text)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.intake.before_reading)
        await wait_all_tasks_blocked()
        assert stage.texts == ["a", "b"]
        assert stage.handle(1) == ["a"]
        assert stage.handle(1) == ["b"]
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        assert stage.handle(2) == ["c", "d"]
    assert stage.handle(1) == ["e"]
    await stage.intake.before_reading()


async def test_connection_that_has_ended_needs_no_more_messages() -> None:
    stage = Stage(messages_max=1)
    for text in "abc":
        stage.intake.add(text)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.intake.before_reading)
        await wait_all_tasks_blocked()
        stage.slot.close(Normal())
    stage.intake.add("d")
    stage.intake.end()
    await stage.intake.before_reading()


async def test_connection_that_does_not_accept_now_is_waited_for() -> None:
    stage = Stage()
    stage.mailbox.is_accepting = False
    await stage.intake.before_reading()
    stage.intake.add("a")
    assert stage.texts == []
    stage.mailbox.is_accepting = True
    assert stage.mailbox.on_room is not None
    stage.mailbox.on_room()
    assert stage.texts == ["a"]


async def test_end_is_told_behind_all_that_came() -> None:
    stage = Stage()
    stage.intake.add("a")
    stage.intake.end()
    assert stage.texts == ["a", "CarrierLost"]


async def test_excess_overtakes_what_waits() -> None:
    """The client is told at once, and that nothing more will be heard of it."""
    stage = Stage()
    stage.intake.add("a")
    stage.intake.excess()
    assert stage.mailbox.control is not None
    closing, lost = (message for message, _size in stage.mailbox.control)
    assert isinstance(closing, CloseConnection)
    assert closing.condition is StreamCondition.POLICY_VIOLATION
    assert lost == CarrierLost()


def test_excess_before_there_is_a_connection_concerns_nobody() -> None:
    WebSocketIntake().excess()
