"""What a user's subscriptions cause, as pure functions from state to effects (RFC 6121 §3 and appendix A).

Used by the presence actor, and by modules that change the roster. The tables themselves are in
`protocols/subscription.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.presence_effects import PresenceEffect, PushRoster, SaveUser, Send, SendToSession
from actors.presence_rules import current_presence
from actors.roster_changes import find_item, find_request, push_for, state_of, with_transition
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID, parse_jid
from protocols.stanza import Stanza, build_presence, readdressed
from protocols.subscription import PresenceNotice, SubscriptionStanza, inbound, outbound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from actors.presence_state import PresenceState
    from protocols.subscription import Transition
    from store.users import User

REQUEST_BYTES_MAX: Final = 4_096
"""A request for subscription that is kept: hundreds of them must fit into an account's document."""


def end_subscriptions(jid: JID, resources: Iterable[str], user: User, contact: JID) -> list[Send]:
    """What a contact is told when it leaves the roster, or the account goes (§2.5.2, §3.2.2, §3.3.2).

    Args:
        jid: The account's bare address.
        resources: Its available resources.
        user: Its document as it was.
        contact: The contact's bare address.
    """
    before = state_of(user, contact.bare)
    told: list[tuple[JID, str]] = []
    if before.to or before.ask:
        told.append((jid, "unsubscribe"))
    if before.from_:
        told += [(JID(jid.localpart, jid.domainpart, resource), "unavailable") for resource in resources]
    if before.from_ or before.pending_in:
        told.append((jid, "unsubscribed"))
    return [Send(build_presence(to=contact, sender=sender, type=type)) for sender, type in told]


def leave_everybody(state: PresenceState, user: User) -> list[Send]:
    """What an account that goes tells its contacts, and those whose requests it has not answered."""
    known = dict.fromkeys([item.jid for item in user.roster] + [request.jid for request in user.requests])
    return [
        effect
        for contact in known
        for effect in end_subscriptions(state.jid, state.priorities, user, parse_jid(contact))
    ]


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


def receive_subscription(
    state: PresenceState, user: User, stanza: Stanza, requests_max: int
) -> list[PresenceEffect]:
    """A subscription stanza of somebody else's (§3, appendix A.3).

    Raises:
        StanzaError: it is a request that cannot be kept.
    """
    assert stanza.sender is not None
    contact = stanza.sender.bare_jid
    item = find_item(user, contact.bare)
    before = state_of(user, contact.bare)
    transition = inbound(before, SubscriptionStanza(stanza.type), approved=item is not None and item.approved)
    passed_on: list[PresenceEffect] = []
    if transition.passed_on:
        stanza = readdressed(stanza, contact, state.jid)
        passed_on = _to_own(state, stanza)
    if transition.state.pending_in and find_request(user, contact.bare) is None:
        _check_request(user, stanza, requests_max)
    return _carry_out(state, user, contact, transition, stanza, passed_on)


def _to_own(state: PresenceState, stanza: Stanza) -> list[PresenceEffect]:
    """Requests are for the available resources, the rest for the interested ones."""
    is_request = stanza.type == "subscribe"
    return [
        SendToSession(own.session, stanza)
        for resource, own in state.resources.items()
        if (own.presence is not None if is_request else resource in state.interested)
    ]


def _check_request(user: User, stanza: Stanza, requests_max: int) -> None:
    if len(user.requests) >= requests_max:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too many requests wait for an answer")
    if stanza.size > REQUEST_BYTES_MAX:
        raise StanzaError(
            StanzaCondition.NOT_ACCEPTABLE, f"a request of more than {REQUEST_BYTES_MAX} bytes is not kept"
        )


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
