"""What a session decides to do about its managed stream (XEP-0198); carried out in `managed_session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from actors.session_messages import (
    AckDue,
    HandedOver,
    HoldOver,
    NoteKept,
    PatienceOver,
    RosterKnown,
    SaveDue,
    SessionSaved,
)
from protocols.stream_queue import Fate

if TYPE_CHECKING:
    from actors.receipt import Receipt


class Count(NamedTuple):
    """Count a stanza of the client's; without a receipt it is dealt with when this turn is over.

    `look` is what tells it from others, where it may come again.
    """

    receipt: Receipt | None
    fate: Fate = Fate.DONE
    look: int | None = None


DONE: Final = Count(None)


class Repeat(NamedTuple):
    """The client has sent a stanza again that this session had received before, and could not know that."""


class Dealt(NamedTuple):
    """The session has nothing more to do about the stanza that was counted."""

    receipt: Receipt


class EnableStream(NamedTuple):
    """Manage the stream from here on; the client may be away for so long."""

    resume_seconds: float


class AnswerAckRequest(NamedTuple):
    """The client asks what is handled."""


ANSWER: Final = AnswerAckRequest()


class Acknowledged(NamedTuple):
    """The client says what it has handled."""

    h: int


class WriteNonza(NamedTuple):
    """Say something that is no stanza."""

    data: bytes


ManagementEffect = (
    Count
    | Repeat
    | Dealt
    | EnableStream
    | AnswerAckRequest
    | Acknowledged
    | WriteNonza
    | HandedOver
    | RosterKnown
    | NoteKept
    | SessionSaved
    | SaveDue
    | HoldOver
    | PatienceOver
    | AckDue
)
