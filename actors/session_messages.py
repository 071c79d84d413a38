"""What a session actor is told; the actor that handles these is in `session`.

These are made for every stanza, hence plain named tuples.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from actors.connection_messages import ConnectionMessage
    from actors.ledger import Parcel
    from actors.offline_queue import Waiting
    from actors.outlet import Outlet
    from protocols.conditions import StanzaCondition, StreamCondition
    from protocols.errors import StanzaError
    from protocols.jid import JID
    from protocols.stanza import Stanza
    from protocols.stream_events import ElementReceived
    from supervision.ref import Ref
    from supervision.reply import Reply


@final
class FromClient(NamedTuple):
    """A stanza that the session's own client sent, and by which of the session's connections.

    `fault` is what the stream found wrong with it; it counts all the same.
    """

    stanza: Stanza
    via: int = 0
    fault: StanzaError | None = None


@final
class NonzaFromClient(NamedTuple):
    """An element of stream management that the client sent (XEP-0198)."""

    element: ElementReceived
    via: int = 0


@final
class Deliver(NamedTuple):
    """A stanza for the session's client.

    Where other resources of its user get it as well, `parcel` is what they have in common.
    """

    stanza: Stanza
    parcel: Parcel | None = None


@final
class DeliverIfDirected(NamedTuple):
    """A request from somebody who may see no presence of the user's, unless this session sent it some."""

    stanza: Stanza


@final
class HandedOver(NamedTuple):
    """Messages from the offline queue, which leave it when the client has them.

    Each is a parcel that the session owes from the moment this is posted, so that nobody hands it over again.
    """

    messages: tuple[Waiting, ...]
    parcels: tuple[Parcel, ...]


@final
class RosterKnown(NamedTuple):
    """With what was delivered last the client knows this version of the roster."""

    version: int


@final
class NoteKept(NamedTuple):
    """The account's actor wants the session to keep this, or no longer, for when it is resumed."""

    key: str
    value: str | None


@final
class StreamEnded(NamedTuple):
    """The stream over this one of the session's connections has ended.

    Everything the client sent before is in the mailbox before. `is_clean` if the client closed it, which ends
    its session as well (XEP-0198 §7).
    """

    via: int = 0
    is_clean: bool = True


@final
class CloseStream(NamedTuple):
    """End the client's stream with this error; and the session with it, unless that `may_resume`."""

    condition: StreamCondition
    text: str = ""
    detail: bytes = b""
    may_resume: bool = False


@final
class Drained(NamedTuple):
    """The client has read what was waiting for it."""


@final
class StillCongested(NamedTuple):
    """Time is up for a client that does not read what is waiting for it."""


@final
class ResumeAccepted(NamedTuple):
    """The session goes on over the new connection, as its `via`."""

    jid: JID
    session: Ref[SessionMessage]
    via: int


@final
class ResumeRefused(NamedTuple):
    """There is nothing to go on with; `h` is what was handled of it, where that is known."""

    condition: StanzaCondition
    h: int | None = None


@final
class ResumeTooHigh(NamedTuple):
    """The client has handled more than it was sent."""

    h: int
    sent: int


ResumeOutcome = ResumeAccepted | ResumeRefused | ResumeTooHigh


@final
class Resume(NamedTuple):
    """The session's client is back over a new connection, and has handled `h` stanzas (XEP-0198 §5)."""

    h: int
    connection: Ref[ConnectionMessage]
    outlet: Outlet
    reply: Reply[ResumeOutcome]


class SaveOutcome(Enum):
    """What has become of a session's document."""

    JOURNALED = auto()
    NOT_NOW = auto()  # there was no room for it
    NEVER = auto()  # as it is


@final
class SessionSaved(NamedTuple):
    """The session's document, of this stream and with this counter and mark, has been journaled, or not."""

    sm_id: str
    counter: int
    epoch: int
    outcome: SaveOutcome


@final
class SaveDue(NamedTuple):
    """It is time to write the session's document again, for which there was no room."""


@final
class HoldOver(NamedTuple):
    """A client has waited long enough: for its stream to be managed, or for what it had sent to be safe."""


@final
class PatienceOver(NamedTuple):
    """A client that had more than its bound unacknowledged has had time to acknowledge some.

    It had acknowledged `acked` then, and had been written something if it `was_written_to`.
    """

    acked: int
    was_written_to: bool


@final
class AckDue(NamedTuple):
    """It is time to ask the client what it has handled."""


@final
class HibernationOver(NamedTuple):
    """The client has not come back in time."""


ManagementMessage = (
    NonzaFromClient
    | HandedOver
    | RosterKnown
    | NoteKept
    | Resume
    | SessionSaved
    | SaveDue
    | HoldOver
    | PatienceOver
    | AckDue
    | HibernationOver
)

SessionMessage = (
    FromClient
    | Deliver
    | DeliverIfDirected
    | StreamEnded
    | CloseStream
    | Drained
    | StillCongested
    | ManagementMessage
)
