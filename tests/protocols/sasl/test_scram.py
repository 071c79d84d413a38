"""SCRAM: the exchanges of the RFCs, and scramp's own client as the other end."""

from base64 import b64decode

import pytest
from scramp import ScramClient, ScramException

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.sasl.exchange import Challenge, Circumstances, IdentityClaimed, Proved, SaslFailure
from protocols.sasl.keys import (
    SALT_BYTES,
    SCRAM_MECHANISMS,
    SCRAM_SHA_1,
    SCRAM_SHA_256,
    ScramKeys,
    decoy_keys,
    derive_keys,
    find_keys,
)
from protocols.sasl.scram import END_POINT_TYPE, ScramExchange

SALT = bytes(range(SALT_BYTES))
PASSWORD = "pencil"
NONCE = "3rfcNHYJY1ZVvWVs7j"
CLIENT_FIRST = b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"


def keys_for(mechanism: str, password: str = PASSWORD, salt: bytes = SALT) -> ScramKeys:
    keys = find_keys(derive_keys(password, salt), [mechanism])
    assert keys is not None
    return keys


def begin(
    mechanism: str,
    nonce: str = NONCE,
    end_point: bytes | None = None,
    *,
    is_bound: bool = False,
    offer: bytes = b"",
) -> ScramExchange:
    return ScramExchange(
        mechanism, Circumstances("localhost", nonce, end_point, offer=offer), is_bound=is_bound
    )


def begun(mechanism: str = SCRAM_SHA_1) -> ScramExchange:
    """An exchange that has sent its challenge for CLIENT_FIRST."""
    exchange = begin(mechanism, NONCE)
    exchange.respond(CLIENT_FIRST)
    exchange.resume(keys_for(mechanism, salt=b64decode("QSXCR+Q6sek8bf92")))
    return exchange


def refusal(exchange: ScramExchange, message: bytes) -> SaslCondition:
    with pytest.raises(SaslFailure) as caught:
        exchange.respond(message)
    return caught.value.condition


def test_scram_sha_1_plays_the_exchange_of_rfc_5802() -> None:
    exchange = begin(SCRAM_SHA_1, NONCE)
    assert exchange.respond(CLIENT_FIRST) == IdentityClaimed("user", "")
    challenge = exchange.resume(keys_for(SCRAM_SHA_1, salt=b64decode("QSXCR+Q6sek8bf92")))
    assert challenge == Challenge(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
    final = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    assert exchange.respond(final) == Proved(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


def test_scram_sha_256_plays_the_exchange_of_rfc_7677() -> None:
    exchange = begin(SCRAM_SHA_256, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert exchange.respond(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == IdentityClaimed("user", "")
    challenge = exchange.resume(keys_for(SCRAM_SHA_256, salt=b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")))
    nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    assert challenge == Challenge(b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    final = b"c=biws,r=" + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert exchange.respond(final) == Proved(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
@pytest.mark.parametrize(
    ("username", "password"), [("user", "pencil"), ("a=b,c", "p,=w"), ("юзер", "\u2168 пароль")]
)
def test_scram_convinces_scramps_client_and_is_convinced(
    mechanism: str, username: str, password: str
) -> None:
    client = ScramClient([mechanism], username, password, c_nonce="fyko+d2lbbFgONRv9qkxdawL")
    exchange = begin(mechanism, NONCE)

    assert exchange.respond(client.get_client_first().encode()) == IdentityClaimed(username, "")
    client.set_server_first(exchange.resume(keys_for(mechanism, password)).data.decode())
    proved = exchange.respond(client.get_client_final().encode())

    assert isinstance(proved, Proved)
    client.set_server_final(proved.data.decode())


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
def test_scram_wrong_password_is_not_authorized(mechanism: str) -> None:
    client = ScramClient([mechanism], "user", "pencils")
    exchange = begin(mechanism, NONCE)
    exchange.respond(client.get_client_first().encode())
    client.set_server_first(exchange.resume(keys_for(mechanism)).data.decode())
    assert refusal(exchange, client.get_client_final().encode()) is SaslCondition.NOT_AUTHORIZED


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
def test_scram_decoy_keys_play_the_exchange_to_its_end(mechanism: str) -> None:
    """Somebody who guesses names sees the same messages as for an account that exists."""
    client = ScramClient([mechanism], "nobody", "pencil")
    exchange = begin(mechanism, NONCE)
    exchange.respond(client.get_client_first().encode())
    client.set_server_first(exchange.resume(decoy_keys(mechanism, "nobody", b"secret")).data.decode())
    assert refusal(exchange, client.get_client_final().encode()) is SaslCondition.NOT_AUTHORIZED


def test_scram_client_that_saw_no_channel_binding_on_offer_is_fine() -> None:
    exchange = begin(SCRAM_SHA_1, NONCE)
    assert exchange.respond(b"y,,n=user,r=fyko") == IdentityClaimed("user", "")


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b"p=tls-unique,,n=user,r=fyko", SaslCondition.MALFORMED_REQUEST),
        (b"p=tls-exporter,,n=user,r=fyko", SaslCondition.MALFORMED_REQUEST),
        (b"n,a=admin,n=user,r=fyko", SaslCondition.INVALID_AUTHZID),
        (b"n,a=user,n=user,r=fyko", SaslCondition.INVALID_AUTHZID),
        (b"", SaslCondition.MALFORMED_REQUEST),
        (b"hello", SaslCondition.MALFORMED_REQUEST),
        (b"n,,", SaslCondition.MALFORMED_REQUEST),
        (b"x,,n=user,r=fyko", SaslCondition.MALFORMED_REQUEST),
        (b"n,,n=user", SaslCondition.MALFORMED_REQUEST),
        (b"n,,n=,r=fyko", SaslCondition.MALFORMED_REQUEST),
        (b"n,,n=us=er,r=fyko", SaslCondition.MALFORMED_REQUEST),
        (b"n,,n=us\aer,r=fyko", SaslCondition.MALFORMED_REQUEST),
        (b"n,,m=ext,n=user,r=fyko", SaslCondition.MALFORMED_REQUEST),
        (b"n,,n=user,r=fy ko", SaslCondition.MALFORMED_REQUEST),
        (b"n,,n=\xff,r=fyko", SaslCondition.MALFORMED_REQUEST),
    ],
)
def test_scram_first_message_that_cannot_be_taken_is_refused(
    message: bytes, condition: SaslCondition
) -> None:
    assert refusal(begin(SCRAM_SHA_1, NONCE), message) is condition


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b"", SaslCondition.MALFORMED_REQUEST),
        (b"\xff", SaslCondition.MALFORMED_REQUEST),
        (b"c=biws,p=AAAA", SaslCondition.MALFORMED_REQUEST),
        (b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j", SaslCondition.MALFORMED_REQUEST),
        (
            b"c=biws,r=fyko+d2lbbFgONRv9qkxdawLstale,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            SaslCondition.NOT_AUTHORIZED,
        ),
        (b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=AAAA", SaslCondition.NOT_AUTHORIZED),
        (
            b"c=eSws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            SaslCondition.NOT_AUTHORIZED,
        ),
    ],
    ids=["empty", "not-utf-8", "no-nonce", "no-proof", "stale-nonce", "short-proof", "changed-header"],
)
def test_scram_last_message_that_proves_nothing_is_refused(message: bytes, condition: SaslCondition) -> None:
    assert refusal(begun(), message) is condition


def test_scram_after_success_is_over() -> None:
    exchange = begun()
    final = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    exchange.respond(final)
    assert refusal(exchange, final) is SaslCondition.NOT_AUTHORIZED


def test_scram_out_of_turn_is_our_own_fault() -> None:
    exchange = begin(SCRAM_SHA_1, NONCE)
    with pytest.raises(LocalProtocolError):
        exchange.resume(keys_for(SCRAM_SHA_1))
    exchange.respond(CLIENT_FIRST)
    with pytest.raises(LocalProtocolError):
        exchange.respond(CLIENT_FIRST)
    with pytest.raises(LocalProtocolError):
        exchange.resume(keys_for(SCRAM_SHA_256))
    exchange.resume(keys_for(SCRAM_SHA_1))
    with pytest.raises(LocalProtocolError):
        exchange.resume(keys_for(SCRAM_SHA_1))


def test_scram_client_notices_a_server_that_does_not_know_the_keys() -> None:
    """The server's signature must depend on the server key, or a client could be deceived."""
    client = ScramClient([SCRAM_SHA_1], "user", "pencil")
    exchange = begin(SCRAM_SHA_1, NONCE)
    exchange.respond(client.get_client_first().encode())
    keys = keys_for(SCRAM_SHA_1)
    forged = ScramKeys(keys.mechanism, keys.salt, keys.iterations, keys.stored_key, bytes(20))
    client.set_server_first(exchange.resume(forged).data.decode())
    proved = exchange.respond(client.get_client_final().encode())
    assert isinstance(proved, Proved)
    with pytest.raises(ScramException):
        client.set_server_final(proved.data.decode())


# -- channel binding

END_POINT = b"the hash of a certificate"


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
@pytest.mark.parametrize("seen", [END_POINT, b"the hash of another"])
def test_scram_plus_convinces_who_sees_the_same_certificate_only(mechanism: str, seen: bytes) -> None:
    client = ScramClient([f"{mechanism}-PLUS"], "user", PASSWORD, ("tls-server-end-point", seen))
    exchange = begin(mechanism, NONCE, END_POINT, is_bound=True)
    assert exchange.respond(client.get_client_first().encode()) == IdentityClaimed("user", "")
    client.set_server_first(exchange.resume(keys_for(mechanism)).data.decode())
    final = client.get_client_final().encode()
    if seen == END_POINT:
        proved = exchange.respond(final)
        assert isinstance(proved, Proved)
        client.set_server_final(proved.data.decode())
    else:
        assert refusal(exchange, final) is SaslCondition.NOT_AUTHORIZED


@pytest.mark.parametrize("flag", ["n", "y", "p=tls-exporter", "p=tls-unique"])
def test_scram_plus_takes_no_other_binding_and_not_none(flag: str) -> None:
    exchange = begin(SCRAM_SHA_256, NONCE, END_POINT, is_bound=True)
    assert refusal(exchange, f"{flag},,n=user,r=fyko".encode()) is SaslCondition.MALFORMED_REQUEST


def test_scram_client_that_was_shown_no_plus_is_refused_where_it_was_on_offer() -> None:
    """RFC 5802 §6: somebody has taken it out of the list."""
    first = b"y,,n=user,r=fyko"
    shown = begin(SCRAM_SHA_256, NONCE, END_POINT)
    assert refusal(shown, first) is SaslCondition.NOT_AUTHORIZED
    not_shown = begin(SCRAM_SHA_256, NONCE)
    assert not_shown.respond(first) == IdentityClaimed("user", "")


def test_scram_client_that_cannot_bind_is_let_in_all_the_same() -> None:
    exchange = begin(SCRAM_SHA_256, NONCE, END_POINT)
    assert exchange.respond(b"n,,n=user,r=fyko") == IdentityClaimed("user", "")


# -- XEP-0474

OFFER = b"SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point"


def test_first_message_has_the_hash_of_what_was_offered() -> None:
    """That of the example in XEP-0474 §6.3."""
    exchange = begin(SCRAM_SHA_1, offer=OFFER)
    exchange.respond(CLIENT_FIRST)
    challenge = exchange.resume(keys_for(SCRAM_SHA_1))
    assert challenge.data.endswith(b",i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=")


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
@pytest.mark.parametrize("is_bound", [True, False])
def test_hash_of_what_was_offered_is_proved_by_both_sides(mechanism: str, *, is_bound: bool) -> None:
    name, binding = (f"{mechanism}-PLUS", (END_POINT_TYPE, END_POINT)) if is_bound else (mechanism, None)
    client = ScramClient([name], "user", PASSWORD, binding)
    exchange = begin(mechanism, end_point=END_POINT, is_bound=is_bound, offer=OFFER)
    exchange.respond(client.get_client_first().encode())
    client.set_server_first(exchange.resume(keys_for(mechanism)).data.decode())
    proved = exchange.respond(client.get_client_final().encode())
    assert isinstance(proved, Proved)
    client.set_server_final(proved.data.decode())


def test_hash_that_somebody_has_changed_on_its_way_lets_nobody_in() -> None:
    client = ScramClient([SCRAM_SHA_1], "user", PASSWORD)
    exchange = begin(SCRAM_SHA_1, offer=OFFER)
    exchange.respond(client.get_client_first().encode())
    changed = exchange.resume(keys_for(SCRAM_SHA_1)).data.decode().replace("h=G", "h=H")
    client.set_server_first(changed)
    assert refusal(exchange, client.get_client_final().encode()) is SaslCondition.NOT_AUTHORIZED
