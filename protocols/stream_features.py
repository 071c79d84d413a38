"""Stream features: what may be negotiated next, as values (RFC 6120 §4.3.2, XEP-0170).

A feature says what the stream must have reached before it is offered and what takes the offer back;
the set on offer is computed from that. To add a feature, add one value to the set that a listener gives
to `negotiation`.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, NamedTuple

from protocols.namespaces import (
    AUTH_FEATURE,
    BIND,
    PRE_APPROVAL,
    REGISTER_FEATURE,
    ROSTER_VERSIONING,
    SASL,
    SASL_CHANNEL_BINDING,
    SESSION,
    STREAM_LIMITS,
    STREAM_MANAGEMENT,
    TLS,
)
from protocols.sasl.mechanisms import offered_mechanisms
from protocols.sasl.scram import END_POINT_TYPE
from protocols.session_bits import SessionBits


class StreamFeature(NamedTuple):
    """One feature: when it is on offer, and how it is advertised."""

    name: str
    needs: SessionBits
    forbids: SessionBits
    required: bool  # whether there is no session before it has been negotiated
    advertisement: bytes | Callable[[SessionBits], bytes]

    def is_offered(self, bits: SessionBits) -> bool:
        """Tell whether a stream with these bits is offered this feature."""
        return self.needs in bits and not self.forbids & bits

    def advertise(self, bits: SessionBits) -> bytes:
        """Return what tells a stream with these bits of the feature."""
        return self.advertisement if isinstance(self.advertisement, bytes) else self.advertisement(bits)


def offered_features(features: Iterable[StreamFeature], bits: SessionBits) -> list[StreamFeature]:
    """Return the features that are on offer, in the order given."""
    return [feature for feature in features if feature.is_offered(bits)]


def is_offered(name: str, features: Iterable[StreamFeature], bits: SessionBits) -> bool:
    """Tell whether the feature of that name is on offer."""
    return any(feature.name == name and feature.is_offered(bits) for feature in features)


def outstanding_features(features: Iterable[StreamFeature], bits: SessionBits) -> list[StreamFeature]:
    """Return the features that must still be negotiated; when there are none, the session begins."""
    return [feature for feature in offered_features(features, bits) if feature.required]


@cache
def _advertise_mechanisms(bits: SessionBits) -> bytes:
    names = "".join(f"<mechanism>{each.name}</mechanism>" for each in offered_mechanisms(bits))
    return f"<mechanisms xmlns='{SASL}'>{names}</mechanisms>".encode()


# Until TLS is in force nothing else is offered where it is required: LOGIN_ALLOWED is missing (RFC 6120
# §5.3.1). Where it is not required, TLS can be had all the same.
STARTTLS_REQUIRED: Final = StreamFeature(
    name="starttls",
    needs=SessionBits.STARTTLS_POSSIBLE,
    forbids=SessionBits.LOGIN_ALLOWED | SessionBits.SECURE | SessionBits.AUTHENTICATED,
    required=True,
    advertisement=f"<starttls xmlns='{TLS}'><required/></starttls>".encode(),
)
STARTTLS_OPTIONAL: Final = StreamFeature(
    name="starttls",
    needs=SessionBits.STARTTLS_POSSIBLE | SessionBits.LOGIN_ALLOWED,
    forbids=SessionBits.SECURE | SessionBits.AUTHENTICATED,
    required=False,
    advertisement=f"<starttls xmlns='{TLS}'/>".encode(),
)
LOGIN: Final = StreamFeature(
    name="mechanisms",
    needs=SessionBits.LOGIN_ALLOWED,
    forbids=SessionBits.AUTHENTICATED,
    required=True,
    advertisement=_advertise_mechanisms,
)
BINDING_TYPES: Final = StreamFeature(
    name="sasl-channel-binding",
    needs=SessionBits.LOGIN_ALLOWED | SessionBits.BINDABLE,
    forbids=SessionBits.AUTHENTICATED,
    required=False,
    advertisement=(
        f"<sasl-channel-binding xmlns='{SASL_CHANNEL_BINDING}'><channel-binding type='{END_POINT_TYPE}'/>"
        "</sasl-channel-binding>"
    ).encode(),
)
OLD_LOGIN: Final = StreamFeature(
    name="iq-auth",
    needs=SessionBits.LOGIN_ALLOWED | SessionBits.OLD_LOGIN_ALLOWED,
    forbids=SessionBits.AUTHENTICATED,
    required=False,
    advertisement=f"<auth xmlns='{AUTH_FEATURE}'/>".encode(),
)
REGISTRATION: Final = StreamFeature(
    name="register",
    needs=SessionBits.LOGIN_ALLOWED | SessionBits.REGISTRATION_OPEN,
    forbids=SessionBits.AUTHENTICATED,
    required=False,
    advertisement=f"<register xmlns='{REGISTER_FEATURE}'/>".encode(),
)
RESOURCE_BINDING: Final = StreamFeature(
    name="bind",
    needs=SessionBits.AUTHENTICATED,
    forbids=SessionBits.BOUND,
    required=True,
    advertisement=f"<bind xmlns='{BIND}'/>".encode(),
)


def _informational(name: str, advertisement: str) -> StreamFeature:
    """Return a feature that only says what the session will be able to do: nothing is negotiated."""
    return StreamFeature(
        name=name,
        needs=SessionBits.AUTHENTICATED,
        forbids=SessionBits.BOUND,
        required=False,
        advertisement=advertisement.encode(),
    )


# RFC 3921 §3 made clients ask for a session; those that still do are told that they need not.
SESSION_REQUEST: Final = _informational("session", f"<session xmlns='{SESSION}'><optional/></session>")
ROSTER_VERSIONS: Final = _informational("ver", f"<ver xmlns='{ROSTER_VERSIONING}'/>")
PRE_APPROVED_SUBSCRIPTIONS: Final = _informational("sub", f"<sub xmlns='{PRE_APPROVAL}'/>")
# Resumed here in place of binding, or enabled in the session (XEP-0198); a stream can do without.
MANAGED_SESSIONS: Final = _informational("sm", f"<sm xmlns='{STREAM_MANAGEMENT}'/>")


def stream_limits(bytes_before_login: int, bytes_max: int, idle_seconds: int) -> tuple[StreamFeature, ...]:
    """Return what tells a client the limits of its stream, before log-in and after (XEP-0478 §3.1).

    Args:
        bytes_before_login: The largest element taken from a client that has not logged in.
        bytes_max: The largest stanza taken from one that has.
        idle_seconds: How long that one may be silent before it is asked for a sign of life.
    """
    idle = f"<idle-seconds>{idle_seconds}</idle-seconds>"
    return (
        StreamFeature(
            name="limits",
            needs=SessionBits.LOGIN_ALLOWED,
            forbids=SessionBits.AUTHENTICATED,
            required=False,
            advertisement=_limits(f"<max-bytes>{bytes_before_login}</max-bytes>").encode(),
        ),
        _informational("limits", _limits(f"<max-bytes>{bytes_max}</max-bytes>{idle}")),
    )


def _limits(content: str) -> str:
    return f"<limits xmlns='{STREAM_LIMITS}'>{content}</limits>"


# What a client's stream is offered, in the order in which XEP-0170 recommends to negotiate.
CLIENT_FEATURES: Final = (
    STARTTLS_REQUIRED,
    STARTTLS_OPTIONAL,
    LOGIN,
    BINDING_TYPES,
    OLD_LOGIN,
    REGISTRATION,
    RESOURCE_BINDING,
    SESSION_REQUEST,
    ROSTER_VERSIONS,
    PRE_APPROVED_SUBSCRIPTIONS,
    MANAGED_SESSIONS,
)
