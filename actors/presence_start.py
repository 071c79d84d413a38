"""How a user's presence actor begins, and what becomes of what it did not come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors import routing
from actors.presence import STORE_AWAY, Presence
from actors.presence_messages import OwnMessage, PassOn, Routed
from actors.presence_state import PresenceState
from protocols.stanza import StanzaKind
from supervision.child_spec import ChildSpec, Restart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_messages import PresenceMessage
    from actors.server import Server
    from protocols.jid import JID
    from supervision.slot import Slot

MESSAGES_MAX: Final = 5_000
"""Messages that may wait; a log-in with a thousand contacts brings as many probes at once."""


def start_presence(server: Server, jid: JID) -> Slot[PresenceMessage]:
    """Start the presence actor of a user and note it in the directory.

    Raises:
        NotAcceptingError: the server has its maximum of users at work, or is stopping.
    """
    bare = jid.bare_jid

    spec = ChildSpec(
        f"{bare.bare}#{server.next_number()}",
        lambda slot: Presence(slot, server),
        Restart.TRANSIENT,
        messages_max=MESSAGES_MAX,
        abandoned=lambda left: _abandoned(server, left),
    )
    slot = server.users.start_child(spec)
    slot.keep(lambda: PresenceState(bare))
    slot.on_close(lambda ended, _reason: server.directory.presence_ended(bare.bare, ended.ref))
    server.directory.entry(bare.bare).presence = slot.ref
    return slot


def _abandoned(server: Server, left: Sequence[PresenceMessage]) -> None:
    """What the actor did not come to is refused for now; nothing vanishes in silence."""
    for message in left:
        if isinstance(message, PassOn):
            routing.send(server, message.stanza)
        elif isinstance(message, Routed) and message.stanza.kind is not StanzaKind.PRESENCE:
            routing.send_back(server, message.stanza, STORE_AWAY)
        if isinstance(message, Routed | OwnMessage) and message.stanza.receipt is not None:
            message.stanza.receipt.release()
