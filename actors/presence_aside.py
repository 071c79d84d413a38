"""What a presence actor does about a message that killed it.

What had been committed has happened, so whom it concerns is told. What cannot be refused, because nobody
would learn of it or could ask again, is tried once more, and only then given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors import routing
from actors.presence_effects import (
    Answer,
    DropResource,
    NoteResource,
    PresenceEffect,
    Publish,
    PushRoster,
    Refuse,
    RemoveAccount,
    SaveUser,
    Send,
    SendToSession,
    TryLater,
)
from actors.presence_messages import (
    Again,
    LoadSessions,
    LookAgain,
    OwnMessage,
    PresenceMessage,
    QueueGrew,
    ReserveNumbers,
    ResumeStored,
    Routed,
    SessionBound,
    SessionEnded,
    SessionResumed,
)
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import JID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_state import PresenceState

RESUME_TRIES_MAX: Final = 15
"""So many seconds a client that would resume a session from the database is kept waiting for that."""

_CONSEQUENCES: Final = (SaveUser, RemoveAccount, Answer, Send, SendToSession, PushRoster)
"""What somebody is told, or must know, of what has been committed."""
_FAILED: Final = StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR)


def instead(
    state: PresenceState, message: PresenceMessage, *, is_again: bool
) -> Sequence[PresenceEffect] | None:
    """What to do in the place of what a message asked for; None to try it once more.

    Args:
        state: What its actor knows.
        message: The one that killed.
        is_again: Whether it has been tried once more already.
    """
    submitted = state.submitted
    if submitted is not None and submitted.message is message and submitted.outcomes.succeeded:
        return [effect for effect in submitted.effects if isinstance(effect, _CONSEQUENCES)]
    if not is_again and _must_be_done(message):
        return None
    match message:
        case ResumeStored(tries=tries) if tries < RESUME_TRIES_MAX:
            return [TryLater(message._replace(tries=tries + 1))]
        case SessionEnded(JID(resourcepart=str(resource)), session):  # without frills
            own = state.resources.get(resource)
            return [DropResource(resource), Publish()] if own is not None and own.session is session else []
        case SessionBound(JID(resourcepart=str(resource)), session):
            return [NoteResource(resource, session, None)]
        case Again(stanza):
            return [Send(stanza)]
        case _:
            return [Refuse(_FAILED)]


def _must_be_done(message: PresenceMessage) -> bool:
    """Whether nobody would learn that it had been refused, or could ask for it again."""
    if isinstance(message, Routed | OwnMessage):
        return routing.refusal(message.stanza, _FAILED) is None
    return isinstance(
        message,
        SessionBound | SessionEnded | SessionResumed | LoadSessions | ReserveNumbers | QueueGrew | LookAgain,
    )
