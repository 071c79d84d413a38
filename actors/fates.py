"""What became of messages: a bounded journal in memory, from which `trouper why` answers.

Whoever decides, keeps, writes or refuses a message notes it here, as one tuple at the end of a ring: no text
is made, no stanza held on to, no body kept. What belongs together is found when somebody asks
(`fate_stories`). There is one journal per server; it begins anew with each process.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum, unique
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, final

from protocols.namespaces import STANZAS
from protocols.stanza import StanzaKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocols.jid import JID
    from protocols.stanza import Stanza

SHORT_BYTES_MAX: Final = 1_024
"""A message no longer than this has no address or id that is too long to be kept as it is."""
TEXT_CHARACTERS_MAX: Final = 256
"""What is kept of each address and of the id of a longer one; no real account's name is as long.

So an event is some 3 KB at most; with addresses and ids as people have them it is 0.3 KB.
"""

_MESSAGE: Final = StanzaKind.MESSAGE
_CONDITION: Final = re.compile(rb"<(?!text\s)([a-z-]{1,64})\s[^<>]*" + re.escape(STANZAS.encode()))


@unique
class MessageFate(Enum):
    """What can happen to a message; the value is its name for programs.

    - `ACCEPTED`: taken from a client, whose stream counts it as `number` if it counts
    - `REFUSED`: answered with an error by this server (`detail`: the condition)
    - `BOUNCED`: an error about it was written to `resource`, its sender (`detail`: the condition)
    - `QUEUED`: given to the database, which has not answered yet
    - `LOGGED`: in the recipient's log under `seq`, for sessions that are there (`detail`: its stanza id)
    - `STORED`: the same, for whoever logs in next
    - `DELIVERED`: written to `resource`, as `number` of its stream if that counts
    - `ACKNOWLEDGED`: `resource` says it has it
    - `RETURNED`: the session of `resource` ended without saying so; it is to be delivered anew
    - `SET_ASIDE`: it made an actor fail (`detail`: with which error)
    - `RESENT`: its sender sent it again, and it met its own record under `seq`
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BOUNCED = "bounced"
    QUEUED = "queued"
    LOGGED = "logged"
    STORED = "stored"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    SET_ASIDE = "set aside"
    RESENT = "resent"


_OF_ERRORS: Final = {MessageFate.REFUSED: MessageFate.REFUSED, MessageFate.DELIVERED: MessageFate.BOUNCED}
"""What an event of an error means for the message that it answers."""


@final
class FateEvent(NamedTuple):
    """One thing that happened.

    Attributes:
        at_ms: When, in milliseconds since 1970.
        fate: What.
        sender: The full JID of the message's sender; '' where the event is about all that a stream was given.
        to: The JID it was sent to, '' likewise.
        id: Its `id`, if it has one.
        resource: The full JID of the session concerned, '' where there is none.
        session: The id of that session's stream management (a secret of its client's), where it is managed.
        number: Its number on that stream; of an acknowledgement of all up to one, that one.
        seq: Its number in the recipient's log.
        detail: What else there is to say, in words of ours; see `MessageFate`.
    """

    at_ms: int
    fate: MessageFate
    sender: str
    to: str
    id: str | None
    resource: str
    session: str | None
    number: int | None
    seq: int | None
    detail: str | None


# Of texts and numbers only: the collector soon knows that such a tuple can hold nothing else, and looks at
# it no more.
RawEvent: TypeAlias = tuple[
    int, str, str, str, str | None, str, str | None, int | None, int | None, str | None
]
"""A `FateEvent` before anybody asks, made in half the time; its fate is named by its value."""

_FATES: Final = {fate.value: fate for fate in MessageFate}
_ACKNOWLEDGED: Final = MessageFate.ACKNOWLEDGED.value


@final
class FateLog:
    """The journal.

    Args:
        events_max: How many events are kept; the oldest give way. None with 0.
        now_ms: Milliseconds since 1970.
    """

    __slots__ = ("_append", "_began_ms", "_events", "_now_ms", "is_on")

    def __init__(self, events_max: int, now_ms: Callable[[], int]) -> None:
        self._events: deque[RawEvent] = deque(maxlen=events_max)
        self._append = self._events.append
        self._now_ms = now_ms
        self._began_ms = now_ms()
        self.is_on = events_max > 0

    def note(
        self,
        fate: MessageFate,
        stanza: Stanza,
        resource: JID | None = None,
        session: str | None = None,
        number: int | None = None,
        seq: int | None = None,
        detail: str | None = None,
    ) -> None:
        """Note what happened to a stanza; only messages are kept. For the arguments see `FateEvent`.

        A message of type error is no message of its own: that the server made it says that the one it answers
        was refused, that it was delivered that this one bounced, and nothing else about it is kept.
        """
        if stanza.kind is not _MESSAGE:
            return
        sender, to = stanza.sender, stanza.to
        if sender is None or to is None or stanza.type == "error" or len(stanza.data) > SHORT_BYTES_MAX:
            self._note_rare(fate, stanza, resource, session, number, seq, detail)
            return
        self._append(
            (
                self._now_ms(),
                fate._value_,
                sender.full,
                to.full,
                stanza.id,
                "" if resource is None else resource.full,
                session,
                number,
                seq,
                detail,
            )
        )

    def _note_rare(
        self,
        fate: MessageFate,
        stanza: Stanza,
        resource: JID | None,
        session: str | None,
        number: int | None,
        seq: int | None,
        detail: str | None,
    ) -> None:
        """The same for what is an error, or may have texts that are too long."""
        sender = "" if stanza.sender is None else cut(stanza.sender.full)
        to = "" if stanza.to is None else cut(stanza.to.full)
        if stanza.type == "error":
            if fate not in _OF_ERRORS:
                return
            fate, sender, to, detail = _OF_ERRORS[fate], to, sender, _condition(stanza.data)
        id_ = None if stanza.id is None else cut(stanza.id)
        at = "" if resource is None else resource.full
        self._append((self._now_ms(), fate.value, sender, to, id_, at, session, number, seq, detail))

    def note_set_aside(self, stanza: Stanza, sender: JID | None, error: BaseException) -> None:
        """Note that a message made an actor fail; from `sender`, where it says so nowhere itself."""
        sender = stanza.sender or sender
        if stanza.kind is not _MESSAGE or stanza.to is None or sender is None or stanza.type == "error":
            return
        detail = type(error).__name__
        to, id_ = cut(stanza.to.full), None if stanza.id is None else cut(stanza.id)
        fate = MessageFate.SET_ASIDE.value
        self._append((self._now_ms(), fate, cut(sender.full), to, id_, "", None, None, None, detail))

    def note_acknowledged(self, resource: JID, session: str, up_to: int) -> None:
        """Note that a session's client has everything written to it up to this number of its stream."""
        self._append((self._now_ms(), _ACKNOWLEDGED, "", "", None, resource.full, session, up_to, None, None))

    def note_returned(self, resource: JID, session: str) -> None:
        """Note that a session ended; what was written to it and never acknowledged is delivered anew."""
        self._append(
            (
                self._now_ms(),
                MessageFate.RETURNED.value,
                "",
                "",
                None,
                resource.full,
                session,
                None,
                None,
                None,
            )
        )

    @property
    def since_ms(self) -> int:
        """From when on everything is known."""
        events = self._events
        return events[0][0] if events and len(events) == events.maxlen else self._began_ms

    def snapshot(self) -> list[RawEvent]:
        """What is known, oldest first: a copy made in a moment, for a thread to look through."""
        return list(self._events)


def as_event(raw: RawEvent) -> FateEvent:
    """What happened, with names."""
    return FateEvent(raw[0], _FATES[raw[1]], *raw[2:])


def cut(text: str) -> str:
    """As much of a text as is kept."""
    return text[:TEXT_CHARACTERS_MAX]


def _condition(data: bytes) -> str | None:
    """The condition in a stanza of type error, whose payload may be anybody's; None if it has none."""
    found = _CONDITION.search(data)
    return None if found is None else found[1].decode("ascii")
