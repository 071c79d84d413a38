"""The table of mechanisms."""

from protocols.sasl.exchange import Circumstances, GuestWelcome, IdentityClaimed
from protocols.sasl.keys import DIGEST_MD5, SCRAM_MECHANISMS
from protocols.sasl.mechanisms import MECHANISMS, offer_of
from protocols.session_bits import SessionBits

CIRCUMSTANCES = Circumstances("localhost", "3rfcNHYJY1ZVvWVs7j", b"hash", ("user@localhost",))
FIRST_MESSAGE = {
    "EXTERNAL": b"",
    "SCRAM-SHA-256-PLUS": b"p=tls-server-end-point,,n=user,r=fyko",
    "SCRAM-SHA-1-PLUS": b"p=tls-server-end-point,,n=user,r=fyko",
    "SCRAM-SHA-256": b"n,,n=user,r=fyko",
    "SCRAM-SHA-1": b"n,,n=user,r=fyko",
    "PLAIN": b"\0user\0pencil",
    "DIGEST-MD5": (
        b'username="user",nonce="3rfcNHYJY1ZVvWVs7j",cnonce="a",nc=00000001,digest-uri="xmpp/localhost",response=b'
    ),
    "ANONYMOUS": b"user@example.com",
}


def test_mechanisms_are_offered_strongest_first() -> None:
    assert [mechanism.name for mechanism in MECHANISMS] == [
        "EXTERNAL",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "PLAIN",
        "DIGEST-MD5",
        "ANONYMOUS",
    ]


def test_mechanisms_each_begin_with_a_client_that_says_who_it_is() -> None:
    for mechanism in MECHANISMS:
        exchange = mechanism.begin(CIRCUMSTANCES)
        said = GuestWelcome() if mechanism.name == "ANONYMOUS" else IdentityClaimed("user", "")
        assert exchange.respond(FIRST_MESSAGE[mechanism.name]) == said


def test_mechanisms_ask_for_keys_that_exist() -> None:
    for mechanism in MECHANISMS:
        assert set(mechanism.keys) <= {*SCRAM_MECHANISMS, DIGEST_MD5}


def test_offer_is_sorted_and_has_bindings_where_there_are_any() -> None:
    both = SessionBits.BINDABLE | SessionBits.CERTIFIED
    assert offer_of(SessionBits.NONE) == b"PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256"
    assert offer_of(both) == (
        b"EXTERNAL\x1ePLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1eSCRAM-SHA-256\x1eSCRAM-SHA-256-PLUS"
        b"\x1ftls-server-end-point"
    )
