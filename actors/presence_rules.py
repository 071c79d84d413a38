"""What a user's presence and subscriptions cause, as pure functions from state to effects (RFC 6121 §3, §4).

Used by the presence actor alone. Nothing here waits or changes anything; effects are carried out in their
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.presence_effects import (
    DropResource,
    NoteResource,
    PresenceEffect,
    Publish,
    PushRoster,
    SaveUser,
    Send,
    SendToSession,
)
from actors.roster_changes import find_item, push_for, state_of, with_transition
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID, parse_jid
from protocols.stanza import Fanout, Stanza, build_presence, readdressed
from protocols.subscription import PresenceNotice, SubscriptionStanza, inbound, outbound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.presence_state import OwnResource, PresenceState
    from protocols.subscription import Transition
    from store.users import User

PRIORITY_LEAST: Final = -128
PRIORITY_MOST: Final = 127


def parse_priority(stanza: Stanza) -> int:
    """The priority a presence declares, zero where it declares none (RFC 6121 §4.7.2.3).

    Raises:
        StanzaError: it is no integer from -128 to 127.
    """
    if b"priority" not in stanza.data:  # spares most presences the look inside
        return 0
    text = stanza.element.findtext("{jabber:client}priority")
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
    effects += [
        SendToSession(own.session, _announced(other.presence, state.jid))
        for name, other in state.resources.items()
        if other.presence is not None and name != resource
    ]
    if state.user is not None:
        effects += [Send(probe(sender, contact)) for contact in subscribed_to(state.user)]
        effects += [
            SendToSession(own.session, kept_request(request.jid, state.jid, request.stanza))
            for request in state.user.requests
        ]
    effects.append(NoteResource(resource, own.session, stanza, priority))
    return effects


def update_presence(
    state: PresenceState, resource: str, own: OwnResource, stanza: Stanza, priority: int
) -> list[PresenceEffect]:
    """What a later presence of an available resource causes (§4.4)."""
    assert stanza.sender is not None
    effects = broadcast(state, stanza, stanza.sender)
    effects.append(SendToSession(own.session, readdressed(stanza, stanza.sender, state.jid)))
    effects.append(NoteResource(resource, own.session, stanza, priority))
    effects.append(Publish())
    return effects


def become_unavailable(
    state: PresenceState, resource: str, own: OwnResource, stanza: Stanza, directed: Sequence[JID]
) -> list[PresenceEffect]:
    """What the end of a resource's availability causes; `directed` hear of it as well (§4.5, §4.6.3)."""
    assert stanza.sender is not None
    effects = broadcast(state, stanza, stanza.sender) if own.presence is not None else []
    subscribed = set() if state.user is None else {contact.bare for contact in subscribers(state.user)}
    effects += [
        Send(readdressed(stanza, stanza.sender, target))
        for target in directed
        if own.presence is None or target.bare not in subscribed
    ]
    return effects


def end_resource(state: PresenceState, jid: JID, directed: Sequence[JID]) -> list[PresenceEffect]:
    """A session has ended without a word (§4.5.2)."""
    assert jid.resourcepart is not None
    own = state.resources[jid.resourcepart]
    gone = build_presence(to=None, sender=jid, type="unavailable")
    effects = become_unavailable(state, jid.resourcepart, own, gone, directed)
    return [*effects, DropResource(jid.resourcepart), Publish()]


def kept_request(contact: str, user: JID, stanza: bytes) -> Stanza:
    """A request for subscription as it came, for a resource that was not there then."""
    stored = build_presence(to=user, sender=parse_jid(contact), type="subscribe")
    return Stanza(stored.kind, user, stored.sender, "subscribe", None, None, stanza)


def probe(sender: JID, contact: JID) -> Stanza:
    """Ask for a contact's presence (§4.3.1)."""
    return build_presence(to=contact, sender=sender, type="probe")


def answer_probe(state: PresenceState, stanza: Stanza) -> list[PresenceEffect]:
    """The current presence of each available resource, for those who may know it (§4.3.2)."""
    asker = stanza.sender
    assert asker is not None
    if not shares_presence(state, asker):
        return [Send(build_presence(to=asker.bare_jid, sender=state.jid, type="unsubscribed"))]
    return current_presence(state, asker)


def current_presence(state: PresenceState, to: JID) -> list[PresenceEffect]:
    """What each available resource last announced, for one address."""
    return [
        Send(_announced(own.presence, to)) for own in state.resources.values() if own.presence is not None
    ]


def _announced(presence: Stanza, to: JID) -> Stanza:
    """What a resource last announced, for one more address."""
    assert presence.sender is not None
    return readdressed(presence, presence.sender, to)


# -- subscriptions


def send_subscription(state: PresenceState, user: User, stanza: Stanza) -> list[PresenceEffect]:
    """The user's own subscription stanza (§3, appendix A.2)."""
    assert stanza.to is not None
    contact = stanza.to.bare_jid
    if contact.bare == state.jid.bare:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "nobody subscribes to himself")
    item = find_item(user, contact.bare)
    before = state_of(user, contact.bare)
    transition = outbound(
        before, SubscriptionStanza(stanza.type), approved=item is not None and item.approved
    )
    passed_on = [Send(readdressed(stanza, state.jid, contact))] if transition.passed_on else []
    return _carry_out(state, user, contact, transition, stanza, passed_on)


def receive_subscription(state: PresenceState, user: User, stanza: Stanza) -> list[PresenceEffect]:
    """A subscription stanza of somebody else's (§3, appendix A.3)."""
    assert stanza.sender is not None
    contact = stanza.sender.bare_jid
    item = find_item(user, contact.bare)
    before = state_of(user, contact.bare)
    transition = inbound(before, SubscriptionStanza(stanza.type), approved=item is not None and item.approved)
    passed_on: list[PresenceEffect] = []
    if transition.passed_on:
        heard = readdressed(stanza, contact, state.jid)
        is_request = stanza.type == "subscribe"
        passed_on = [
            SendToSession(own.session, heard)
            for resource, own in state.resources.items()
            if (own.presence is not None if is_request else resource in state.interested)
        ]
        stanza = heard
    return _carry_out(state, user, contact, transition, stanza, passed_on)


def _carry_out(
    state: PresenceState,
    user: User,
    contact: JID,
    transition: Transition,
    stanza: Stanza,
    passed_on: Sequence[PresenceEffect],
) -> list[PresenceEffect]:
    """In the order that `Transition` asks for."""
    changed = with_transition(user, contact.bare, transition, stanza.data)
    effects: list[PresenceEffect] = [] if changed is user else [SaveUser(changed)]
    if transition.notice is PresenceNotice.UNAVAILABLE:
        effects += [
            Send(build_presence(to=contact, sender=own.presence.sender, type="unavailable"))
            for own in state.resources.values()
            if own.presence is not None
        ]
    effects += passed_on
    if transition.reply is not None:
        effects.append(Send(build_presence(to=contact, sender=state.jid, type=transition.reply.value)))
    if transition.push:
        effects.append(PushRoster(push_for(changed, contact.bare)))
    if transition.notice is PresenceNotice.CURRENT:
        effects += current_presence(state, contact)
    return effects
