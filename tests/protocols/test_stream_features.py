"""Which features are on offer when."""

from itertools import combinations

import pytest

from protocols.sasl.mechanisms import MECHANISMS
from protocols.session_bits import SessionBits
from protocols.stream_features import (
    CLIENT_FEATURES,
    StreamFeature,
    is_offered,
    offered_features,
    outstanding_features,
    stream_limits,
)

B = SessionBits
AFTER_LOGIN = ["bind", "session", "ver", "sub", "sm"]

# The streams of a server in their order: what a listener allows, then what the stream has reached.
OFFERS = [
    ("starttls-required", B.STARTTLS_POSSIBLE, ["starttls"]),
    ("starttls-required-registration-open", B.STARTTLS_POSSIBLE | B.REGISTRATION_OPEN, ["starttls"]),
    ("tls-optional", B.STARTTLS_POSSIBLE | B.LOGIN_ALLOWED, ["starttls", "mechanisms"]),
    ("clear-only", B.LOGIN_ALLOWED, ["mechanisms"]),
    ("neither-tls-nor-clear", B.NONE, []),
    ("direct-tls", B.SECURE | B.LOGIN_ALLOWED, ["mechanisms"]),
    ("after-starttls", B.STARTTLS_POSSIBLE | B.SECURE | B.LOGIN_ALLOWED, ["mechanisms"]),
    (
        "registration-open",
        B.REGISTRATION_OPEN | B.SECURE | B.LOGIN_ALLOWED,
        ["mechanisms", "register"],
    ),
    (
        "after-login",
        B.STARTTLS_POSSIBLE | B.REGISTRATION_OPEN | B.SECURE | B.LOGIN_ALLOWED | B.AUTHENTICATED,
        AFTER_LOGIN,
    ),
    (
        "after-login-in-clear",
        B.STARTTLS_POSSIBLE | B.LOGIN_ALLOWED | B.AUTHENTICATED,
        AFTER_LOGIN,
    ),
    ("bound", B.SECURE | B.LOGIN_ALLOWED | B.AUTHENTICATED | B.BOUND, []),
]


@pytest.mark.parametrize(("bits", "names"), [row[1:] for row in OFFERS], ids=[row[0] for row in OFFERS])
def test_offered_features_follow_from_the_bits(bits: SessionBits, names: list[str]) -> None:
    assert [feature.name for feature in offered_features(CLIENT_FEATURES, bits)] == names
    for feature in CLIENT_FEATURES:
        assert is_offered(feature.name, CLIENT_FEATURES, bits) == (feature.name in names)


def every_combination() -> list[SessionBits]:
    return [
        SessionBits(sum(bit.value for bit in bits))
        for count in range(len(SessionBits) + 1)
        for bits in combinations(SessionBits, count)
    ]


def test_offered_features_hold_for_every_combination_of_bits() -> None:
    """The rules that no set of bits may break, however it came about."""
    for bits in every_combination():
        check_offer(bits)


def check_offer(bits: SessionBits) -> None:
    names = [feature.name for feature in offered_features(CLIENT_FEATURES, bits)]
    assert len(names) == len(set(names))
    if not bits & (B.LOGIN_ALLOWED | B.AUTHENTICATED):
        assert set(names) <= {"starttls"}
    if bits & B.AUTHENTICATED:
        assert not {"starttls", "mechanisms", "register"} & set(names)
    else:
        assert not set(AFTER_LOGIN) & set(names)
    if "register" in names:
        assert bits & B.REGISTRATION_OPEN


def test_outstanding_features_end_with_binding() -> None:
    reached = B.STARTTLS_POSSIBLE
    outstanding = []
    for step in [B.NONE, B.SECURE | B.LOGIN_ALLOWED, B.AUTHENTICATED, B.BOUND]:
        reached |= step
        outstanding.append([feature.name for feature in outstanding_features(CLIENT_FEATURES, reached)])
    assert outstanding == [["starttls"], ["mechanisms"], ["bind"], []]


def test_advertisements_are_what_goes_on_the_wire() -> None:
    bits = B.STARTTLS_POSSIBLE
    assert [feature.advertise(bits) for feature in offered_features(CLIENT_FEATURES, bits)] == [
        b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    ]
    bits |= B.LOGIN_ALLOWED | B.REGISTRATION_OPEN
    assert [feature.advertise(bits) for feature in offered_features(CLIENT_FEATURES, bits)] == [
        b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        (
            b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
            b"<mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism>"
            b"<mechanism>PLAIN</mechanism></mechanisms>"
        ),
        b"<register xmlns='http://jabber.org/features/iq-register'/>",
    ]
    bits |= B.AUTHENTICATED
    assert [feature.advertise(bits) for feature in offered_features(CLIENT_FEATURES, bits)] == [
        b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
        b"<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>",
        b"<ver xmlns='urn:xmpp:features:rosterver'/>",
        b"<sub xmlns='urn:xmpp:features:pre-approval'/>",
        b"<sm xmlns='urn:xmpp:sm:3'/>",
    ]


def test_limits_are_told_before_and_after_log_in() -> None:
    limits = stream_limits(100, 2_000, 30)
    assert [
        [feature.advertise(bits) for feature in offered_features(limits, bits)]
        for bits in (B.STARTTLS_POSSIBLE, B.LOGIN_ALLOWED, B.LOGIN_ALLOWED | B.AUTHENTICATED)
    ] == [
        [],
        [b"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>100</max-bytes></limits>"],
        [
            (
                b"<limits xmlns='urn:xmpp:stream-limits:0'>"
                b"<max-bytes>2000</max-bytes><idle-seconds>30</idle-seconds></limits>"
            )
        ],
    ]
    assert outstanding_features(limits, B.AUTHENTICATED) == []


@pytest.mark.parametrize(
    "more",
    [B.NONE, B.BINDABLE, B.CERTIFIED, B.GUESTS_ALLOWED, B.DIGEST_MD5_ALLOWED, B.BINDABLE | B.CERTIFIED],
)
def test_every_mechanism_is_advertised_where_it_can_be_had(more: SessionBits) -> None:
    bits = B.SECURE | B.LOGIN_ALLOWED | more
    offered = offered_features(CLIENT_FEATURES, bits)
    (advertised,) = [feature.advertise(bits) for feature in offered if feature.name == "mechanisms"]
    for mechanism in MECHANISMS:
        is_there = f"<mechanism>{mechanism.name}</mechanism>".encode() in advertised
        assert is_there == (mechanism.needs in bits)
    assert is_offered("sasl-channel-binding", CLIENT_FEATURES, bits) == (B.BINDABLE in more)


def test_a_new_feature_is_one_value() -> None:
    more = StreamFeature("more", B.AUTHENTICATED, B.BOUND, required=False, advertisement=b"<m xmlns='x'/>")
    features = (*CLIENT_FEATURES, more)
    assert is_offered("more", features, B.AUTHENTICATED)
    assert not is_offered("more", features, B.LOGIN_ALLOWED)
