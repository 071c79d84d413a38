"""What the answers of others mean for the negotiation of a stream; used by `connection`.

They raise what can only be a fault of ours, for the connection to die of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.blocking import PoolFullError
from actors.session_messages import ResumeAccepted, ResumeRefused, ResumeTooHigh
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.negotiation_values import (
    Answer,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    GuestMade,
    GuestRefused,
    PasswordRefused,
    PasswordVerified,
    RegistrationAnswered,
    Resumed,
    StreamEnded,
)
from protocols.negotiation_values import ResumeRefused as NegotiationRefused
from protocols.stream_management import handled_count_too_high
from store.errors import StoreError
from supervision.reply import CallError

if TYPE_CHECKING:
    from actors.session_messages import ResumeOutcome
    from protocols.sasl.keys import ScramKeys
    from protocols.stanza import Stanza
    from supervision.reply import Reply


def credentials_answer(reply: Reply[tuple[ScramKeys, ...] | None]) -> Answer:
    """The keys of an account; a database that does not answer is not for the client to die of."""
    try:
        keys = reply.result()
    except (StoreError, PoolFullError):
        return CredentialsUnavailable()
    return CredentialsMissing() if keys is None else CredentialsFound(keys)


def password_answer(reply: Reply[bool]) -> Answer:
    """Whether a password is right."""
    return PasswordVerified() if reply.result() else PasswordRefused()


def replacement_answer(reply: Reply[bool]) -> Answer:
    """Whether keys that serve once have served now."""
    try:
        return PasswordVerified() if reply.result() else PasswordRefused()
    except (StoreError, CallError):
        return CredentialsUnavailable()


def registration_answer(reply: Reply[Stanza]) -> Answer:
    """What the client is told about its request to register."""
    return RegistrationAnswered(reply.result())


def guest_answer(reply: Reply[bool]) -> Answer:
    """Whether there is an account for a guest."""
    try:
        is_made = reply.result()
    except (StoreError, CallError):
        error = StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "accounts cannot be made just now")
        return GuestRefused(error)
    return GuestMade() if is_made else GuestRefused(StanzaError(StanzaCondition.CONFLICT))


def resumption_answer(reply: Reply[ResumeOutcome]) -> Answer:
    """Whether a session goes on (XEP-0198 §5); one that has ended meanwhile is not there any more."""
    try:
        outcome = reply.result()
    except CallError:
        return NegotiationRefused(StanzaCondition.ITEM_NOT_FOUND)
    match outcome:
        case ResumeAccepted(jid):
            return Resumed(jid)
        case ResumeRefused(condition, h):
            return NegotiationRefused(condition, h)
        case ResumeTooHigh(h, sent):
            text = f"you acknowledged {h} stanzas, and were sent {sent}"
            return StreamEnded(StreamCondition.UNDEFINED_CONDITION, text, handled_count_too_high(h, sent))
