"""The negotiation of a client's stream, from its header to its session, as a table (RFC 6120 §4-§7).

No I/O: the connection gives it what the client's stream says and the answers to what it asked for, and
carries out the actions that come back. `RULES` says what may happen in which state, who handles it and
which states can follow; what is not in the table cannot happen. Handlers are pure functions, by topic:
`negotiation_stream` (headers, TLS, faults), `negotiation_login` (SASL),
`negotiation_old_login` (jabber:iq:auth) and `negotiation_session` (registration, resource binding, resumption
of an earlier session).

Direct TLS and WebSocket use the same table: their streams begin with other bits (`SessionBits`).

The connection's obligations:

1. It carries out the actions in their order.
2. While `is_waiting` is true it holds back what the client sends, in order, and reports nothing but the
   answer it was asked for. A `StreamEnded` it may report at any time.
3. It gives the client a bounded time, and reports `StreamEnded` when that is over.
4. After `Established` it drops the negotiation; every stanza from there on is the session's, the session
   request of RFC 3921 §3 included. Of a session that is resumed (XEP-0198 §5) nothing has been written then:
   the session itself says `<resumed/>` before all else.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Final, NamedTuple, TypeVar, cast, final

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jid import JID
from protocols.namespaces import AUTH, BIND, REGISTER, SASL, STREAM_MANAGEMENT, TLS
from protocols.negotiation_login import (
    abort_login,
    accept_password,
    begin_login,
    continue_login,
    fail_login,
    refuse_login_again,
    refuse_password,
    refuse_stray_response,
    report_store_away,
    take_credentials,
    take_no_credentials,
)
from protocols.negotiation_old_login import (
    accept_old_password,
    begin_old_session,
    refuse_old_bind,
    refuse_old_password,
    report_store_away_to_old,
    request_old_login,
    take_no_old_credentials,
    take_old_credentials,
)
from protocols.negotiation_session import (
    answer_registration,
    begin_session,
    bind_guest,
    refuse_bind,
    refuse_management,
    refuse_resumption,
    refuse_stanza,
    request_bind,
    request_registration,
    request_resumption,
    resume_session,
)
from protocols.negotiation_stream import (
    COMPRESSION,
    close_stream,
    drop_stream,
    end_stream,
    fail_stream,
    note_certificate,
    open_stream,
    refuse_compression,
    refuse_element,
    refuse_header,
    refuse_tls,
    report_fault,
    restart_after_tls,
    start_tls,
)
from protocols.negotiation_values import (
    WAITING_STATES,
    Action,
    BindRefused,
    Bound,
    CertificateShown,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    GuestMade,
    GuestRefused,
    Input,
    PasswordRefused,
    PasswordVerified,
    Progress,
    RegistrationAnswered,
    Resumed,
    ResumeRefused,
    Setup,
    State,
    Step,
    StreamEnded,
    TlsEstablished,
)
from protocols.sasl.exchange import SaslFailure
from protocols.session_bits import SessionBits
from protocols.stanza import Stanza, StanzaKind
from protocols.stream_events import (
    ElementReceived,
    StanzaReceived,
    StanzaRefused,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)


class Kind(Enum):
    """What an event is to the negotiation: the columns of the table."""

    STREAM_OPENED = auto()
    STREAM_CLOSED = auto()
    STREAM_FAILED = auto()
    STARTTLS = auto()
    AUTH = auto()
    RESPONSE = auto()
    ABORT = auto()
    COMPRESS = auto()
    RESUME = auto()
    OTHER_MANAGEMENT = auto()
    OTHER_ELEMENT = auto()
    REGISTER_REQUEST = auto()
    AUTH_REQUEST = auto()
    BIND_REQUEST = auto()
    OTHER_STANZA = auto()
    TLS_ESTABLISHED = auto()
    CERTIFICATE_SHOWN = auto()
    CREDENTIALS_FOUND = auto()
    CREDENTIALS_MISSING = auto()
    CREDENTIALS_UNAVAILABLE = auto()
    PASSWORD_VERIFIED = auto()
    PASSWORD_REFUSED = auto()
    REGISTRATION_ANSWERED = auto()
    GUEST_MADE = auto()
    GUEST_REFUSED = auto()
    BOUND = auto()
    BIND_REFUSED = auto()
    RESUMED = auto()
    RESUME_REFUSED = auto()
    STREAM_ENDED = auto()


class Rule(NamedTuple):
    """Who handles an event, and which states can follow.

    Beyond these: a `RemoteProtocolError` closes the stream, and a `SaslFailure` leads back to
    WAIT_FOR_FEATURE_REQUEST or, after too many, closes it too.
    """

    handler: Callable[[Setup, Progress, Input], Step]
    targets: frozenset[State]


_E = TypeVar("_E", bound=Input)


def _rule(handler: Callable[[Setup, Progress, _E], Step], *targets: State) -> Rule:
    """Return the rule; that a handler gets only events of its type is what `kind_of` sees to."""
    return Rule(cast("Callable[[Setup, Progress, Input], Step]", handler), frozenset(targets))


_S = State
_K = Kind

# What comes of each thing a client can do, in every state that listens to it and says nothing else.
_ALWAYS: Final[Mapping[Kind, Rule]] = {
    _K.STREAM_OPENED: _rule(refuse_header),
    _K.STREAM_CLOSED: _rule(close_stream, _S.CLOSED),
    _K.STREAM_FAILED: _rule(report_fault),
    _K.OTHER_ELEMENT: _rule(refuse_element),
    _K.REGISTER_REQUEST: _rule(refuse_stanza),
    _K.AUTH_REQUEST: _rule(refuse_stanza),
    _K.BIND_REQUEST: _rule(refuse_stanza),
    _K.OTHER_STANZA: _rule(refuse_stanza),
    _K.STARTTLS: _rule(refuse_tls, _S.CLOSED),
    _K.AUTH: _rule(refuse_element),
    _K.RESPONSE: _rule(refuse_element),
    _K.ABORT: _rule(refuse_element),
    _K.COMPRESS: _rule(refuse_element),
    _K.RESUME: _rule(refuse_element),
    _K.OTHER_MANAGEMENT: _rule(refuse_element),
}
_ENDED: Final[Mapping[Kind, Rule]] = {_K.STREAM_ENDED: _rule(end_stream, _S.CLOSED)}


def _unmanaged(state: State) -> Mapping[Kind, Rule]:
    """Return what an open stream says to stream management where that has no place (XEP-0198 §3)."""
    rule = _rule(refuse_management, state)
    return {_K.RESUME: rule, _K.OTHER_MANAGEMENT: rule}


# The answers of a log-in lead to its next step, to another stream, or by way of SaslFailure back.
_LOGIN_STEPS: Final = (
    _S.WAIT_FOR_SASL_RESPONSE,
    _S.WAIT_FOR_CREDENTIALS,
    _S.WAIT_FOR_PASSWORD_CHECK,
    _S.WAIT_FOR_STREAM,
)

_BEFORE_LOGIN: Final = (_S.WAIT_FOR_FEATURE_REQUEST, _S.WAIT_FOR_AUTH)
# A form or a refusal, another check, or the resource; closed after too many refusals.
_OLD_LOGIN_STEPS: Final = (*_BEFORE_LOGIN, _S.WAIT_FOR_AUTH_CHECK, _S.WAIT_FOR_AUTH_RESOURCE, _S.CLOSED)

RULES: Final[Mapping[State, Mapping[Kind, Rule]]] = {
    _S.WAIT_FOR_STREAM: {
        **_ALWAYS,
        **_ENDED,
        _K.CERTIFICATE_SHOWN: _rule(note_certificate, _S.WAIT_FOR_STREAM),
        _K.STREAM_OPENED: _rule(
            open_stream, _S.WAIT_FOR_FEATURE_REQUEST, _S.WAIT_FOR_AUTH, _S.WAIT_FOR_BIND, _S.CLOSED
        ),
    },
    _S.WAIT_FOR_FEATURE_REQUEST: {
        **_ALWAYS,
        **_ENDED,
        **_unmanaged(_S.WAIT_FOR_FEATURE_REQUEST),
        _K.STARTTLS: _rule(start_tls, _S.WAIT_FOR_TLS, _S.CLOSED),
        _K.AUTH: _rule(begin_login, _S.WAIT_FOR_SASL_RESPONSE, _S.WAIT_FOR_CREDENTIALS, _S.WAIT_FOR_STREAM),
        _K.RESPONSE: _rule(refuse_stray_response),
        _K.ABORT: _rule(abort_login),
        _K.COMPRESS: _rule(refuse_compression, _S.WAIT_FOR_FEATURE_REQUEST),
        _K.REGISTER_REQUEST: _rule(
            request_registration, _S.WAIT_FOR_REGISTRATION, _S.WAIT_FOR_FEATURE_REQUEST
        ),
        _K.AUTH_REQUEST: _rule(request_old_login, _S.WAIT_FOR_AUTH_KEYS, _S.WAIT_FOR_FEATURE_REQUEST),
    },
    _S.WAIT_FOR_AUTH: {
        **_ALWAYS,
        **_ENDED,
        _K.REGISTER_REQUEST: _rule(request_registration, _S.WAIT_FOR_REGISTRATION, _S.WAIT_FOR_AUTH),
        _K.AUTH_REQUEST: _rule(request_old_login, _S.WAIT_FOR_AUTH_KEYS, _S.WAIT_FOR_AUTH),
    },
    _S.WAIT_FOR_AUTH_KEYS: {
        **_ENDED,
        _K.CREDENTIALS_FOUND: _rule(take_old_credentials, *_OLD_LOGIN_STEPS),
        _K.CREDENTIALS_MISSING: _rule(take_no_old_credentials, *_OLD_LOGIN_STEPS),
        _K.CREDENTIALS_UNAVAILABLE: _rule(report_store_away_to_old, *_BEFORE_LOGIN),
        _K.GUEST_MADE: _rule(accept_old_password, _S.WAIT_FOR_AUTH_RESOURCE),
        _K.GUEST_REFUSED: _rule(refuse_old_bind, *_BEFORE_LOGIN),
    },
    _S.WAIT_FOR_AUTH_CHECK: {
        **_ENDED,
        _K.PASSWORD_VERIFIED: _rule(accept_old_password, _S.WAIT_FOR_AUTH_RESOURCE),
        _K.PASSWORD_REFUSED: _rule(refuse_old_password, *_BEFORE_LOGIN, _S.CLOSED),
        _K.CREDENTIALS_UNAVAILABLE: _rule(report_store_away_to_old, *_BEFORE_LOGIN),
    },
    _S.WAIT_FOR_AUTH_RESOURCE: {
        **_ENDED,
        _K.BOUND: _rule(begin_old_session, _S.SESSION_ESTABLISHED),
        _K.BIND_REFUSED: _rule(refuse_old_bind, *_BEFORE_LOGIN),
    },
    _S.WAIT_FOR_TLS: {
        _K.STREAM_ENDED: _rule(drop_stream, _S.CLOSED),
        _K.TLS_ESTABLISHED: _rule(restart_after_tls, _S.WAIT_FOR_STREAM),
    },
    _S.WAIT_FOR_SASL_RESPONSE: {
        **_ALWAYS,
        **_ENDED,
        **_unmanaged(_S.WAIT_FOR_SASL_RESPONSE),
        _K.AUTH: _rule(refuse_stray_response),
        _K.RESPONSE: _rule(continue_login, *_LOGIN_STEPS),
        _K.ABORT: _rule(abort_login),
    },
    _S.WAIT_FOR_CREDENTIALS: {
        **_ENDED,
        _K.CREDENTIALS_FOUND: _rule(take_credentials, *_LOGIN_STEPS),
        _K.CREDENTIALS_MISSING: _rule(take_no_credentials, *_LOGIN_STEPS),
        _K.CREDENTIALS_UNAVAILABLE: _rule(report_store_away),
    },
    _S.WAIT_FOR_PASSWORD_CHECK: {
        **_ENDED,
        _K.PASSWORD_VERIFIED: _rule(accept_password, _S.WAIT_FOR_STREAM),
        _K.PASSWORD_REFUSED: _rule(refuse_password),
    },
    _S.WAIT_FOR_REGISTRATION: {
        **_ENDED,
        _K.REGISTRATION_ANSWERED: _rule(answer_registration, *_BEFORE_LOGIN),
    },
    _S.WAIT_FOR_BIND: {
        **_ALWAYS,
        **_ENDED,
        **_unmanaged(_S.WAIT_FOR_BIND),
        _K.AUTH: _rule(refuse_login_again),
        _K.BIND_REQUEST: _rule(request_bind, _S.WAIT_FOR_RESOURCE, _S.WAIT_FOR_GUEST, _S.WAIT_FOR_BIND),
        _K.RESUME: _rule(request_resumption, _S.WAIT_FOR_RESUMPTION, _S.WAIT_FOR_BIND),
    },
    _S.WAIT_FOR_GUEST: {
        **_ENDED,
        _K.GUEST_MADE: _rule(bind_guest, _S.WAIT_FOR_RESOURCE),
        _K.GUEST_REFUSED: _rule(refuse_bind, _S.WAIT_FOR_BIND),
    },
    _S.WAIT_FOR_RESOURCE: {
        **_ENDED,
        _K.BOUND: _rule(begin_session, _S.SESSION_ESTABLISHED),
        _K.BIND_REFUSED: _rule(refuse_bind, _S.WAIT_FOR_BIND),
    },
    _S.WAIT_FOR_RESUMPTION: {
        **_ENDED,
        _K.RESUMED: _rule(resume_session, _S.SESSION_ESTABLISHED),
        _K.RESUME_REFUSED: _rule(refuse_resumption, _S.WAIT_FOR_BIND),
    },
    _S.SESSION_ESTABLISHED: {},
    _S.CLOSED: {},
}

_KINDS: Final[Mapping[type, Kind]] = {
    StreamOpened: Kind.STREAM_OPENED,
    StreamClosed: Kind.STREAM_CLOSED,
    StreamFailed: Kind.STREAM_FAILED,
    StanzaRefused: Kind.OTHER_STANZA,
    TlsEstablished: Kind.TLS_ESTABLISHED,
    CertificateShown: Kind.CERTIFICATE_SHOWN,
    CredentialsFound: Kind.CREDENTIALS_FOUND,
    CredentialsMissing: Kind.CREDENTIALS_MISSING,
    CredentialsUnavailable: Kind.CREDENTIALS_UNAVAILABLE,
    PasswordVerified: Kind.PASSWORD_VERIFIED,
    PasswordRefused: Kind.PASSWORD_REFUSED,
    RegistrationAnswered: Kind.REGISTRATION_ANSWERED,
    GuestMade: Kind.GUEST_MADE,
    GuestRefused: Kind.GUEST_REFUSED,
    Bound: Kind.BOUND,
    BindRefused: Kind.BIND_REFUSED,
    Resumed: Kind.RESUMED,
    ResumeRefused: Kind.RESUME_REFUSED,
    StreamEnded: Kind.STREAM_ENDED,
}
_ELEMENT_KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    (TLS, "starttls"): Kind.STARTTLS,
    (SASL, "auth"): Kind.AUTH,
    (SASL, "response"): Kind.RESPONSE,
    (SASL, "abort"): Kind.ABORT,
    (COMPRESSION, "compress"): Kind.COMPRESS,
    (STREAM_MANAGEMENT, "resume"): Kind.RESUME,
}
_REQUEST_KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    (REGISTER, "query"): Kind.REGISTER_REQUEST,
    (AUTH, "query"): Kind.AUTH_REQUEST,
    (BIND, "bind"): Kind.BIND_REQUEST,
}


def kind_of(event: Input) -> Kind:
    """Return what an event is to the negotiation."""
    if isinstance(event, ElementReceived):
        other = Kind.OTHER_MANAGEMENT if event.namespace == STREAM_MANAGEMENT else Kind.OTHER_ELEMENT
        return _ELEMENT_KINDS.get((event.namespace, event.name), other)
    if isinstance(event, StanzaReceived):
        return _kind_of_stanza(event.stanza)
    return _KINDS[type(event)]


def _kind_of_stanza(stanza: Stanza) -> Kind:
    if stanza.kind is StanzaKind.IQ and stanza.type in {"get", "set"} and stanza.payload is not None:
        return _REQUEST_KINDS.get(stanza.payload, Kind.OTHER_STANZA)
    return Kind.OTHER_STANZA


@final
class Negotiation:
    """The negotiation of one stream. The connection drops it once the session is established."""

    __slots__ = ("_progress", "_setup")

    def __init__(self, setup: Setup) -> None:
        """Wait for the client's stream header.

        Args:
            setup: What the stream has in common with the others of its listener.
        """
        self._setup = setup
        self._progress = Progress(State.WAIT_FOR_STREAM, setup.bits)

    @property
    def state(self) -> State:
        """Where the negotiation stands."""
        return self._progress.state

    @property
    def bits(self) -> SessionBits:
        """What the stream may do, and has reached."""
        return self._progress.bits

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the connection, which must hold back what the client sends meanwhile."""
        return self._progress.state in WAITING_STATES

    @property
    def account(self) -> JID | None:
        """Whose stream this is; None before authentication."""
        return self._progress.account

    def receive(self, event: Input) -> list[Action]:
        """Take one event, and return what is to be done about it.

        Once the stream is closed nothing is done any more: what arrives then was on its way before.

        Raises:
            LocalProtocolError: If the event cannot happen in this state.
        """
        if self._progress.state is State.CLOSED:
            return []
        step = self._decide(event)
        self._progress = step.progress
        return list(step.actions)

    def _decide(self, event: Input) -> Step:
        setup, progress = self._setup, self._progress
        kind = kind_of(event)
        rule = RULES[progress.state].get(kind)
        if rule is None:
            raise LocalProtocolError(f"{kind.name} cannot happen in {progress.state.name}")
        try:
            step = rule.handler(setup, progress, event)
        except SaslFailure as failure:
            return fail_login(setup, progress, failure)
        except RemoteProtocolError as error:
            return fail_stream(setup, progress, error)
        if step.progress.state not in rule.targets:
            raise LocalProtocolError(
                f"{kind.name} cannot lead from {progress.state.name} to {step.progress.state.name}"
            )
        return step
