"""PLAIN, RFC 4616."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.sasl.exchange import IdentityClaimed, PasswordGiven, SaslFailure
from protocols.sasl.keys import SCRAM_SHA_256, decoy_keys
from protocols.sasl.plain import PlainExchange

KEYS = decoy_keys(SCRAM_SHA_256, "tim", b"secret")


@pytest.mark.parametrize(
    ("message", "claimed", "password"),
    [
        (b"\0tim\0tanstaaftanstaaf", IdentityClaimed("tim", ""), "tanstaaftanstaaf"),
        (b"Ursel\0Kurt\0xipj3plmq", IdentityClaimed("Kurt", "Ursel"), "xipj3plmq"),
        ("\0тим\0пароль".encode(), IdentityClaimed("тим", ""), "пароль"),
    ],
    ids=["rfc-4616-example-1", "rfc-4616-example-2", "non-ascii"],
)
def test_plain_message_names_the_account_and_gives_the_password(
    message: bytes, claimed: IdentityClaimed, password: str
) -> None:
    exchange = PlainExchange()
    assert exchange.respond(message) == claimed
    assert exchange.resume(KEYS) == PasswordGiven(password, KEYS)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"tim",
        b"\0tim",
        b"\0tim\0",
        b"\0\0password",
        b"\0tim\0pass\0word",
        b"\0tim\0\xff",
        b"\xff\0tim\0x",
    ],
)
def test_plain_malformed_message_is_refused(message: bytes) -> None:
    with pytest.raises(SaslFailure) as caught:
        PlainExchange().respond(message)
    assert caught.value.condition is SaslCondition.MALFORMED_REQUEST


def test_plain_out_of_turn_is_our_own_fault() -> None:
    exchange = PlainExchange()
    with pytest.raises(LocalProtocolError):
        exchange.resume(KEYS)
    exchange.respond(b"\0tim\0secret")
    with pytest.raises(LocalProtocolError):
        exchange.respond(b"\0tim\0secret")


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_plain_arbitrary_bytes_are_a_name_or_a_failure(message: bytes) -> None:
    try:
        claimed = PlainExchange().respond(message)
    except SaslFailure:
        return
    assert claimed.username
