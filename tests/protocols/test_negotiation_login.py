"""Logging in: SASL as the stream sees it."""

import hashlib
import re
from base64 import b64decode, b64encode

import pytest
from scramp import ScramClient

from protocols.conditions import SaslCondition
from protocols.jid import parse_jid
from protocols.negotiation import Negotiation
from protocols.negotiation_login import ATTEMPTS_MAX
from protocols.negotiation_values import (
    Action,
    CertificateShown,
    CloseStream,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    FetchCredentials,
    Input,
    LoginFailed,
    PasswordRefused,
    PasswordVerified,
    RestartStream,
    Send,
    State,
    TlsEstablished,
    VerifyPassword,
)
from protocols.sasl.digest_md5 import derive_digest_key
from protocols.sasl.keys import verify_plain
from protocols.sasl.kinds import with_mark
from protocols.session_bits import SessionBits
from tests.protocols.negotiation_support import (
    CLEAR_ALLOWED,
    DIRECT_TLS,
    JULIET,
    KEYS,
    PASSWORD,
    STARTTLS,
    TLS_REQUIRED,
    auth,
    drive,
    header,
    make_setup,
    opened,
    others,
    received,
    response,
    sent,
)
from tests.support.digest_client import answer_digest
from tests.support.server import Account

PLAIN = auth("PLAIN", f"\0juliet\0{PASSWORD}".encode())
ABORT = received("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")


def failure(condition: str) -> bytes:
    return f"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/>".encode()


def challenge_in(actions: list[Action]) -> str:
    return b64decode(sent(actions).split(b">")[1].split(b"<")[0]).decode()


def scram_login(negotiation: Negotiation, mechanism: str, password: str, credentials: Input) -> list[Action]:
    """Log in with scramp's client; return what came of its last message."""
    client = ScramClient([mechanism], "juliet", password)
    assert negotiation.receive(auth(mechanism, client.get_client_first().encode())) == [
        FetchCredentials(JULIET)
    ]
    client.set_server_first(challenge_in(negotiation.receive(credentials)))
    actions = negotiation.receive(response(client.get_client_final().encode()))
    if negotiation.account is not None:
        client.set_server_final(challenge_in(actions))
    return actions


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_login_by_scram_leads_to_a_new_stream(mechanism: str) -> None:
    negotiation = opened()
    actions = scram_login(negotiation, mechanism, PASSWORD, CredentialsFound(KEYS))
    assert sent(actions).startswith(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>")
    assert others(actions) == [RestartStream(JULIET)]
    assert negotiation.state is State.WAIT_FOR_STREAM
    assert negotiation.account == JULIET
    features = sent(negotiation.receive(header()))
    assert b"<bind " in features
    assert b"<mechanisms" not in features


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_login_by_scram_with_a_wrong_password_is_not_authorized(mechanism: str) -> None:
    negotiation = opened()
    actions = scram_login(negotiation, mechanism, "wrong", CredentialsFound(KEYS))
    assert actions == [
        Send(failure("not-authorized") + b"</failure>"),
        LoginFailed(JULIET, SaslCondition.NOT_AUTHORIZED),
    ]
    assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST
    assert negotiation.account is None


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_login_by_scram_to_no_account_looks_like_a_wrong_password(mechanism: str) -> None:
    known, unknown = opened(), opened()
    refused = scram_login(known, mechanism, "wrong", CredentialsFound(KEYS))
    assert scram_login(unknown, mechanism, "wrong", CredentialsMissing()) == refused


def test_login_by_scram_to_no_account_shows_the_same_salt_each_time() -> None:
    challenges = set()
    for _ in range(2):
        negotiation = opened()
        negotiation.receive(auth("SCRAM-SHA-1", b"n,,n=Nobody,r=fyko"))
        challenges.add(challenge_in(negotiation.receive(CredentialsMissing())))
    assert len(challenges) == 1


def test_login_by_scram_without_keys_for_the_mechanism_is_like_no_account() -> None:
    negotiation = opened()
    actions = scram_login(negotiation, "SCRAM-SHA-1", PASSWORD, CredentialsFound(KEYS[:1]))
    assert failure("not-authorized") in sent(actions)


def test_login_by_plain_has_the_password_checked_and_leads_to_a_new_stream() -> None:
    negotiation = opened()
    assert negotiation.receive(PLAIN) == [FetchCredentials(JULIET)]
    assert negotiation.is_waiting
    (check,) = negotiation.receive(CredentialsFound(KEYS))
    assert isinstance(check, VerifyPassword)
    assert check.keys is KEYS[0]
    assert verify_plain(check.password, check.keys)
    assert negotiation.is_waiting
    assert negotiation.receive(PasswordVerified()) == [
        Send(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        RestartStream(JULIET),
    ]
    assert negotiation.account == JULIET


def test_login_by_plain_with_a_wrong_password_is_not_authorized() -> None:
    negotiation = opened()
    actions = drive(negotiation, PLAIN, CredentialsFound(KEYS), PasswordRefused())
    assert actions[-2:] == [
        Send(failure("not-authorized") + b"</failure>"),
        LoginFailed(JULIET, SaslCondition.NOT_AUTHORIZED),
    ]
    assert negotiation.account is None


def test_login_by_plain_to_no_account_costs_a_check_all_the_same() -> None:
    """Otherwise the time of the answer would tell which accounts exist."""
    negotiation = opened()
    negotiation.receive(PLAIN)
    (check,) = negotiation.receive(CredentialsMissing())
    assert isinstance(check, VerifyPassword)
    assert check.keys.iterations == KEYS[0].iterations
    assert not verify_plain(check.password, check.keys)


def test_login_by_plain_takes_whatever_keys_there_are() -> None:
    negotiation = opened()
    negotiation.receive(PLAIN)
    (check,) = negotiation.receive(CredentialsFound(KEYS[1:]))
    assert isinstance(check, VerifyPassword)
    assert check.keys is KEYS[1]


def test_login_name_is_prepared_as_a_localpart() -> None:
    negotiation = opened()
    assert negotiation.receive(auth("PLAIN", b"\0JULIET\0x")) == [FetchCredentials(JULIET)]


@pytest.mark.parametrize("authzid", ["juliet@im.example.com", "JULIET@im.example.com"])
def test_login_as_oneself_by_name_is_fine(authzid: str) -> None:
    negotiation = opened()
    assert negotiation.receive(auth("PLAIN", f"{authzid}\0juliet\0x".encode())) == [FetchCredentials(JULIET)]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"])
def test_login_without_a_first_message_is_asked_for_one(mechanism: str) -> None:
    negotiation = opened()
    assert negotiation.receive(auth(mechanism)) == [
        Send(b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
    ]
    message = b"\0juliet\0x" if mechanism == "PLAIN" else b"n,,n=juliet,r=fyko"
    assert negotiation.receive(response(message)) == [FetchCredentials(JULIET)]


FAILURES: dict[str, tuple[tuple[Input, ...], str]] = {
    "abort": ((auth("SCRAM-SHA-1"), ABORT), "aborted"),
    "not-base64": (
        (received("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>*</auth>"),),
        "incorrect-encoding",
    ),
    "response-not-base64": (
        (
            auth("SCRAM-SHA-1"),
            received("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>*</response>"),
        ),
        "incorrect-encoding",
    ),
    "plain-for-another": ((auth("PLAIN", b"romeo@im.example.com\0juliet\0x"),), "invalid-authzid"),
    "plain-for-no-jid": ((auth("PLAIN", b"@\0juliet\0x"),), "invalid-authzid"),
    "scram-for-another": ((auth("SCRAM-SHA-1", b"n,a=romeo,n=juliet,r=fyko"),), "invalid-authzid"),
    "unknown-mechanism": ((auth("CRAM-MD5"),), "invalid-mechanism"),
    "no-mechanism": ((received("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),), "invalid-mechanism"),
    "mechanism-in-lower-case": ((auth("plain", b"\0juliet\0x"),), "invalid-mechanism"),
    "plain-malformed": ((auth("PLAIN", b"juliet"),), "malformed-request"),
    "empty-message": ((auth("PLAIN", b""),), "malformed-request"),
    "scram-malformed": ((auth("SCRAM-SHA-1", b"juliet"),), "malformed-request"),
    "channel-binding": ((auth("SCRAM-SHA-1", b"p=tls-exporter,,n=juliet,r=fyko"),), "malformed-request"),
    "response-to-nothing": ((response(b"hello"),), "malformed-request"),
    "attempt-inside-an-attempt": ((auth("SCRAM-SHA-1"), PLAIN), "malformed-request"),
    "name-that-no-account-has": ((auth("PLAIN", b"\0a@b\0x"),), "not-authorized"),
    "name-with-a-slash": ((auth("PLAIN", b"\0juliet@im.example.com/x\0x"),), "not-authorized"),
    "store-away": ((PLAIN, CredentialsUnavailable()), "temporary-auth-failure"),
}


@pytest.mark.parametrize(("events", "condition"), FAILURES.values(), ids=FAILURES)
def test_login_that_fails_names_its_condition_and_may_be_tried_again(
    events: tuple[Input, ...], condition: str
) -> None:
    negotiation = opened()
    actions = drive(negotiation, *events)
    assert failure(condition) in sent(actions)
    assert isinstance(actions[-1], LoginFailed)
    assert actions[-1].condition is SaslCondition(condition)
    assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST
    drive(negotiation, PLAIN, CredentialsFound(KEYS), PasswordVerified())
    assert negotiation.account == JULIET


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "PLAIN", "CRAM-MD5"])
def test_login_in_clear_where_tls_is_required_is_told_so(mechanism: str) -> None:
    negotiation = opened(TLS_REQUIRED)
    assert failure("encryption-required") in sent(negotiation.receive(auth(mechanism, b"\0juliet\0x")))
    assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST


def test_login_failed_names_the_account_only_when_the_client_did() -> None:
    negotiation = opened()
    assert others(negotiation.receive(auth("CRAM-MD5"))) == [
        LoginFailed(None, SaslCondition.INVALID_MECHANISM)
    ]
    actions = drive(negotiation, auth("PLAIN", b"\0romeo\0x"), CredentialsMissing(), PasswordRefused())
    assert actions[-1] == LoginFailed(parse_jid("romeo@im.example.com"), SaslCondition.NOT_AUTHORIZED)
    assert others(negotiation.receive(auth("CRAM-MD5"))) == [
        LoginFailed(None, SaslCondition.INVALID_MECHANISM)
    ]


def test_login_after_the_last_attempt_closes_the_stream() -> None:
    negotiation = opened()
    for _ in range(ATTEMPTS_MAX - 1):
        actions = drive(negotiation, PLAIN, CredentialsFound(KEYS), PasswordRefused())
        assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST
    actions = drive(negotiation, PLAIN, CredentialsFound(KEYS), PasswordRefused())
    assert negotiation.state is State.CLOSED
    written = sent(actions).decode()
    assert written.index("<not-authorized/>") < written.index("<policy-violation ")
    assert written.endswith("</stream:stream>")
    assert others(actions)[-2:] == [LoginFailed(JULIET, SaslCondition.NOT_AUTHORIZED), CloseStream()]


def test_login_attempts_are_counted_whatever_their_fault() -> None:
    negotiation = opened()
    for _ in range(ATTEMPTS_MAX):
        assert negotiation.state is State.WAIT_FOR_FEATURE_REQUEST
        drive(negotiation, auth("SCRAM-SHA-1"), ABORT)
    assert negotiation.state is State.CLOSED


def test_plus_is_on_offer_and_can_be_had_where_there_is_something_to_bind_to() -> None:
    for end_point in (b"hash", None):
        negotiation = Negotiation(make_setup(DIRECT_TLS, end_point=end_point))
        features = sent(negotiation.receive(header()))
        assert (b"SCRAM-SHA-256-PLUS" in features) == (end_point is not None)
        assert (b"<channel-binding type='tls-server-end-point'/>" in features) == (end_point is not None)
        first = auth("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=juliet,r=fyko")
        actions = negotiation.receive(first)
        assert (failure("invalid-mechanism") in sent(actions)) == (end_point is None)
        assert (FetchCredentials(JULIET) in actions) == (end_point is not None)


def test_nothing_is_bound_to_tls_that_is_not_there() -> None:
    negotiation = Negotiation(make_setup(CLEAR_ALLOWED, end_point=b"hash"))
    assert b"-PLUS" not in sent(negotiation.receive(header()))
    drive(negotiation, received(STARTTLS), TlsEstablished())
    assert b"-PLUS" in sent(negotiation.receive(header()))


def certified(*addresses: str) -> Negotiation:
    """A negotiation over direct TLS whose client has shown a certificate."""
    negotiation = Negotiation(make_setup(DIRECT_TLS))
    negotiation.receive(CertificateShown(addresses))
    negotiation.receive(header())
    return negotiation


def test_login_by_certificate_needs_nothing_but_the_account() -> None:
    negotiation = certified("juliet@im.example.com")
    assert negotiation.receive(auth("EXTERNAL", b"")) == [FetchCredentials(JULIET)]
    actions = negotiation.receive(CredentialsFound(()))
    assert sent(actions) == b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
    assert others(actions) == [RestartStream(JULIET)]
    assert negotiation.account == JULIET


def test_login_by_certificate_without_initial_response_is_asked_whom_it_wants_to_be() -> None:
    negotiation = certified("juliet@im.example.com", "romeo@im.example.com")
    asked = negotiation.receive(auth("EXTERNAL"))
    assert asked == [Send(b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")]
    assert negotiation.receive(response(JULIET.bare.encode())) == [FetchCredentials(JULIET)]


def test_login_by_certificate_of_nobody_here_is_not_authorized() -> None:
    negotiation = certified("juliet@im.example.com")
    negotiation.receive(auth("EXTERNAL", b""))
    assert failure("not-authorized") in sent(negotiation.receive(CredentialsMissing()))
    assert negotiation.account is None


def test_login_by_certificate_of_several_accounts_must_choose() -> None:
    negotiation = certified("juliet@im.example.com", "romeo@im.example.com")
    assert failure("invalid-authzid") in sent(negotiation.receive(auth("EXTERNAL", b"")))
    assert failure("invalid-authzid") in sent(negotiation.receive(auth("EXTERNAL", b"nurse@im.example.com")))
    assert negotiation.receive(auth("EXTERNAL", JULIET.bare.encode())) == [FetchCredentials(JULIET)]


def test_login_by_certificate_while_the_store_is_away_is_for_later() -> None:
    negotiation = certified("juliet@im.example.com")
    negotiation.receive(auth("EXTERNAL", b""))
    assert failure("temporary-auth-failure") in sent(negotiation.receive(CredentialsUnavailable()))


def test_login_by_certificate_is_offered_first_and_to_those_only_who_have_shown_one() -> None:
    offer = sent(certified_features(CertificateShown(())))
    assert b"><mechanism>EXTERNAL</mechanism><mechanism>SCRAM" in offer
    assert b"EXTERNAL" not in sent(certified_features())
    negotiation = opened(DIRECT_TLS)
    assert failure("invalid-mechanism") in sent(negotiation.receive(auth("EXTERNAL", b"")))


def certified_features(*shown: CertificateShown) -> list[Action]:
    return drive(Negotiation(make_setup(DIRECT_TLS)), *shown, header())


def test_certificate_is_shown_behind_starttls_as_well() -> None:
    negotiation = opened(TLS_REQUIRED)
    drive(negotiation, received(STARTTLS), TlsEstablished(), CertificateShown((JULIET.bare,)))
    assert b"EXTERNAL" in sent(negotiation.receive(header()))


# -- DIGEST-MD5

DIGEST_BITS = DIRECT_TLS | SessionBits.DIGEST_MD5_ALLOWED
DIGEST_KEYS = (*KEYS, derive_digest_key(JULIET, PASSWORD))
ACCOUNT = Account(JULIET.bare, PASSWORD)


def digest_answered(account: Account) -> tuple[Negotiation, list[Action]]:
    """A negotiation in which a client has answered the challenge of DIGEST-MD5."""
    negotiation = opened(DIGEST_BITS)
    challenge = challenge_in(negotiation.receive(auth("DIGEST-MD5")))
    return negotiation, negotiation.receive(response(answer_digest(account, challenge)))


def test_login_by_digest_md5_ends_with_proof_of_both_sides() -> None:
    negotiation, asked = digest_answered(ACCOUNT)
    assert asked == [FetchCredentials(JULIET)]
    assert challenge_in(negotiation.receive(CredentialsFound(DIGEST_KEYS))).startswith("rspauth=")
    actions = negotiation.receive(response(b""))
    assert others(actions) == [RestartStream(JULIET)]
    assert b"<success" in sent(actions)


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("wrong", CredentialsFound(DIGEST_KEYS)),
        (PASSWORD, CredentialsFound(KEYS)),
        (PASSWORD, CredentialsMissing()),
    ],
    ids=["wrong-password", "keeps-no-keys", "no-account"],
)
def test_login_by_digest_md5_without_the_right_key_is_not_authorized(password: str, found: Input) -> None:
    negotiation, _ = digest_answered(Account(JULIET.bare, password))
    actions = negotiation.receive(found)
    assert actions == [
        Send(failure("not-authorized") + b"</failure>"),
        LoginFailed(JULIET, SaslCondition.NOT_AUTHORIZED),
    ]


def test_login_by_digest_md5_is_on_offer_where_the_operator_says_so() -> None:
    assert failure("invalid-mechanism") in sent(opened(DIRECT_TLS).receive(auth("DIGEST-MD5")))


def test_login_by_digest_md5_begins_with_our_challenge_whatever_the_client_knows_from_before() -> None:
    answer = answer_digest(ACCOUNT, 'realm="im.example.com",nonce="nonce-0"')
    assert failure("not-authorized") in sent(opened(DIGEST_BITS).receive(auth("DIGEST-MD5", answer)))


@pytest.mark.parametrize("end_point", [None, b"hash"])
def test_login_by_scram_tells_the_hash_of_what_was_offered_on_this_stream(end_point: bytes | None) -> None:
    """XEP-0474 §6.1, from what stands in the features."""
    negotiation = Negotiation(make_setup(DIGEST_BITS, end_point=end_point))
    features = sent(negotiation.receive(header())).decode()
    offer = "\x1e".join(sorted(re.findall("<mechanism>(.*?)</mechanism>", features)))
    if "sasl-channel-binding" in features:
        offer += "\x1f" + "\x1e".join(sorted(re.findall("<channel-binding type='(.*?)'/>", features)))
    negotiation.receive(auth("SCRAM-SHA-1", b"n,,n=juliet,r=fyko"))
    challenge = challenge_in(negotiation.receive(CredentialsFound(KEYS)))
    expected = b64encode(hashlib.sha1(offer.encode(), usedforsecurity=False).digest()).decode()
    assert challenge.endswith(f",h={expected}")


# -- accounts that are disabled


SHUT_OUT = CredentialsFound(with_mark(DIGEST_KEYS, is_disabled=True))
DISABLED = failure("account-disabled")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_login_by_scram_to_a_disabled_account_is_told_so_to_whom_it_belongs(mechanism: str) -> None:
    assert DISABLED in sent(scram_login(opened(), mechanism, PASSWORD, SHUT_OUT))
    assert failure("not-authorized") in sent(scram_login(opened(), mechanism, "wrong", SHUT_OUT))


def test_login_by_other_mechanisms_to_a_disabled_account_is_told_so_as_well() -> None:
    assert DISABLED in sent(drive(opened(), PLAIN, SHUT_OUT, PasswordVerified()))
    assert failure("not-authorized") in sent(drive(opened(), PLAIN, SHUT_OUT, PasswordRefused()))
    negotiation, _ = digest_answered(ACCOUNT)
    assert DISABLED in sent(drive(negotiation, SHUT_OUT, response(b"")))
    negotiation = certified(JULIET.bare)
    assert DISABLED in sent(drive(negotiation, auth("EXTERNAL", b""), SHUT_OUT))
    assert negotiation.account is None
