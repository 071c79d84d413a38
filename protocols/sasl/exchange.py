"""What a mechanism and the negotiation say to each other, whatever the mechanism (RFC 4422 §3).

A mechanism is given the client's messages, decoded from base64, and answers each with one step. It
never fetches credentials and never hashes a password: it asks, and goes on with the answer.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, final

from protocols.conditions import SaslCondition
from protocols.sasl.keys import ScramKeys


class SaslFailure(Exception):
    """The client's attempt to log in has failed (RFC 6120 §6.5); it may try again."""

    def __init__(self, condition: SaslCondition, text: str = "") -> None:
        """Name the condition to answer with; the text is for the person at the other end."""
        super().__init__(condition, text)
        self.condition = condition
        self.text = text


class Circumstances(NamedTuple):
    """What an attempt may depend on besides what the client says.

    Attributes:
        host: The domain served.
        nonce: Ours: random printable ASCII without a comma, never used before.
        end_point: The hash of our certificate where a log-in can be bound to it.
        addresses: What the client's certificate says it is, if it has shown one.
        offer: What the client was offered, as XEP-0474 §6.1 writes it; empty if it is not to be told.
    """

    host: str
    nonce: str
    end_point: bytes | None = None
    addresses: tuple[str, ...] = ()
    offer: bytes = b""


@final
@dataclass(frozen=True, slots=True)
class IdentityClaimed:
    """The client says who it is; the exchange goes on with `resume` once the keys are there."""

    username: str
    authzid: str  # empty when the client leaves it to the server


@final
@dataclass(frozen=True, slots=True)
class PasswordGiven:
    """The client sent its password; it is right if the keys were derived from it."""

    password: str = field(repr=False)  # so that no crash report carries it
    keys: ScramKeys


@final
@dataclass(frozen=True, slots=True)
class Challenge:
    """The client is to answer this."""

    data: bytes


@final
@dataclass(frozen=True, slots=True)
class Proved:
    """The client is who it claimed to be; the data goes along with the news."""

    data: bytes


@final
@dataclass(frozen=True, slots=True)
class GuestWelcome:
    """The client is nobody in particular, and gets an account for as long as it stays."""


SaslStep = IdentityClaimed | PasswordGiven | Challenge | Proved | GuestWelcome


class Exchange(Protocol):
    """One attempt to log in by one mechanism."""

    @property
    def first_challenge(self) -> bytes:
        """What to say to a client that waits to be asked (RFC 4422 §5): nothing where it is to begin."""
        ...

    def respond(self, message: bytes) -> SaslStep:
        """Take the client's next message.

        Raises:
            SaslFailure: If the message ends the attempt.
        """
        ...

    def resume(self, keys: ScramKeys) -> SaslStep:
        """Go on with the keys of the account that was claimed, or with decoys for it.

        Raises:
            SaslFailure: If the attempt is over.
        """
        ...
