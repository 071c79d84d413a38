"""Of which points in the life of an account modules are told, by what its presence actor is told itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import presence_rules as rules
from actors.presence_guards import may_pass
from actors.presence_messages import (
    Announce,
    OwnPresence,
    OwnSubscription,
    Routed,
    SessionBound,
    SessionEnded,
)
from protocols.stanza import StanzaKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.hook_runner import HookRunner
    from actors.presence_effects import HookEffect
    from actors.presence_messages import PresenceMessage
    from actors.presence_state import OwnResource, PresenceState
    from protocols.jid import JID
    from protocols.stanza import Stanza
    from store.users import User

_SUBSCRIPTION_TYPES = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})


async def notify(hooks: HookRunner, state: PresenceState, message: PresenceMessage) -> Sequence[HookEffect]:
    """What modules add to what a message causes, before anything of that is carried out."""
    user = state.user
    if user is None:
        return ()
    match message:
        case SessionBound(jid):
            gone = await _gone(hooks, state, user, jid, state.resources.get(jid.resourcepart or ""))
            return [*gone, *await hooks.notify(hooks.session_start, state, user, jid.resourcepart or "")]
        case SessionEnded(jid, session):
            own = state.resources.get(jid.resourcepart or "")
            is_replaced = own is None or own.session is not session
            gone = [] if is_replaced else await _gone(hooks, state, user, jid, own)
            return [*gone, *await hooks.notify(hooks.session_end, state, user, jid.resourcepart or "")]
        case OwnPresence():
            return await _said(hooks, state, user, message)
        case Announce(resource, said) if state.kept.get(resource) is said:
            return await _said(hooks, state, user, said)
        case OwnSubscription(stanza) if may_pass(state, stanza):
            return await hooks.notify(hooks.subscription, state, user, stanza)
        case Routed(stanza) if _is_subscription(stanza) and may_pass(state, stanza):
            return await hooks.notify(hooks.subscription, state, user, stanza)
        case _:
            return ()


def _is_subscription(stanza: Stanza) -> bool:
    return stanza.kind is StanzaKind.PRESENCE and stanza.type in _SUBSCRIPTION_TYPES


async def _said(
    hooks: HookRunner, state: PresenceState, user: User, message: OwnPresence
) -> Sequence[HookEffect]:
    stanza = message.stanza
    own = None if stanza.sender is None else state.resources.get(stanza.sender.resourcepart or "")
    if own is None or own.session is not message.session:
        return ()  # it has been replaced meanwhile
    if stanza.type != "unavailable":
        return await hooks.notify(hooks.presence, state, user, stanza)
    return await _was_available(hooks, state, user, own, stanza)


async def _gone(
    hooks: HookRunner, state: PresenceState, user: User, jid: JID, own: OwnResource | None
) -> Sequence[HookEffect]:
    """A session that had this resource is no more, and has said nothing."""
    return () if own is None else await _was_available(hooks, state, user, own, rules.gone(jid))


async def _was_available(
    hooks: HookRunner, state: PresenceState, user: User, own: OwnResource, stanza: Stanza
) -> Sequence[HookEffect]:
    return () if own.presence is None else await hooks.notify(hooks.unavailable, state, user, stanza)
