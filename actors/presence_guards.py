"""A user's gates: made of what its presence actor knows, published, and made good when they change.

Used by the presence actor. Who may see the user's presence no longer is told that nobody is there, and who
may again is told who is (XEP-0016 §2.11, XEP-0191 §3.3, §3.4); the same for what the user's clients see
(XEP-0016 §2.10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import routing
from actors.gates import Passage, incoming_fault, is_exempt, outgoing_fault
from actors.presence_effects import Send, SendToSession
from actors.presence_rules import nobody_there, probe, subscribed_to, subscribers
from actors.session_state import SessionState
from protocols.jid import JID
from protocols.stanza import StanzaKind, build_presence, readdressed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from actors.gates import Guards
    from actors.presence_state import OwnResource, PresenceState
    from actors.server import Server
    from protocols.stanza import Stanza
    from store.users import User


def publish_guards(server: Server, state: PresenceState) -> None:
    """Have everybody ask the user's guards; while its document must be read anew, those are not known."""
    known = state.guards if state.is_loaded else server.modules.unknown_guards
    server.directory.publish_guards(state.jid.bare, known)


def renew_guards(server: Server, state: PresenceState) -> None:
    """Make the guards anew: the user's document, or what a session keeps, has changed."""
    state.guards = server.modules.guards_of(state)
    publish_guards(server, state)


def make_good(server: Server, state: PresenceState, user: User | None, guards: Guards | None) -> None:
    """Tell everybody what they see otherwise since these were the user's document and guards.

    Who has come to be a contact since then, or is none any more, has been told by the rules of subscription.
    """
    if user is None or state.user is None or (guards is None and state.guards is None):
        return
    for effect in changes(state, user, guards):
        if isinstance(effect, Send):
            routing.send(server, effect.stanza)
        else:
            routing.carry_out(server, routing.ToSession(*effect))


def changes(state: PresenceState, user: User, before: Guards | None) -> Iterator[Send | SendToSession]:
    """See `make_good`."""
    assert state.user is not None
    watching = set(subscribers(user)) & set(subscribers(state.user))
    watched = set(subscribed_to(user)) & set(subscribed_to(state.user))
    for resource, own in state.resources.items():
        jid = JID(state.jid.localpart, state.jid.domainpart, resource)
        told = watching if own.presence is not None else set[JID]()
        yield from _shown(state, jid, own, told, before)
        if own.presence is not None:
            yield from _seen(state, jid, own, watched, before)


def _shown(
    state: PresenceState, jid: JID, own: OwnResource, contacts: Collection[JID], before: Guards | None
) -> Iterator[Send]:
    """For those who get a resource's presence, or were sent it."""
    session = own.session.slot.state
    directed = session.directed if isinstance(session, SessionState) else set[JID]()
    others = [each for each in directed if each.bare_jid not in contacts]
    gone = build_presence(to=None, sender=jid, type="unavailable")
    for peer in sorted((*contacts, *others), key=str):
        passage = Passage(gone, peer, is_outgoing=True, resource=jid.resourcepart)
        was, may = (_passes(state, guards, passage) for guards in (before, state.guards))
        if was and not may:
            yield Send(readdressed(gone, jid, peer))
        elif may and not was and peer in contacts and own.presence is not None:
            yield Send(readdressed(own.presence, jid, peer))


def _seen(
    state: PresenceState, jid: JID, own: OwnResource, contacts: Collection[JID], before: Guards | None
) -> Iterator[Send | SendToSession]:
    """For a resource that gets its contacts' presence; what it is told of them comes from its own account."""
    for peer in sorted(contacts, key=str):
        gone = nobody_there(peer, jid)
        passage = Passage(gone, peer, is_outgoing=False, resource=jid.resourcepart)
        was, may = (_passes(state, guards, passage) for guards in (before, state.guards))
        if was and not may:
            yield SendToSession(own.session, gone)
        elif may and not was:
            yield Send(probe(jid, peer))


def _passes(state: PresenceState, guards: Guards | None, passage: Passage) -> bool:
    return guards is None or is_exempt(state.jid.bare, passage.peer) or guards.fault(passage) is None


def may_be_shown(state: PresenceState, stanza: Stanza) -> bool:
    """Whether a stanza in the user's name may go to whom it is for, if it is the presence of a resource."""
    sender, to = stanza.sender, stanza.to
    if stanza.kind is not StanzaKind.PRESENCE or stanza.type not in {"", "unavailable", "probe"}:
        return True
    if to is None or sender is None or sender.bare != state.jid.bare:
        return True
    return outgoing_fault(state.jid.bare, state.guards, stanza) is None


def may_reach(state: PresenceState, stanza: Stanza, resource: str | None) -> bool:
    """Whether a stanza may reach a resource of the user, or the account itself."""
    return incoming_fault(state.jid.bare, state.guards, stanza, resource) is None


def may_pass(state: PresenceState, stanza: Stanza) -> bool:
    """Whether a stanza may pass: from the user where it is the sender, else to the account."""
    if stanza.sender is not None and stanza.sender.bare == state.jid.bare:
        return outgoing_fault(state.jid.bare, state.guards, stanza) is None
    return may_reach(state, stanza, None)
