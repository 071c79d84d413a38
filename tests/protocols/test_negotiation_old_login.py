"""Logging in by jabber:iq:auth, as the stream sees it (XEP-0078)."""

import hashlib
from dataclasses import replace

import pytest

from protocols.conditions import SaslCondition, StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.negotiation import Negotiation
from protocols.negotiation_login import ATTEMPTS_MAX
from protocols.negotiation_session import REQUESTS_MAX
from protocols.negotiation_values import (
    Admit,
    BindRefused,
    BindResource,
    Bound,
    CloseStream,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    Established,
    FetchCredentials,
    Input,
    LoginFailed,
    PasswordRefused,
    PasswordVerified,
    ReplaceKeys,
    State,
    StreamEnded,
    VerifyPassword,
)
from protocols.sasl.kept_password import KEPT_PASSWORD, seems_kept
from protocols.sasl.keys import SALT_BYTES, ScramKeys
from protocols.sasl.kinds import derive_all, with_mark
from protocols.sasl.zero_knowledge import chain, derive_chain, seeming_link, shorten
from protocols.session_bits import SessionBits
from tests.protocols.negotiation_support import (
    CLEAR_ALLOWED,
    HOST,
    JULIET,
    KEYS,
    PASSWORD,
    REGISTER,
    TLS_REQUIRED,
    auth,
    drive,
    header,
    opened,
    others,
    received,
    sent,
)

BITS = CLEAR_ALLOWED | SessionBits.OLD_LOGIN_ALLOWED
BALCONY = JULIET.with_resource("balcony")
KEPT = derive_all(JULIET, PASSWORD, bytes(range(SALT_BYTES)), (KEPT_PASSWORD,))
CHAIN = derive_chain(PASSWORD, bytes(range(SALT_BYTES)))
CHAINED = (*KEYS, CHAIN)
# The stream of a test is its first.
DIGEST = hashlib.sha1(f"stream-1{PASSWORD}".encode(), usedforsecurity=False).hexdigest()
DIGEST_LOGIN = {"username": "juliet", "digest": DIGEST, "resource": "balcony"}
PLAIN_LOGIN = {"username": "juliet", "password": PASSWORD, "resource": "balcony"}
MISSING, UNKNOWN = CredentialsMissing(), {**DIGEST_LOGIN, "username": "nobody"}


def query(type: str, fields: dict[str, str], to: str = "") -> Input:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return received(f"<iq type='{type}' id='a1'{to}><query xmlns='jabber:iq:auth'>{inner}</query></iq>")


def old(bits: SessionBits = BITS) -> Negotiation:
    """A stream without version."""
    return opened(bits, header(version=None))


def error(code: int, condition: str) -> bytes:
    type = {400: "modify", 401: "auth", 406: "modify", 409: "cancel", 500: "wait"}.get(code, "cancel")
    condition = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    return f"type='error' id='a1'><error type='{type}' code='{code}'>{condition}".encode()


def test_old_stream_has_neither_version_nor_features() -> None:
    negotiation = Negotiation(opened(BITS)._setup)
    told = sent(negotiation.receive(header(version=None)))
    assert told.startswith(b"<?xml version='1.0'?><stream:stream ")
    assert told.count(b"version=") == 1
    assert b"<stream:features" not in told
    assert f"from='{HOST}'".encode() in told
    assert negotiation.state is State.WAIT_FOR_AUTH


@pytest.mark.parametrize("bits", [CLEAR_ALLOWED, TLS_REQUIRED | SessionBits.OLD_LOGIN_ALLOWED])
def test_old_stream_that_could_never_log_in_is_told_so(bits: SessionBits) -> None:
    negotiation = Negotiation(opened(bits)._setup)
    told = sent(negotiation.receive(header(version=None)))
    assert b"<unsupported-version" in told
    assert told.count(b"version='1.0'") == 1
    assert negotiation.state is State.CLOSED


def test_old_stream_to_another_domain_is_refused() -> None:
    negotiation = Negotiation(opened(BITS)._setup)
    assert b"<host-unknown" in sent(negotiation.receive(header("example.org", version=None)))


def test_old_login_is_advertised_where_it_can_be_had() -> None:
    feature = b"<auth xmlns='http://jabber.org/features/iq-auth'/>"
    for bits, is_told in [(BITS, True), (CLEAR_ALLOWED, False), (TLS_REQUIRED, False)]:
        told = sent(Negotiation(opened(bits)._setup).receive(header()))
        assert (feature in told) == is_told


@pytest.mark.parametrize("version", ["1.0", None])
def test_digest_begins_a_session_on_the_same_stream(version: str | None) -> None:
    negotiation = opened(BITS, header(version=version))
    assert negotiation.receive(query("set", DIGEST_LOGIN)) == [FetchCredentials(JULIET)]
    assert negotiation.receive(CredentialsFound(KEPT)) == [BindResource(BALCONY, is_fixed=True)]
    actions = negotiation.receive(Bound(BALCONY))
    assert sent(actions) == b"<iq type='result' id='a1'/>"
    assert others(actions) == [Admit(JULIET), Established(BALCONY)]
    assert (negotiation.state, negotiation.account) == (State.SESSION_ESTABLISHED, JULIET)


def test_plain_begins_a_session_when_the_password_is_verified() -> None:
    negotiation = old()
    actions = drive(negotiation, query("set", PLAIN_LOGIN), CredentialsFound(KEYS))
    assert actions == [FetchCredentials(JULIET), VerifyPassword(PASSWORD, KEYS[0])]
    assert negotiation.account is None
    assert negotiation.receive(PasswordVerified()) == [BindResource(BALCONY, is_fixed=True)]


@pytest.mark.parametrize(
    ("fields", "events"),
    [
        ({**DIGEST_LOGIN, "digest": DIGEST[:-1]}, [CredentialsFound(KEPT)]),
        (DIGEST_LOGIN, [CredentialsFound(KEYS)]),  # that account keeps no password
        (DIGEST_LOGIN, [CredentialsFound(())]),
        (UNKNOWN, [MISSING]),
        ({**UNKNOWN, "username": "no body"}, []),
        (PLAIN_LOGIN, [CredentialsFound(KEYS), PasswordRefused()]),
        (PLAIN_LOGIN, [CredentialsFound(()), PasswordRefused()]),
        (PLAIN_LOGIN, [MISSING, PasswordRefused()]),
    ],
)
def test_what_is_wrong_and_who_is_unknown_are_refused_alike(
    fields: dict[str, str], events: list[Input]
) -> None:
    negotiation = old()
    actions = drive(negotiation, query("set", fields), *events)
    assert sent(actions) == (
        b"<iq type='error' id='a1'><error type='auth' code='401'>"
        b"<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )
    (failed,) = [action for action in actions if isinstance(action, LoginFailed)]
    assert failed.condition is SaslCondition.NOT_AUTHORIZED
    assert negotiation.state is State.WAIT_FOR_AUTH


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"username": "juliet", "digest": DIGEST}, error(406, "not-acceptable")),
        ({"digest": DIGEST, "resource": "balcony"}, error(406, "not-acceptable")),
        ({}, error(406, "not-acceptable")),
        ({**DIGEST_LOGIN, "resource": "x" * 1024}, error(406, "not-acceptable")),
        ({"username": "juliet", "resource": "balcony"}, error(501, "feature-not-implemented")),
        ({"username": "juliet", "resource": "balcony", "hash": "ab"}, error(501, "feature-not-implemented")),
    ],
)
def test_form_that_cannot_be_checked_is_refused_without_a_look_at_the_account(
    fields: dict[str, str], refusal: bytes
) -> None:
    negotiation = old()
    actions = negotiation.receive(query("set", fields))
    assert refusal in sent(actions)
    assert others(actions) == []
    assert negotiation.state is State.WAIT_FOR_AUTH


def test_resource_of_the_longest_form_is_taken() -> None:
    assert others(drive(old(), query("set", {**DIGEST_LOGIN, "resource": "x" * 1023}))) == [
        FetchCredentials(JULIET)
    ]


@pytest.mark.parametrize("to", [" to='romeo@im.example.com'", " to='example.org'"])
def test_request_to_somebody_else_is_refused(to: str) -> None:
    assert error(503, "service-unavailable") in sent(old().receive(query("get", {}, to))).replace(
        b"from='romeo@im.example.com' ", b""
    ).replace(b"from='example.org' ", b"")


def test_request_with_a_second_child_is_refused() -> None:
    request = received("<iq type='get' id='a1'><query xmlns='jabber:iq:auth'/><x xmlns='urn:x'/></iq>")
    assert error(400, "bad-request") in sent(old().receive(request))


@pytest.mark.parametrize(
    ("found", "has_digest"),
    [
        (CredentialsFound(KEPT), True),
        (CredentialsFound(KEYS), False),
        (MISSING, seems_kept(JULIET.bare, b"of the server")),
    ],
)
def test_form_has_the_fields_that_the_account_can_do_with(found: Input, *, has_digest: bool) -> None:
    negotiation = old()
    told = sent(drive(negotiation, query("get", {"username": "juliet"}), found))
    digest = "<digest/>" if has_digest else ""
    assert told.decode() == (
        "<iq type='result' id='a1'><query xmlns='jabber:iq:auth'>"
        f"<username>juliet</username><password/>{digest}<resource/></query></iq>"
    )
    assert negotiation.state is State.WAIT_FOR_AUTH


@pytest.mark.parametrize("fields", [{}, {"username": "no body"}])
def test_form_for_nobody_in_particular_has_all_fields(fields: dict[str, str]) -> None:
    assert b"<password/><digest/><resource/>" in sent(old().receive(query("get", fields)))


def test_resource_in_use_is_a_conflict_where_it_is_not_given_away() -> None:
    negotiation = old()
    drive(negotiation, query("set", DIGEST_LOGIN), CredentialsFound(KEPT))
    told = sent(negotiation.receive(BindRefused(StanzaError(StanzaCondition.CONFLICT))))
    assert error(409, "conflict") in told
    assert (negotiation.state, negotiation.account) == (State.WAIT_FOR_AUTH, None)


def test_database_away_is_no_wrong_password() -> None:
    negotiation = old()
    actions = drive(negotiation, query("set", DIGEST_LOGIN), CredentialsUnavailable())
    assert error(500, "resource-constraint") in sent(actions)
    assert not any(isinstance(action, LoginFailed) for action in actions)


@pytest.mark.parametrize("times", [ATTEMPTS_MAX - 1, ATTEMPTS_MAX])
def test_who_fails_too_often_is_put_out(times: int) -> None:
    negotiation = old()
    actions = drive(negotiation, *[query("set", UNKNOWN), MISSING] * times)
    assert sent(actions).count(b"code='401'") == times
    assert (CloseStream() in actions) == (times == ATTEMPTS_MAX)
    assert (b"<policy-violation" in sent(actions)) == (times == ATTEMPTS_MAX)


@pytest.mark.parametrize("times", [REQUESTS_MAX, REQUESTS_MAX + 1])
def test_forms_are_given_a_few_times_only(times: int) -> None:
    negotiation = old()
    actions = drive(negotiation, *[query("get", {})] * times)
    assert (b"<policy-violation" in sent(actions)) == (times > REQUESTS_MAX)


def test_where_it_is_not_on_offer_a_client_of_today_is_told_so() -> None:
    negotiation = opened(CLEAR_ALLOWED)
    assert error(503, "service-unavailable") in sent(negotiation.receive(query("get", {})))
    assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST


def test_who_failed_by_sasl_may_not_try_this_way() -> None:
    """XEP-0078 §3.1."""
    negotiation = opened(BITS)
    drive(negotiation, auth("PLAIN", b"\0juliet\0wrong"), CredentialsFound(KEYS), PasswordRefused())
    assert b"<policy-violation" in sent(negotiation.receive(query("get", {})))


def test_old_stream_may_register_first() -> None:
    negotiation = old(BITS | SessionBits.REGISTRATION_OPEN)
    negotiation.receive(received(REGISTER))
    assert negotiation.state is State.WAIT_FOR_REGISTRATION


def test_old_stream_too_slow_is_told_by_its_own_code() -> None:
    """S-077: 408, then the end; a stream of today gets none."""
    timeout = StreamEnded(StreamCondition.CONNECTION_TIMEOUT)
    told = sent(old().receive(timeout))
    assert b"code='408'" in told
    assert told.index(b"code='408'") < told.index(b"<connection-timeout")
    assert b"408" not in sent(opened(BITS).receive(timeout))


def test_what_the_client_said_is_in_no_repr() -> None:
    negotiation = old()
    negotiation.receive(query("set", PLAIN_LOGIN))
    assert PASSWORD not in repr(negotiation._progress)


# -- zero knowledge

ZERO = BITS | SessionBits.ZERO_KNOWLEDGE
HASH = chain(PASSWORD, CHAIN.salt.decode(), CHAIN.iterations - 1).decode()
HASH_LOGIN = {"username": "juliet", "hash": HASH, "resource": "balcony"}


def test_form_has_sequence_and_token_for_an_account_with_a_chain() -> None:
    negotiation = old(ZERO)
    negotiation.receive(query("get", {"username": "juliet"}))
    told = sent(negotiation.receive(CredentialsFound(CHAINED)))
    assert b"<password/><sequence>499</sequence><token>0001020304050607</token><resource/>" in told


@pytest.mark.parametrize(
    ("bits", "keys"),
    [(BITS, CHAINED), (ZERO, KEYS), (ZERO, (*KEYS, replace(CHAIN, iterations=0)))],
    ids=["not-allowed", "no-chain", "used-up"],
)
def test_form_has_neither_where_there_is_no_chain(bits: SessionBits, keys: tuple[ScramKeys, ...]) -> None:
    negotiation = old(bits)
    negotiation.receive(query("get", {"username": "juliet"}))
    assert b"sequence" not in sent(negotiation.receive(CredentialsFound(keys)))


def test_form_of_nobody_seems_to_have_a_chain_or_not() -> None:
    for number in range(20):
        negotiation = old(ZERO)
        negotiation.receive(query("get", {"username": f"nobody-{number}"}))
        told = sent(negotiation.receive(MISSING))
        link = seeming_link(f"nobody-{number}@{HOST}", b"of the server")
        assert (b"sequence" in told) == (link is not None)


def test_hash_lets_in_when_it_is_used_up_for_good() -> None:
    negotiation = old(ZERO)
    negotiation.receive(query("set", HASH_LOGIN))
    shorter = shorten(CHAIN, HASH)
    assert shorter is not None
    assert negotiation.receive(CredentialsFound(CHAINED)) == [ReplaceKeys(JULIET, CHAIN, shorter)]
    assert negotiation.is_waiting
    assert negotiation.receive(PasswordVerified()) == [BindResource(BALCONY, is_fixed=True)]


@pytest.mark.parametrize(
    "keys", [KEYS, (*KEYS, shorten(CHAIN, HASH) or CHAIN)], ids=["no-chain", "used-before"]
)
def test_hash_that_is_not_the_next_one_is_not_authorized(keys: tuple[ScramKeys, ...]) -> None:
    negotiation = old(ZERO)
    negotiation.receive(query("set", HASH_LOGIN))
    assert error(401, "not-authorized") in sent(negotiation.receive(CredentialsFound(keys)))


def test_hash_for_nobody_is_not_authorized() -> None:
    negotiation = old(ZERO)
    negotiation.receive(query("set", HASH_LOGIN))
    assert error(401, "not-authorized") in sent(negotiation.receive(MISSING))


def test_hash_that_somebody_used_meanwhile_is_not_authorized() -> None:
    negotiation = old(ZERO)
    drive(negotiation, query("set", HASH_LOGIN), CredentialsFound(CHAINED))
    assert error(401, "not-authorized") in sent(negotiation.receive(PasswordRefused()))


def test_hash_lets_nobody_in_while_it_cannot_be_used_up() -> None:
    negotiation = old(ZERO)
    drive(negotiation, query("set", HASH_LOGIN), CredentialsFound(CHAINED))
    assert error(500, "resource-constraint") in sent(negotiation.receive(CredentialsUnavailable()))
    assert negotiation.state is State.WAIT_FOR_AUTH


def test_hash_where_it_was_not_offered_is_not_implemented() -> None:
    assert error(501, "feature-not-implemented") in sent(old(BITS).receive(query("set", HASH_LOGIN)))


# -- accounts that are disabled


@pytest.mark.parametrize("fields", [PLAIN_LOGIN, DIGEST_LOGIN, HASH_LOGIN], ids=["plain", "digest", "hash"])
def test_disabled_account_is_as_good_as_none(fields: dict[str, str]) -> None:
    negotiation = old(ZERO)
    negotiation.receive(query("set", fields))
    shut_out = with_mark((*KEPT, CHAIN), is_disabled=True)
    actions = negotiation.receive(CredentialsFound(shut_out))
    if fields is PLAIN_LOGIN:
        (check,) = actions
        assert isinstance(check, VerifyPassword)
        assert check.keys not in shut_out
    else:
        assert error(401, "not-authorized") in sent(actions)
