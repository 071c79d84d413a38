"""What a user's presence causes, as pure functions from state to effects (RFC 6121 §4).

Used by the presence actor. Nothing here waits or changes anything; effects are carried out in their order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from actors.presence_effects import (
    DropResource,
    NoteResource,
    PresenceEffect,
    Publish,
    SaveUser,
    Send,
    SendToSession,
    TellLoggedOut,
)
from actors.roster_changes import find_item
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID, parse_jid
from protocols.stanza import Fanout, Stanza, StanzaKind, build_presence, readdressed, with_delay
from protocols.timestamp import timestamp
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.presence_state import OwnResource, PresenceState
    from store.users import User

PRIORITY_LEAST: Final = -128
PRIORITY_MOST: Final = 127
STATUS_CHARACTERS_MAX: Final = 1_023
"""Of the last status that is remembered; longer than any screen."""

ANEW: Final = "anew"
"""The id of a probe whose sender may believe in resources that have gone, and nobody knows of any more."""

_PRIORITY: Final = "{jabber:client}priority"
_STATUS: Final = "{jabber:client}status"


def parse_priority(stanza: Stanza) -> int:
    """The priority a presence declares, zero where it declares none (RFC 6121 §4.7.2.3).

    Raises:
        StanzaError: it is no integer from -128 to 127.
    """
    if b"priority" not in stanza.data:  # spares most presences the look inside
        return 0
    text = stanza.element.findtext(_PRIORITY)
    if text is None:
        return 0
    try:
        priority = int(text)
    except ValueError:
        priority = PRIORITY_MOST + 1
    if not PRIORITY_LEAST <= priority <= PRIORITY_MOST:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a priority is an integer from -128 to 127")
    return priority


# -- who hears of whom


def subscribers(user: User) -> Iterator[JID]:
    """The contacts that receive the user's presence."""
    return (parse_jid(item.jid) for item in user.roster if item.subscription in {"from", "both"})


def subscribed_to(user: User) -> Iterator[JID]:
    """The contacts whose presence the user receives."""
    return (parse_jid(item.jid) for item in user.roster if item.subscription in {"to", "both"})


def is_subscriber(user: User, jid: str) -> bool:
    """Whether this bare address receives the user's presence."""
    item = find_item(user, jid)
    return item is not None and item.subscription in {"from", "both"}


def shares_presence(state: PresenceState, asker: JID) -> bool:
    """Whether the asker may know that one of the user's resources is there (RFC 6121 §8.5.3.1)."""
    return asker.bare == state.jid.bare or (state.user is not None and is_subscriber(state.user, asker.bare))


# -- the user's own presence


def broadcast(state: PresenceState, stanza: Stanza, sender: JID) -> list[PresenceEffect]:
    """To every subscriber and to the user's own available resources (§4.2.2, §4.4.2, §4.5.2)."""
    fanout = Fanout(stanza, sender)
    effects: list[PresenceEffect] = []
    if state.user is not None:
        effects += [Send(fanout.to(contact)) for contact in subscribers(state.user)]
    own = fanout.to(state.jid)
    effects += [
        SendToSession(other.session, own)
        for resource, other in state.resources.items()
        if other.presence is not None and resource != sender.resourcepart
    ]
    return effects


def become_available(
    state: PresenceState, resource: str, own: OwnResource, stanza: Stanza, priority: int
) -> list[PresenceEffect]:
    """What the first presence of a resource causes (§4.2.2), but for what hooks add before `Publish`."""
    assert stanza.sender is not None
    sender = stanza.sender
    effects = broadcast(state, stanza, sender)
    effects.append(SendToSession(own.session, readdressed(stanza, sender, state.jid)))
    effects += (see_again if own.is_stale else see_anew)(state, resource, own, sender)
    effects.append(NoteResource(resource, own.session, stanza, priority))
    return effects


def see_anew(
    state: PresenceState, resource: str, own: OwnResource, jid: JID, id: str | None = None
) -> list[PresenceEffect]:
    """Show a resource the presence of everybody that it may see, and who asks to see the user's.

    The id is that of its probes.
    """
    effects: list[PresenceEffect] = [
        SendToSession(own.session, _announced(other.presence, state.jid))
        for name, other in state.resources.items()
        if other.presence is not None and name != resource
    ]
    if state.user is not None:
        effects += [Send(probe(jid, contact, id)) for contact in subscribed_to(state.user)]
        effects += [
            SendToSession(own.session, kept_request(request.jid, state.jid, request.stanza))
            for request in state.user.requests
        ]
    return effects


def see_again(state: PresenceState, resource: str, own: OwnResource, jid: JID) -> list[PresenceEffect]:
    """The same for one that goes on after the end of everything: before that it forgets what it knew.

    Otherwise it would go on to believe in resources that the crash has ended without a word.
    """
    forget = SendToSession(own.session, nobody_there(state.jid, jid))
    return [forget, *see_anew(state, resource, own, jid, ANEW)]


def nobody_there(jid: JID, to: JID) -> Stanza:
    """That a user has no available resource, from the bare address as in the answer to a probe (§4.3.2)."""
    return build_presence(to=to, sender=jid, type="unavailable")


def update_presence(
    state: PresenceState, resource: str, own: OwnResource, stanza: Stanza, priority: int
) -> list[PresenceEffect]:
    """What a later presence of an available resource causes (§4.4), but for what hooks add."""
    assert stanza.sender is not None
    effects = broadcast(state, stanza, stanza.sender)
    effects.append(SendToSession(own.session, readdressed(stanza, stanza.sender, state.jid)))
    effects.append(NoteResource(resource, own.session, stanza, priority))
    return effects


def become_unavailable(
    state: PresenceState, own: OwnResource, stanza: Stanza, directed: Iterable[JID]
) -> list[PresenceEffect]:
    """What the end of a resource's availability causes; `directed` hear of it as well (§4.5, §4.6.3)."""
    assert stanza.sender is not None
    if own.presence is None:
        return take_back(stanza, directed)
    subscribed = set() if state.user is None else {contact.bare for contact in subscribers(state.user)}
    others = [target for target in directed if target.bare not in subscribed]
    is_last = len(state.priorities) == 1
    return [
        *broadcast(state, stanza, stanza.sender),
        *take_back(stanza, others),
        *([TellLoggedOut(_status_of(stanza))] if is_last else []),
    ]


def take_back(stanza: Stanza, directed: Iterable[JID]) -> list[PresenceEffect]:
    """Tell those who got directed presence that it has ended."""
    assert stanza.sender is not None
    fanout = Fanout(stanza, stanza.sender)
    return [Send(fanout.to(target)) for target in sorted(directed, key=str)]


def gone(jid: JID) -> Stanza:
    """What a resource would have said if it had had the time (§4.5.2)."""
    return build_presence(to=None, sender=jid, type="unavailable")


def end_resource(state: PresenceState, jid: JID, directed: Iterable[JID]) -> list[PresenceEffect]:
    """A session has ended without a word (§4.5.2)."""
    assert jid.resourcepart is not None
    own = state.resources[jid.resourcepart]
    effects = become_unavailable(state, own, gone(jid), directed)
    return [*effects, DropResource(jid.resourcepart), Publish()]


def _status_of(stanza: Stanza) -> str | None:
    """The status text of a presence, cut to what is remembered of it."""
    if b"status" not in stanza.data:
        return None
    text = stanza.element.findtext(_STATUS)
    return text[:STATUS_CHARACTERS_MAX] if text else None


def note_logout(state: PresenceState, at_ms: int, status: str | None) -> list[PresenceEffect]:
    """Remember when the user was last there, unless there is somebody again (§4.3.2)."""
    if state.user is None or state.priorities:
        return []
    return [SaveUser(replace(state.user, last_logout_ms=at_ms, last_status=status))]


def kept_request(contact: str, user: JID, stanza: bytes) -> Stanza:
    """A request for subscription as it came, for a resource that was not there then."""
    return Stanza(StanzaKind.PRESENCE, user, parse_jid(contact), "subscribe", None, None, stanza)


def probe(sender: JID, contact: JID, id: str | None = None) -> Stanza:
    """Ask for a contact's presence (§4.3.1).

    From the full address, so that the answers go to the one resource that lacks them; such a probe never
    leaves this server.
    """
    return build_presence(to=contact, sender=sender, type="probe", id=id)


def answer_probe(state: PresenceState, stanza: Stanza) -> list[PresenceEffect]:
    """The current presence of each available resource, or the last one, to those who may know (§4.3.2)."""
    asker = stanza.sender
    assert asker is not None
    if not shares_presence(state, asker):
        return [Send(build_presence(to=asker.bare_jid, sender=state.jid, type="unsubscribed"))]
    if state.user is not None and not any(own.presence for own in state.resources.values()):
        return [Send(last_presence(state.user, state.jid, asker))]
    forget = [Send(nobody_there(state.jid, asker))] if stanza.id == ANEW else []
    return [*forget, *current_presence(state, asker)]


def last_presence(user: User, jid: JID, to: JID) -> Stanza:
    """That the user is not available, since when, and what was said then, as far as that is known."""
    status = "" if user.last_status is None else f"<status>{escape_text(user.last_status)}</status>"
    last = build_presence(to=to, sender=jid, type="unavailable", content=status.encode())
    return last if user.last_logout_ms is None else with_delay(last, jid.bare, timestamp(user.last_logout_ms))


def current_presence(state: PresenceState, to: JID) -> list[PresenceEffect]:
    """What each available resource last announced, for one address."""
    return [
        Send(_announced(own.presence, to)) for own in state.resources.values() if own.presence is not None
    ]


def _announced(presence: Stanza, to: JID) -> Stanza:
    """What a resource last announced, for one more address."""
    assert presence.sender is not None
    return readdressed(presence, presence.sender, to)
