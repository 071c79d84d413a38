"""The values of stream negotiation: its states, what happens to it, what it wants done.

Used by `negotiation`, by the handlers of its table and by the connection that drives it. The states are
those of RFC 6120's order of things: stream, TLS, stream, SASL, stream, resource (or an earlier session).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, final

from protocols.conditions import SaslCondition, StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.framing import Framing
from protocols.jid import JID
from protocols.sasl.exchange import Exchange
from protocols.sasl.keys import ScramKeys
from protocols.sasl.mechanisms import Mechanism
from protocols.session_bits import SessionBits
from protocols.stanza import Stanza
from protocols.stream_events import Event
from protocols.stream_features import StreamFeature


class State(Enum):
    """Where the negotiation of one stream stands."""

    WAIT_FOR_STREAM = "wait_for_stream"
    WAIT_FOR_FEATURE_REQUEST = "wait_for_feature_request"
    WAIT_FOR_TLS = "wait_for_tls"
    WAIT_FOR_SASL_RESPONSE = "wait_for_sasl_response"
    WAIT_FOR_CREDENTIALS = "wait_for_credentials"
    WAIT_FOR_PASSWORD_CHECK = "wait_for_password_check"  # noqa: S105 - a state, not a password
    WAIT_FOR_REGISTRATION = "wait_for_registration"
    WAIT_FOR_AUTH = "wait_for_auth"  # where a stream without version is in place of FEATURE_REQUEST
    WAIT_FOR_AUTH_KEYS = "wait_for_auth_keys"
    WAIT_FOR_AUTH_CHECK = "wait_for_auth_check"
    WAIT_FOR_AUTH_RESOURCE = "wait_for_auth_resource"
    WAIT_FOR_BIND = "wait_for_bind"
    WAIT_FOR_GUEST = "wait_for_guest"  # the account of a client that is nobody in particular
    WAIT_FOR_RESOURCE = "wait_for_resource"
    WAIT_FOR_RESUMPTION = "wait_for_resumption"
    SESSION_ESTABLISHED = "session_established"
    CLOSED = "closed"


# In these it is the connection's turn: it must hold back what the client sends, and answer.
WAITING_STATES = frozenset(
    {
        State.WAIT_FOR_TLS,
        State.WAIT_FOR_CREDENTIALS,
        State.WAIT_FOR_PASSWORD_CHECK,
        State.WAIT_FOR_REGISTRATION,
        State.WAIT_FOR_AUTH_KEYS,
        State.WAIT_FOR_AUTH_CHECK,
        State.WAIT_FOR_AUTH_RESOURCE,
        State.WAIT_FOR_GUEST,
        State.WAIT_FOR_RESOURCE,
        State.WAIT_FOR_RESUMPTION,
    }
)


# --- What the connection reports, besides the events of the XML stream --------------------------------


@final
@dataclass(frozen=True, slots=True)
class TlsEstablished:
    """TLS is in force; what follows is a new stream."""


@final
@dataclass(frozen=True, slots=True)
class CertificateShown:
    """In the handshake the client has shown a certificate that holds; told before the stream that follows.

    Attributes:
        addresses: What it says the client is (RFC 6120 §13.7.1.4), whether or not that means anything here.
    """

    addresses: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class CredentialsFound:
    """The account exists, and these are its keys."""

    keys: tuple[ScramKeys, ...]


@final
@dataclass(frozen=True, slots=True)
class CredentialsMissing:
    """There is no such account."""


@final
@dataclass(frozen=True, slots=True)
class CredentialsUnavailable:
    """The store cannot be asked just now."""


@final
@dataclass(frozen=True, slots=True)
class PasswordVerified:
    """The password belongs to the keys."""


@final
@dataclass(frozen=True, slots=True)
class PasswordRefused:
    """The password does not belong to the keys."""


@final
@dataclass(frozen=True, slots=True)
class RegistrationAnswered:
    """What the client is to be told about its request to register: a result or an error."""

    answer: Stanza


@final
@dataclass(frozen=True, slots=True)
class GuestMade:
    """There is an account for the client that is nobody in particular."""


@final
@dataclass(frozen=True, slots=True)
class GuestRefused:
    """There can be none."""

    error: StanzaError


@final
@dataclass(frozen=True, slots=True)
class Bound:
    """The resource is the client's, and its session waits for stanzas."""

    jid: JID


@final
@dataclass(frozen=True, slots=True)
class BindRefused:
    """The resource cannot be had."""

    error: StanzaError


@final
@dataclass(frozen=True, slots=True)
class Resumed:
    """The earlier session goes on with this stream; it tells the client so itself."""

    jid: JID


@final
@dataclass(frozen=True, slots=True)
class ResumeRefused:
    """The earlier session cannot be had; the client may bind a resource instead.

    Attributes:
        condition: Why.
        h: How many stanzas of the client that session had handled, where that is known (XEP-0198 §5).
    """

    condition: StanzaCondition
    h: int | None = None


@final
@dataclass(frozen=True, slots=True)
class StreamEnded:
    """We end the stream for a reason outside it: a time-out, the server's stop, too many log-ins.

    Attributes:
        condition: What the client is told.
        text: The same for people.
        detail: The same as an element of the application (RFC 6120 §4.9.4).
    """

    condition: StreamCondition
    text: str = ""
    detail: bytes = b""


Answer = (
    TlsEstablished
    | CertificateShown
    | CredentialsFound
    | CredentialsMissing
    | CredentialsUnavailable
    | PasswordVerified
    | PasswordRefused
    | RegistrationAnswered
    | GuestMade
    | GuestRefused
    | Bound
    | BindRefused
    | Resumed
    | ResumeRefused
    | StreamEnded
)
Input = Event | Answer


# --- What the connection is to do, in the order given -------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes."""

    data: bytes


@final
@dataclass(frozen=True, slots=True)
class StartTls:
    """Throw away whatever the client sent after its last element, and start TLS.

    Bytes that came in clear must not be read as if TLS had protected them (RFC 6120 §5.4.3.3). Once TLS
    is in force: begin with a new XML stream and report `TlsEstablished`. If it fails: drop the connection.
    """


@final
@dataclass(frozen=True, slots=True)
class FetchCredentials:
    """Look up the keys of this account; report `CredentialsFound`, `…Missing` or `…Unavailable`."""

    account: JID


@final
@dataclass(frozen=True, slots=True)
class VerifyPassword:
    """Verify the password, off the loop; report `PasswordVerified` or `PasswordRefused`."""

    password: str = field(repr=False)  # so that no crash report carries it
    keys: ScramKeys


@final
@dataclass(frozen=True, slots=True)
class ReplaceKeys:
    """Put keys in the place of those that have served once, for good.

    Then report `PasswordVerified`; `PasswordRefused` if they had served before, `CredentialsUnavailable` if
    that cannot be known.
    """

    account: JID
    before: ScramKeys
    after: ScramKeys


@final
@dataclass(frozen=True, slots=True)
class LoginFailed:
    """Count a failed attempt to log in, as this account if the client got as far as naming one."""

    account: JID | None
    condition: SaslCondition


@final
@dataclass(frozen=True, slots=True)
class RestartStream:
    """Begin a new XML stream with what the client has sent since; limits for accounts hold from here."""

    account: JID


@final
@dataclass(frozen=True, slots=True)
class Admit:
    """The stream goes on, as this account's; limits for accounts hold from here."""

    account: JID


@final
@dataclass(frozen=True, slots=True)
class RequestRegistration:
    """Answer this request to register (XEP-0077) by `RegistrationAnswered`."""

    request: Stanza


@final
@dataclass(frozen=True, slots=True)
class MakeGuest:
    """Make this account, for as long as it has a session; report `GuestMade` or `GuestRefused`."""

    account: JID


@final
@dataclass(frozen=True, slots=True)
class BindResource:
    """Claim this full JID and start its session; report `Bound` or `BindRefused`.

    Attributes:
        jid: What the client wants.
        is_fixed: Whether the client could not be told of another, as in XEP-0078.
    """

    jid: JID
    is_fixed: bool = False


@final
@dataclass(frozen=True, slots=True)
class ResumeSession:
    """Give this stream to an earlier session of the account; report `Resumed` or `ResumeRefused`.

    A client that claims to have handled more than it was sent is answered by a `StreamEnded` with
    undefined-condition and the detail that XEP-0198 §6 asks for.

    Attributes:
        account: Whose stream it is, and whose session it must be.
        previd: The session's SM-ID, as the client says.
        h: How many stanzas of that session the client has handled, modulo 2**32.
        is_guest: Whether the client is nobody in particular: then it may have any session of such a client,
            whose unguessable id is all that can be proof of that.
    """

    account: JID
    previd: str
    h: int
    is_guest: bool = False


@final
@dataclass(frozen=True, slots=True)
class Established:
    """The stream belongs to the session of this full JID; the negotiation is over and can be dropped."""

    jid: JID


@final
@dataclass(frozen=True, slots=True)
class CloseStream:
    """Close the connection once everything is written."""


Action = (
    Send
    | StartTls
    | FetchCredentials
    | VerifyPassword
    | ReplaceKeys
    | LoginFailed
    | RestartStream
    | Admit
    | RequestRegistration
    | MakeGuest
    | BindResource
    | ResumeSession
    | Established
    | CloseStream
)


# --- What handlers are given and what they return -----------------------------------------------------


class Setup(NamedTuple):
    """What all streams of one listener have in common."""

    host: str
    framing: Framing
    bits: SessionBits  # what a stream may do from its start
    features: tuple[StreamFeature, ...]
    decoy_secret: bytes  # of the server, the same after a restart
    see_other_host: str  # where clients are sent instead of being served; empty if nowhere
    end_point: Callable[[], bytes | None]  # the hash of its certificate (RFC 5929 §4.1), if it can be had
    new_stream_id: Callable[[], str]
    new_nonce: Callable[[], str]
    new_resource: Callable[[], str]


class Attempt(NamedTuple):
    """One attempt to log in."""

    mechanism: Mechanism
    exchange: Exchange
    account: JID | None = None  # once the client has named it
    is_disabled: bool = False  # then it is told so, when it has proved who it is


@final
@dataclass(frozen=True, slots=True)
class OldAttempt:
    """One request of XEP-0078; the account is None where the request names nobody who could exist."""

    request: Stanza = field(repr=False)  # its password is in it
    account: JID | None = None
    resource: str = ""
    is_guest: bool = False  # then the account is to be made


class Progress(NamedTuple):
    """All that is known of one stream. Handlers return a new one."""

    state: State
    bits: SessionBits
    header_sent: bool = False
    end_point: bytes | None = None  # of the TLS that is in force, for log-ins to be bound to
    addresses: tuple[str, ...] = ()  # in the client's certificate
    stream_id: str = ""  # ours, of the stream that is open
    logins_failed: int = 0
    sasl_failed: bool = False  # by SASL; then the old log-in is closed to it (XEP-0078 §3.1)
    requests: int = 0
    attempt: Attempt | None = None
    old_attempt: OldAttempt | None = None
    account: JID | None = None  # whose stream it is, since authentication
    bind_request: Stanza | None = None  # while the resource is being claimed
    bind_jid: JID | None = None  # what is to be claimed, while there is no account for it yet


class Step(NamedTuple):
    """What follows from an event."""

    progress: Progress
    actions: tuple[Action, ...]
