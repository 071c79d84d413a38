"""How a user's presence actor begins, and what becomes of what it did not come to.

One that is given up, or ends with its supervisor, leaves sessions behind that live on. What it knew of them
nobody else knows: its successor begins with that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors import routing
from actors.presence import Presence
from actors.presence_apply import RETRY_SECONDS
from actors.presence_messages import Announce, OwnMessage, OwnPresence, PassOn, QueueGrew, Routed
from actors.presence_routed import STORE_AWAY
from actors.presence_state import PresenceState, successor
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
        abandoned=lambda left: _abandoned(server, bare, left),
    )
    slot = server.users.start_child(spec)
    entry = server.directory.entry(bare.bare)
    former = server.former.pop(bare.bare, None)
    state = slot.keep(lambda: PresenceState(bare) if former is None else successor(former, entry.sessions))
    slot.on_close(lambda ended, _reason: _ended(server, bare, ended))
    entry.presence = slot.ref
    if former is not None:
        server.directory.publish(bare.bare, state.priorities)
        slot.ref.tell(QueueGrew())  # what came while nobody was known to be there
        for resource, said in state.kept.items():
            slot.send_after(RETRY_SECONDS, Announce(resource, said))
    return slot


def _ended(server: Server, bare: JID, slot: Slot[PresenceMessage]) -> None:
    entry = server.directory.users.get(bare.bare)
    if entry is not None and entry.presence is slot.ref and entry.sessions:
        assert isinstance(slot.state, PresenceState)
        server.former[bare.bare] = slot.state
    server.directory.presence_ended(bare.bare, slot.ref)


def _abandoned(server: Server, bare: JID, left: Sequence[PresenceMessage]) -> None:
    """What the actor did not come to is refused for now; nothing vanishes in silence.

    What clients announced is left to its successor: they would hardly say that again.
    """
    former = server.former.get(bare.bare)
    for message in left:
        if isinstance(message, OwnPresence) and former is not None and message.stanza.sender is not None:
            former.kept[message.stanza.sender.resourcepart or ""] = message
        elif isinstance(message, PassOn):
            routing.send(server, message.stanza)
        elif isinstance(message, Routed) and message.stanza.kind is not StanzaKind.PRESENCE:
            routing.send_back(server, message.stanza, STORE_AWAY)
        if isinstance(message, Routed | OwnMessage) and message.stanza.receipt is not None:
            message.stanza.receipt.release()
