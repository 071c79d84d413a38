"""What the answers of others mean for the negotiation of a stream; used by `connection`.

They raise what can only be a fault of ours, for the connection to die of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.blocking import PoolFullError
from protocols.negotiation_values import (
    Answer,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    PasswordRefused,
    PasswordVerified,
    RegistrationAnswered,
)
from store.errors import StoreError

if TYPE_CHECKING:
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


def registration_answer(reply: Reply[Stanza]) -> Answer:
    """What the client is told about its request to register."""
    return RegistrationAnswered(reply.result())
