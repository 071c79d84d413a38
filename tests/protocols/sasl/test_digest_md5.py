"""DIGEST-MD5, RFC 2831."""

import hashlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.jid import parse_jid
from protocols.sasl.digest_md5 import DigestMd5Exchange, derive_digest_key, digest
from protocols.sasl.exchange import Challenge, Circumstances, IdentityClaimed, Proved, SaslFailure
from protocols.sasl.keys import DIGEST_MD5, decoy_keys

CHRIS = parse_jid("chris@elwood.innosoft.com")
KEY = derive_digest_key(CHRIS, "secret")
NONCE = "OA6MG9tEQGm2hh"
# The example of RFC 2831 §4, which logs in to IMAP.
EXAMPLE: Mapping[bytes, bytes] = {
    b"username": b"chris",
    b"realm": b"elwood.innosoft.com",
    b"nonce": NONCE.encode(),
    b"nc": b"00000001",
    b"cnonce": b"OA6MHXh6VqTrRk",
    b"digest-uri": b"imap/elwood.innosoft.com",
    b"response": b"d388dad90d4bbd760a152321f2143af7",
    b"qop": b"auth",
    b"charset": b"utf-8",
}
UNQUOTED = {b"nc", b"qop", b"charset", b"response"}


def begun() -> DigestMd5Exchange:
    return DigestMd5Exchange(Circumstances("elwood.innosoft.com", NONCE))


def answer(**changes: str | None) -> bytes:
    """A client's answer, with some directives other than usual, or missing; the proof is right for them."""
    said = {**EXAMPLE, b"digest-uri": b"xmpp/elwood.innosoft.com"}
    for name, value in changes.items():
        said.pop(name.replace("_", "-").encode(), None)
        if value is not None:
            said[name.replace("_", "-").encode()] = value.encode()
    needed = {b"nonce", b"cnonce", b"nc", b"digest-uri"}
    if "response" not in changes and needed <= said.keys():
        said[b"response"] = digest(KEY.stored_key, said, b"AUTHENTICATE")
    return b",".join(
        name + b"=" + (value if name in UNQUOTED else b'"' + value + b'"') for name, value in said.items()
    )


def test_digest_is_that_of_the_example() -> None:
    assert digest(KEY.stored_key, EXAMPLE, b"AUTHENTICATE") == EXAMPLE[b"response"]
    assert digest(KEY.stored_key, EXAMPLE, b"") == b"ea40f60335c427b5527b84dbabcdfffd"


@pytest.mark.parametrize(
    ("address", "password", "hashed"),
    [
        ("jörg@example.com", "naïve", "jörg:example.com:naïve".encode("latin-1")),
        ("юля@example.com", "пароль", "юля:example.com:пароль".encode()),
        ("jörg@example.com", "пароль", "jörg:example.com:".encode("latin-1") + "пароль".encode()),
    ],
)
def test_derive_digest_key_hashes_in_latin_1_what_that_has(
    address: str, password: str, hashed: bytes
) -> None:
    key = derive_digest_key(parse_jid(address), password)
    assert key.stored_key == hashlib.md5(hashed, usedforsecurity=False).digest()


def test_exchange_proves_both_sides_to_each_other() -> None:
    exchange = begun()
    assert exchange.first_challenge == (
        b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",charset=utf-8,algorithm=md5-sess'
    )
    assert exchange.respond(answer()) == IdentityClaimed("chris", "")
    said = {**EXAMPLE, b"digest-uri": b"xmpp/elwood.innosoft.com"}
    assert exchange.resume(KEY) == Challenge(b"rspauth=" + digest(KEY.stored_key, said, b""))
    assert exchange.respond(b"") == Proved(b"")


@pytest.mark.parametrize(
    "changes",
    [
        {"realm": None},
        {"qop": None},
        {"charset": None},
        {"digest_uri": "xmpp/elwood.innosoft.com/elwood.innosoft.com"},
        {"digest_uri": "XMPP/Elwood.Innosoft.Com"},
        {"maxbuf": "65536"},
    ],
)
def test_exchange_takes_what_may_be_left_out_or_added(changes: dict[str, str | None]) -> None:
    exchange = begun()
    exchange.respond(answer(**changes))
    assert isinstance(exchange.resume(KEY), Challenge)


def test_exchange_passes_on_whom_the_client_wants_to_be() -> None:
    exchange = begun()
    claimed = exchange.respond(answer(authzid="chris@elwood.innosoft.com"))
    assert claimed == IdentityClaimed("chris", "chris@elwood.innosoft.com")
    exchange.resume(KEY)


def test_name_is_read_in_the_charset_it_comes_in() -> None:
    assert begun().respond(answer(username="jörg")) == IdentityClaimed("jörg", "")
    latin = answer(username="j?rg", charset=None).replace(b"?", b"\xf6")
    assert begun().respond(latin) == IdentityClaimed("jörg", "")
    assert begun().respond(answer(username='a\\"b')) == IdentityClaimed('a"b', "")


@pytest.mark.parametrize("key", [derive_digest_key(CHRIS, "wrong"), decoy_keys(DIGEST_MD5, "chris", b"s")])
def test_exchange_with_another_key_is_not_authorized(key: object) -> None:
    exchange = begun()
    exchange.respond(answer())
    with pytest.raises(SaslFailure) as caught:
        exchange.resume(key)  # type: ignore[arg-type] # one of two keys
    assert caught.value.condition is SaslCondition.NOT_AUTHORIZED


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"realm": "elsewhere.example"},
        {"digest_uri": "imap/elwood.innosoft.com"},
        {"digest_uri": "xmpp/elsewhere.example"},
        {"digest_uri": "xmpp"},
    ],
)
def test_answer_to_another_challenge_is_not_authorized(changes: dict[str, str | None]) -> None:
    with pytest.raises(SaslFailure) as caught:
        begun().respond(answer(**changes))
    assert caught.value.condition is SaslCondition.NOT_AUTHORIZED


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"username",
        b"=",
        b'username="chris',
        *(answer(**{name: None}) for name in ("username", "nonce", "cnonce", "nc", "digest_uri", "response")),
        answer(qop="auth-int"),
        answer(qop="auth-conf"),
        answer(nc="00000002"),
        answer(charset="latin-1"),
        answer() + b',username="again"',
        answer() + b" x",
        answer(username="?").replace(b"?", b"\xff"),
    ],
)
def test_answer_that_is_none_is_malformed(message: bytes) -> None:
    with pytest.raises(SaslFailure) as caught:
        begun().respond(message)
    assert caught.value.condition is SaslCondition.MALFORMED_REQUEST


def test_nod_that_says_something_is_malformed() -> None:
    exchange = begun()
    exchange.respond(answer())
    exchange.resume(KEY)
    with pytest.raises(SaslFailure):
        exchange.respond(b"yes")


def test_exchange_out_of_order_is_our_own_fault() -> None:
    exchange = begun()
    with pytest.raises(LocalProtocolError):
        exchange.resume(KEY)
    exchange.respond(answer())
    with pytest.raises(LocalProtocolError):
        exchange.respond(answer())


@given(st.binary(max_size=200) | st.text(st.sampled_from('a=",\\ \t'), max_size=60).map(str.encode))
def test_whatever_comes_fails_in_good_order(message: bytes) -> None:
    with pytest.raises(SaslFailure):
        begun().respond(message)
