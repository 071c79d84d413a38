"""What was routed to a user's presence actor: looked at again, now that everything is known, and dealt with.

Used by the presence actor. What may pass the user's gates is decided here once more, for what came before
anybody could know, and for what has changed since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from actors import presence_rules as rules
from actors import routing, subscription_rules
from actors.directory import UserEntry
from actors.gates import is_exempt, outgoing_fault
from actors.presence_effects import OfferToSession, PresenceEffect, Refuse, Send, SendToSession, TryLater
from actors.presence_messages import Again
from protocols.conditions import StanzaCondition
from protocols.delivery import Delivery
from protocols.errors import StanzaError
from protocols.stanza import StanzaKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_messages import PassOn, Routed
    from actors.presence_state import PresenceState
    from actors.server import Server
    from protocols.stanza import Stanza
    from store.users import User

STORE_AWAY: Final = StanzaError(
    StanzaCondition.RESOURCE_CONSTRAINT, "the database is away; try again in a moment"
)
_NO_ACCOUNT: Final = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
_LATER_TYPES: Final = frozenset({"probe", "result", "error"})
"""Those that wait until the database is back, of which nobody could be told."""


@final
class RoutedRules:
    """One for each incarnation of the presence actor."""

    def __init__(self, server: Server, state: PresenceState) -> None:
        self._server = server
        self._state = state

    # -- for the user

    async def plan(self, message: Routed) -> Sequence[PresenceEffect]:
        """What follows from a stanza for the user.

        Raises:
            StanzaError: it is refused.
            StoreUnavailable: the database is away.
        """
        stanza, state = message.stanza, self._state
        assert stanza.to is not None
        if stanza.to.localpart is None:
            return await self._account_request(stanza)
        directory = self._server.directory
        if stanza.kind is StanzaKind.IQ and stanza.to in directory.left:
            return [Send(stanza)]
        entry = routing.seen_by(directory.entry(state.jid.bare), stanza)
        if not isinstance(entry, UserEntry):
            return turned_away(stanza, entry)
        delivery = routing.decide_for_user(entry, stanza, exists=state.user is not None)
        match delivery:
            case Delivery.STORE:
                return await self._undelivered(message)
            case Delivery.ACCOUNT:
                return await self._account_request(stanza)
            case Delivery.SUBSCRIPTION:
                return self._subscription(stanza)
            case Delivery.PROBE:
                return rules.answer_probe(state, stanza)
            case Delivery.TO_RESOURCE_IF_SHARING if not self._shares_with(stanza):
                return [OfferToSession(entry.sessions[stanza.to.resourcepart or ""], stanza)]
            case _:
                return [_as_effect(each) for each in routing.deliver(entry, stanza.to, stanza, delivery)]

    def plan_without_store(self, stanza: Stanza) -> Sequence[PresenceEffect]:
        """Somebody's presence goes to whoever is there; one who asks for the user's is told later.

        Refused, it would be as lost on the user as on its sender, who says it to all contacts or to none.
        Who is not there yet asks when coming, or coming back from the database. An answer may be for such a
        one, and waits. So does everything while nobody knows what the user lets pass.
        """
        entry = self._server.directory.entry(self._state.jid.bare)
        is_unknown = entry.guards is not None and not entry.guards.is_known
        if stanza.type in _LATER_TYPES or is_unknown:
            return [TryLater(Again(stanza))]  # who asks is told nothing else, and would never know
        assert stanza.to is not None
        seen = routing.seen_by(entry, stanza)
        if not isinstance(seen, UserEntry):
            return turned_away(stanza, seen)
        delivery = routing.decide_for_user(seen, stanza, exists=True)
        return [_as_effect(each) for each in routing.deliver(seen, stanza.to, stanza, delivery)]

    def _shares_with(self, stanza: Stanza) -> bool:
        return stanza.sender is not None and rules.shares_presence(self._state, stanza.sender)

    async def _undelivered(self, message: Routed) -> Sequence[PresenceEffect]:
        hooks, user = self._server.modules.hooks, self._existing_user()
        effects = await hooks.run_undelivered(self._state, user, message.stanza)
        return [Refuse(_NO_ACCOUNT)] if effects is None else effects

    def _subscription(self, stanza: Stanza) -> Sequence[PresenceEffect]:
        requests_max = self._server.settings.limits.subscription_requests_max
        user = self._existing_user()
        return subscription_rules.receive_subscription(self._state, user, stanza, requests_max)

    async def _account_request(self, stanza: Stanza) -> Sequence[PresenceEffect]:
        if stanza.type in {"result", "error"}:
            return []
        return await self._server.modules.run_account_iq(self._state, self._existing_user(), stanza)

    def _existing_user(self) -> User:
        if self._state.user is None:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        return self._state.user

    # -- from the user, and what is taken up again

    def pass_on(self, message: PassOn | Again) -> Sequence[PresenceEffect]:
        """A stanza of the user's client, or one that was routed here before, goes on if it may."""
        stanza = message.stanza
        if stanza.sender is not None and stanza.sender.bare == self._state.jid.bare:
            fault = outgoing_fault(self._state.jid.bare, self._state.guards, stanza)
            return [Send(stanza)] if fault is None else [Refuse(fault)]
        entry = routing.seen_by(self._server.directory.entry(self._state.jid.bare), stanza)
        return [Send(stanza)] if isinstance(entry, UserEntry) else turned_away(stanza, entry)

    def pass_on_without_store(self, message: PassOn | Again) -> Sequence[PresenceEffect]:
        """The same while it is known what may pass; else it waits, or is refused where that can be told."""
        entry, stanza = self._server.directory.entry(self._state.jid.bare), message.stanza
        is_own = stanza.sender is not None and stanza.sender.bare == entry.bare_jid
        peer = stanza.to if is_own else stanza.sender
        if entry.guards is None or entry.guards.is_known or is_exempt(entry.bare_jid, peer):
            return self.pass_on(message)
        if isinstance(message, Again):
            return [TryLater(message)]
        is_answered = routing.refusal(stanza, STORE_AWAY) is not None
        return [Refuse(STORE_AWAY)] if is_answered else [TryLater(Again(stanza))]


def turned_away(stanza: Stanza, fault: StanzaError) -> Sequence[PresenceEffect]:
    """What becomes of a stanza that may not reach the user; of presence nobody hears (XEP-0016 §2.14)."""
    return [] if stanza.kind is StanzaKind.PRESENCE else [Refuse(fault)]


def _as_effect(effect: routing.RoutingEffect) -> PresenceEffect:
    """A routing decision as an effect of the presence actor's."""
    match effect:
        case routing.ToSession():
            return SendToSession(*effect)
        case routing.Back(stanza):
            return Send(stanza)
        case _:
            raise AssertionError(f"{effect} leads back here")
