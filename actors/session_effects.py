"""What a session decides to do: the effects of its messages, carried out in `session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

from actors.management_effects import ManagementEffect
from actors.routing import RoutingEffect
from actors.session_messages import Deliver, Drained, HibernationOver, Resume

if TYPE_CHECKING:
    from actors.presence_messages import OwnMessage
    from actors.session_messages import CloseStream
    from protocols.jid import JID
    from protocols.stanza import Stanza


@final
class ToPresence(NamedTuple):
    """For the presence actor of the session's own user; `stanza` is what is answered if it cannot take it."""

    message: OwnMessage
    stanza: Stanza


@final
class Accepted(NamedTuple):
    """A message has been taken from the client; again, if it `is_resent`."""

    stanza: Stanza
    is_resent: bool = False


@final
class Say(NamedTuple):
    """For the client itself, past the mailbox."""

    stanza: Stanza


@final
class NoteDirected(NamedTuple):
    """Directed presence has gone to this address, or been taken back."""

    to: JID
    is_available: bool


@final
class AskToClose(NamedTuple):
    """The connection is to close the stream.

    Its `StreamEnded` ends the session, behind all that the client has sent.
    """

    close: CloseStream


@final
class LoseConnection(NamedTuple):
    """The stream is over; whether the session is, depends."""


@final
class Remember(NamedTuple):
    """The client has said this of itself, or asked or answered it."""

    stanza: Stanza


@final
class End(NamedTuple):
    """The session is over."""


SessionEffect = (
    RoutingEffect
    | Deliver
    | Say
    | Accepted
    | ToPresence
    | NoteDirected
    | AskToClose
    | LoseConnection
    | Remember
    | End
    | Drained
    | Resume
    | HibernationOver
    | ManagementEffect
)
