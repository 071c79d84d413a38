"""Negotiation handlers for authentication: SASL in XMPP, whatever the mechanism (RFC 6120 §6)."""

from typing import Final, assert_never

from protocols.conditions import SaslCondition, StreamCondition
from protocols.errors import JIDMalformed, RemoteProtocolError
from protocols.jid import JID, jid_from_parts, parse_jid
from protocols.negotiation_stream import fail_stream
from protocols.negotiation_values import (
    Attempt,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    FetchCredentials,
    LoginFailed,
    PasswordRefused,
    PasswordVerified,
    Progress,
    RestartStream,
    Send,
    Setup,
    State,
    Step,
    VerifyPassword,
)
from protocols.sasl.elements import challenge, decode_message, failure, success
from protocols.sasl.exchange import (
    Challenge,
    Circumstances,
    GuestWelcome,
    IdentityClaimed,
    PasswordGiven,
    Proved,
    SaslFailure,
    SaslStep,
)
from protocols.sasl.keys import decoy_keys, find_keys
from protocols.sasl.kinds import is_disabled
from protocols.sasl.mechanisms import MECHANISMS, offer_of
from protocols.session_bits import SessionBits
from protocols.stream_events import ElementReceived

# RFC 6120 §6.4.5 asks for at least two and at most five.
ATTEMPTS_MAX: Final = 5

_MECHANISM_BY_NAME: Final = {mechanism.name: mechanism for mechanism in MECHANISMS}


def begin_login(setup: Setup, progress: Progress, event: ElementReceived) -> Step:
    """Begin an attempt with the mechanism that the client chose."""
    if SessionBits.LOGIN_ALLOWED not in progress.bits:
        raise SaslFailure(SaslCondition.ENCRYPTION_REQUIRED, "TLS must be in force first")
    mechanism = _MECHANISM_BY_NAME.get(event.attributes.get("mechanism", ""))
    if mechanism is None or mechanism.needs not in progress.bits:
        raise SaslFailure(SaslCondition.INVALID_MECHANISM)
    circumstances = Circumstances(
        setup.host, setup.new_nonce(), progress.end_point, progress.addresses, offer_of(progress.bits)
    )
    attempt = Attempt(mechanism, mechanism.begin(circumstances))
    if not event.text:
        # No initial response: the client is asked for its first message (RFC 4422 §5).
        return _advance(setup, progress, attempt, Challenge(attempt.exchange.first_challenge))
    return _advance(setup, progress, attempt, attempt.exchange.respond(decode_message(event.text)))


def continue_login(setup: Setup, progress: Progress, event: ElementReceived) -> Step:
    """Hand the client's response to the mechanism."""
    attempt = _current(progress)
    return _advance(setup, progress, attempt, attempt.exchange.respond(decode_message(event.text)))


def take_credentials(setup: Setup, progress: Progress, event: CredentialsFound) -> Step:
    """Go on with the keys of the account; an account without keys for this mechanism is as good as none."""
    attempt = _current(progress)._replace(is_disabled=is_disabled(event.keys))
    progress = progress._replace(attempt=attempt)
    if not attempt.mechanism.keys:
        return _advance(setup, progress, attempt, Proved(b""))
    keys = find_keys(event.keys, attempt.mechanism.keys)
    if keys is None:
        return take_no_credentials(setup, progress, CredentialsMissing())
    return _advance(setup, progress, attempt, attempt.exchange.resume(keys))


def take_no_credentials(setup: Setup, progress: Progress, _event: CredentialsMissing) -> Step:
    """Go on with decoys, so that the client sees no difference until its proof or password is refused."""
    attempt = _current(progress)
    if not attempt.mechanism.keys:
        raise SaslFailure(SaslCondition.NOT_AUTHORIZED)
    account = _claimed(attempt)
    decoy = decoy_keys(attempt.mechanism.keys[0], account.bare, setup.decoy_secret)
    return _advance(setup, progress, attempt, attempt.exchange.resume(decoy))


def report_store_away(_setup: Setup, _progress: Progress, _event: CredentialsUnavailable) -> Step:
    """Tell the client to try later."""
    raise SaslFailure(SaslCondition.TEMPORARY_AUTH_FAILURE, "accounts cannot be looked up just now")


def accept_password(setup: Setup, progress: Progress, _event: PasswordVerified) -> Step:
    """Let the client in: its password is right."""
    return _advance(setup, progress, _current(progress), Proved(b""))


def refuse_password(_setup: Setup, _progress: Progress, _event: PasswordRefused) -> Step:
    """Turn the client away: its password is wrong, or there is no such account."""
    raise SaslFailure(SaslCondition.NOT_AUTHORIZED)


def abort_login(_setup: Setup, _progress: Progress, _event: ElementReceived) -> Step:
    """Give up the attempt as the client wishes."""
    raise SaslFailure(SaslCondition.ABORTED)


def refuse_stray_response(_setup: Setup, _progress: Progress, _event: ElementReceived) -> Step:
    """Refuse a response to no challenge, and a second attempt inside the first."""
    raise SaslFailure(SaslCondition.MALFORMED_REQUEST, "not in this order")


def refuse_login_again(_setup: Setup, _progress: Progress, _event: ElementReceived) -> Step:
    """Refuse to log in on a stream that belongs to an account already (RFC 6120 §6.3.5)."""
    raise RemoteProtocolError(StreamCondition.POLICY_VIOLATION, "this stream is logged in already")


def fail_login(setup: Setup, progress: Progress, cause: SaslFailure) -> Step:
    """Tell the client that its attempt failed, and let it try again a few times."""
    account = None if progress.attempt is None else progress.attempt.account
    failed = progress._replace(
        state=State.WAIT_FOR_FEATURE_REQUEST,
        logins_failed=progress.logins_failed + 1,
        sasl_failed=True,
        attempt=None,
    )
    refusal = (
        Send(setup.framing.nonza(failure(cause.condition, cause.text))),
        LoginFailed(account, cause.condition),
    )
    if failed.logins_failed < ATTEMPTS_MAX:
        return Step(failed, refusal)
    error = RemoteProtocolError(StreamCondition.POLICY_VIOLATION, "too many attempts to log in")
    end = fail_stream(setup, failed, error)
    return Step(end.progress, (*refusal, *end.actions))


def _advance(setup: Setup, progress: Progress, attempt: Attempt, step: SaslStep) -> Step:
    """Do what the mechanism wants next."""
    match step:
        case IdentityClaimed():
            account = _resolve(setup, step)
            named = progress._replace(
                state=State.WAIT_FOR_CREDENTIALS, attempt=attempt._replace(account=account)
            )
            return Step(named, (FetchCredentials(account),))
        case PasswordGiven():
            checking = progress._replace(state=State.WAIT_FOR_PASSWORD_CHECK)
            return Step(checking, (VerifyPassword(step.password, step.keys),))
        case Challenge():
            asked = progress._replace(state=State.WAIT_FOR_SASL_RESPONSE, attempt=attempt)
            return Step(asked, (Send(setup.framing.nonza(challenge(step.data))),))
        case Proved() if attempt.is_disabled:
            raise SaslFailure(SaslCondition.ACCOUNT_DISABLED)
        case Proved():
            return _let_in(setup, progress, _claimed(attempt), step.data)
        case GuestWelcome():
            return _let_in(setup, as_guest(progress), new_guest(setup), b"")
        case _:
            assert_never(step)


def _resolve(setup: Setup, claim: IdentityClaimed) -> JID:
    """Return the account that a client claims to be; it may act for no other (RFC 6120 §6.3.8).

    Raises:
        SaslFailure: If there can be no such account here, or it wants to act for another.
    """
    try:
        account = jid_from_parts(claim.username, setup.host)
    except JIDMalformed as error:
        raise SaslFailure(SaslCondition.NOT_AUTHORIZED) from error
    try:
        is_own = not claim.authzid or parse_jid(claim.authzid) == account
    except JIDMalformed:
        is_own = False
    if not is_own:
        raise SaslFailure(SaslCondition.INVALID_AUTHZID)
    return account


def new_guest(setup: Setup) -> JID:
    """Return an address that nobody has, nor could have guessed."""
    return jid_from_parts(setup.new_resource(), setup.host)


def as_guest(progress: Progress) -> Progress:
    """Return the same for a client that is nobody in particular; its account is made when it needs one."""
    return progress._replace(bits=progress.bits | SessionBits.GUEST)


def _let_in(setup: Setup, progress: Progress, account: JID, data: bytes) -> Step:
    """Tell the client that it is in; it opens a new stream, which is the account's."""
    authenticated = progress._replace(
        state=State.WAIT_FOR_STREAM,
        bits=progress.bits | SessionBits.AUTHENTICATED,
        header_sent=False,
        attempt=None,
        account=account,
    )
    return Step(authenticated, (Send(setup.framing.nonza(success(data))), RestartStream(account)))


def _current(progress: Progress) -> Attempt:
    assert progress.attempt is not None, "the states of a log-in have an attempt"
    return progress.attempt


def _claimed(attempt: Attempt) -> JID:
    assert attempt.account is not None, "every mechanism begins with a claim"
    return attempt.account
