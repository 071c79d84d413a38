"""Where a stanza goes, decided in the sender's task from the directory.

Nobody is asked and nobody is waited for.

`route` returns effects and changes nothing; `carry_out` posts them. A stanza from one sender to one user
always takes a path of one length, so order holds whatever the address; while something for that user is
still with the presence actor, everything goes there, and the presence actor goes on in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from actors.directory import UserEntry
from actors.fates import MessageFate
from actors.gates import incoming_fault, is_exempt
from actors.ledger import Parcel
from actors.session_messages import Deliver
from protocols.conditions import StanzaCondition
from protocols.delivery import Address, Delivery, Resources, decide
from protocols.errors import StanzaError
from protocols.stanza import Stanza, StanzaKind, build_error, build_presence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.directory import Directory
    from actors.server import Server
    from protocols.jid import JID
    from supervision.ref import Ref


@final
class ToSession(NamedTuple):
    """Deliver to this session; and perhaps to others of the same user, which then have a parcel in common."""

    session: Ref[Any]
    stanza: Stanza
    parcel: Parcel | None = None


@final
class ToUser(NamedTuple):
    """Hand to the presence actor of the user addressed."""

    stanza: Stanza


@final
class ToServer(NamedTuple):
    """Addressed to the domain itself, or to a service beside it."""

    stanza: Stanza


@final
class Back(NamedTuple):
    """An answer for the sender of a stanza that goes nowhere."""

    stanza: Stanza


@final
class ToLeft(NamedTuple):
    """For a session that has been left to the next process."""

    stanza: Stanza


RoutingEffect = ToSession | ToUser | ToServer | ToLeft | Back

_CHAT_TYPES: Final = frozenset({"", "chat", "normal"})
_TO_USER: Final = frozenset(
    {Delivery.STORE, Delivery.ACCOUNT, Delivery.SUBSCRIPTION, Delivery.PROBE, Delivery.TO_RESOURCE_IF_SHARING}
)
_FOR_ACCOUNT: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"})
"""Types of presence that are handled for an account, whatever resource they are for."""
_SILENT_PRESENCE: Final = frozenset({"unavailable", "subscribed", "unsubscribe", "unsubscribed", "probe"})
"""Types of presence that are never answered with an error; one that nobody knows is (RFC 6121 §4.7.1)."""
_REFUSALS: Final = {
    Delivery.SERVICE_UNAVAILABLE: StanzaCondition.SERVICE_UNAVAILABLE,
    Delivery.BAD_REQUEST: StanzaCondition.BAD_REQUEST,
}
_NOT_FEDERATED: Final = StanzaError(
    StanzaCondition.REMOTE_SERVER_NOT_FOUND, text="this server does not talk to other servers"
)
_CONGESTED: Final = StanzaError(
    StanzaCondition.RESOURCE_CONSTRAINT, "the recipient cannot take any more just now"
)


def route(directory: Directory, domain: str, stanza: Stanza) -> tuple[RoutingEffect, ...]:
    """Decide where a stamped stanza with a `to` goes."""
    to = stanza.to
    assert to is not None
    entry = directory.users.get(to.bare)
    if entry is not None and entry.guards is not None:
        seen = _admitted(entry, stanza)
        if not isinstance(seen, UserEntry):
            return seen
        entry = seen
    if entry is not None and not entry.waiting and stanza.kind is StanzaKind.MESSAGE:
        quick = _route_chat(entry, to, stanza)
        if quick is not None:
            return quick
    if to.domainpart != domain:
        is_service = to.domainpart in directory.hosts
        return (ToServer(stanza),) if is_service else refuse(stanza, _NOT_FEDERATED)
    if to.localpart is None:
        return (ToServer(stanza),)
    if stanza.kind is StanzaKind.IQ and to in directory.left:
        return (ToLeft(stanza),)
    if stanza.kind is not StanzaKind.PRESENCE and to.bare in directory.stored:
        return (ToUser(stanza),)  # a session that is yet to come back may be the one asked, or have asked
    return route_to_user(entry, to, stanza)


def _admitted(entry: UserEntry, stanza: Stanza) -> UserEntry | tuple[RoutingEffect, ...]:
    """The user as the sender may reach it; or what becomes of a stanza that may not reach it.

    What the presence actor gets it looks at itself, when its turn has come.
    """
    assert entry.guards is not None
    if entry.waiting or is_exempt(entry.bare_jid, stanza.sender):
        return entry
    if not entry.guards.is_known:
        return (ToUser(stanza),)
    seen = seen_by(entry, stanza)
    return seen if isinstance(seen, UserEntry) else turn_away(stanza, seen)


def seen_by(entry: UserEntry, stanza: Stanza) -> UserEntry | StanzaError:
    """The user as the sender of a stanza may reach it, or why not at all (XEP-0016 §2.2).

    What is for one resource its own rules decide; what is for the account, or for whichever resource, those
    of the account if none is available; else it can reach those of the available ones that let it.
    """
    to = stanza.to
    if to is None or entry.guards is None:
        return entry
    is_subscription = stanza.kind is StanzaKind.PRESENCE and stanza.type in _FOR_ACCOUNT
    if to.resourcepart in entry.sessions and not is_subscription:
        return incoming_fault(entry.bare_jid, entry.guards, stanza, to.resourcepart) or entry
    available = entry.route.priorities
    if is_subscription or stanza.kind is StanzaKind.IQ or not available:
        return incoming_fault(entry.bare_jid, entry.guards, stanza, None) or entry
    faults = {
        resource: incoming_fault(entry.bare_jid, entry.guards, stanza, resource) for resource in available
    }
    allowed = [resource for resource, found in faults.items() if found is None]
    if len(allowed) == len(faults):
        return entry
    return entry.narrowed(allowed) if allowed else next(filter(None, faults.values()))


def turn_away(stanza: Stanza, fault: StanzaError) -> tuple[Back, ...]:
    """What the sender of a stanza hears that may not reach a user: of presence nothing (XEP-0016 §2.14)."""
    return () if stanza.kind is StanzaKind.PRESENCE else refuse(stanza, fault)


def _route_chat(entry: UserEntry, to: JID, stanza: Stanza) -> tuple[RoutingEffect, ...] | None:
    """The common case, in one look: a message to somebody who is there. None where it is not that."""
    resource = to.resourcepart
    if resource is not None:
        session = entry.sessions.get(resource)
        return None if session is None else (ToSession(session, stanza),)
    if stanza.type in _CHAT_TYPES and entry.route.most_available:
        return _to_each(entry.route.most_available, stanza)
    return None


def _to_each(sessions: Sequence[Ref[Any]], stanza: Stanza) -> tuple[RoutingEffect, ...]:
    if len(sessions) == 1:
        return (ToSession(sessions[0], stanza),)
    parcel = Parcel(stanza, len(sessions)) if stanza.kind is StanzaKind.MESSAGE else None
    return tuple(ToSession(session, stanza, parcel) for session in sessions)


def route_to_user(entry: UserEntry | None, to: JID, stanza: Stanza) -> tuple[RoutingEffect, ...]:
    """Decide by the table of RFC 6121 §8 for an account that may or may not exist."""
    if entry is not None and (entry.waiting or (entry.sessions and entry.presence is None)):
        return (
            ToUser(stanza),
        )  # in order; or who knows these sessions was given up, and is to have a successor
    if entry is None or entry.presence is None:
        return _route_to_absent(entry or UserEntry(to.bare), to, stanza)
    delivery = decide(stanza.kind, stanza.type, _address(entry, to), entry.route.resources)
    return (ToUser(stanza),) if delivery in _TO_USER else deliver(entry, to, stanza, delivery)


def _route_to_absent(entry: UserEntry, to: JID, stanza: Stanza) -> tuple[RoutingEffect, ...]:
    """No presence actor is started for what goes the same way whether or not there is such an account.

    Such as presence for contacts who are not there: one login has a thousand of those.
    """
    delivery = decide(stanza.kind, stanza.type, _address(entry, to), Resources.NONE)
    depends = not entry.sessions and delivery is not decide_for_user(entry, stanza, exists=False)
    return (ToUser(stanza),) if depends or delivery in _TO_USER else deliver(entry, to, stanza, delivery)


def _address(entry: UserEntry, to: JID) -> Address:
    if to.resourcepart is None:
        return Address.BARE
    return Address.FULL_MATCH if to.resourcepart in entry.sessions else Address.FULL_NO_MATCH


def deliver(entry: UserEntry, to: JID, stanza: Stanza, delivery: Delivery) -> tuple[RoutingEffect, ...]:
    """The effects of a decision that needs no more than the directory; the rest is the presence actor's."""
    match delivery:
        case Delivery.TO_RESOURCE | Delivery.TO_RESOURCE_IF_SHARING:
            assert to.resourcepart is not None
            return (ToSession(entry.sessions[to.resourcepart], stanza),)
        case Delivery.TO_MOST_AVAILABLE:
            return _to_each(entry.route.most_available, stanza)
        case Delivery.TO_NON_NEGATIVE:
            return _to_each(entry.route.non_negative, stanza)
        case Delivery.TO_AVAILABLE:
            return _to_each(entry.route.available, stanza)
        case Delivery.SERVICE_UNAVAILABLE | Delivery.BAD_REQUEST:
            return refuse(stanza, StanzaError(_REFUSALS[delivery]))
        case Delivery.UNSUBSCRIBED:
            return unsubscribed(to, stanza)
        case Delivery.IGNORE:
            return ()
        case _:
            raise AssertionError(f"{delivery} is not for the directory to carry out")


def decide_for_user(entry: UserEntry, stanza: Stanza, *, exists: bool) -> Delivery:
    """The table's word on a stanza that has come to the presence actor."""
    assert stanza.to is not None
    if exists:
        return decide(stanza.kind, stanza.type, _address(entry, stanza.to), entry.route.resources)
    address = Address.BARE if stanza.to.resourcepart is None else Address.FULL_NO_MATCH
    return decide(stanza.kind, stanza.type, address, Resources.NO_ACCOUNT)


def unsubscribed(to: JID, stanza: Stanza) -> tuple[RoutingEffect, ...]:
    """Tell the sender that it is not subscribed to this user's presence."""
    assert stanza.sender is not None
    sender = stanza.sender.bare_jid
    return (Back(build_presence(to=sender, sender=to.bare_jid, type="unsubscribed")),)


def refusal(stanza: Stanza, error: StanzaError) -> Stanza | None:
    """The error to answer a stanza with; None where the standard forbids one (RFC 6120 §8.3.1, 6121 §4.3)."""
    if stanza.type in {"error", "result"} or stanza.sender is None:
        return None
    if stanza.kind is StanzaKind.PRESENCE and stanza.type in _SILENT_PRESENCE:
        return None
    return build_error(stanza, error)


def refuse(stanza: Stanza, error: StanzaError) -> tuple[Back, ...]:
    """An error for the sender of a stanza that goes nowhere, where it may be answered."""
    answer = refusal(stanza, error)
    return () if answer is None else (Back(answer),)


def carry_out(server: Server, effect: RoutingEffect) -> None:
    """Post what was decided.

    Total: what a mailbox refuses becomes an error for the sender, in its own turn.
    """
    match effect:
        case ToSession(session, stanza, parcel):
            if not session.cast(Deliver(stanza, parcel), len(stanza.data)):
                _refused(server, session, stanza, parcel)
            elif stanza.receipt is not None:
                stanza.receipt.hold()
        case ToUser(stanza):
            if not server.hand_to_user(stanza):
                send_back(server, stanza, _CONGESTED)
        case ToServer(stanza):
            server.hand_to_modules(stanza)
        case ToLeft(stanza):
            server.add_to_left(stanza)
        case Back(stanza):
            server.fates.note(MessageFate.REFUSED, stanza)
            send(server, stanza)


def _refused(server: Server, session: Ref[Any], stanza: Stanza, parcel: Parcel | None) -> None:
    """A session did not take a stanza: it has just ended, so look again.

    Or it is full, so tell the sender.
    """
    is_last = parcel is None or parcel.refuse()
    if not session.is_alive:
        send(server, stanza)
    elif stanza.kind is StanzaKind.MESSAGE or stanza.type in {"get", "set"}:
        if is_last:  # the others have it, or will say so themselves
            send_back(server, stanza, _CONGESTED)
    else:
        server.detach(session)


def send_back(server: Server, stanza: Stanza, error: StanzaError) -> None:
    """Answer the sender of a stanza with an error, where it may be answered."""
    answer = refusal(stanza, error)
    if answer is not None:
        server.fates.note(MessageFate.REFUSED, answer)
        send(server, answer)


def send(server: Server, stanza: Stanza) -> None:
    """Route and carry out in one step, for what an actor's `apply` sends in the server's or a user's name."""
    for effect in route(server.directory, server.domain.full, stanza):
        carry_out(server, effect)
