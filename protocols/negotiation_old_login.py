"""Negotiation handlers for the log-in before SASL: jabber:iq:auth (XEP-0078).

One request asks which fields are wanted, one brings them and a resource; then the session begins on the
same stream. Clients older than XMPP 1.0 have no other way; others are told of it by a stream feature.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from protocols.conditions import SaslCondition, StanzaCondition, StreamCondition
from protocols.errors import JIDMalformed, RemoteProtocolError, StanzaError
from protocols.jid import JID, jid_from_parts
from protocols.namespaces import AUTH
from protocols.negotiation_login import ATTEMPTS_MAX, as_guest, new_guest
from protocols.negotiation_session import answer_error, before_login, count_request, established
from protocols.negotiation_stream import fail_stream
from protocols.negotiation_values import (
    Admit,
    BindRefused,
    BindResource,
    Bound,
    CredentialsFound,
    CredentialsMissing,
    CredentialsUnavailable,
    Established,
    FetchCredentials,
    GuestMade,
    GuestRefused,
    LoginFailed,
    MakeGuest,
    OldAttempt,
    PasswordRefused,
    PasswordVerified,
    Progress,
    ReplaceKeys,
    Send,
    Setup,
    State,
    Step,
    VerifyPassword,
)
from protocols.sasl.kept_password import KEPT_PASSWORD, is_digest_of, seems_kept
from protocols.sasl.keys import SCRAM_MECHANISMS, ScramKeys, decoy_keys, find_keys
from protocols.sasl.kinds import is_disabled, kinds_of
from protocols.sasl.zero_knowledge import ZERO_KNOWLEDGE, Link, next_link, seeming_link, shorten
from protocols.session_bits import SessionBits
from protocols.stanza import Stanza, build_iq_result
from protocols.stream_events import StanzaReceived
from protocols.stream_features import is_offered
from protocols.xml_text import escape_text

_FIELDS: Final = ("username", "password", "digest", "hash", "resource")


class _Fields(NamedTuple):
    """What the request has; empty where it has not."""

    username: str
    password: str
    digest: str
    hash: str
    resource: str

    @property
    def has_secret(self) -> bool:
        """Whether there is anything to be checked."""
        return bool(self.password or self.digest or self.hash)


class _Offer(NamedTuple):
    """What an account can do with besides its password."""

    has_digest: bool
    link: Link | None = None  # where it keeps a chain, and that may be used


def request_old_login(setup: Setup, progress: Progress, event: StanzaReceived) -> Step:
    """Look up the account of a request for the form, or of the form that is filled in."""
    request = event.stanza
    counted = count_request(progress)
    if progress.sasl_failed:
        raise RemoteProtocolError(StreamCondition.POLICY_VIOLATION, "SASL was tried, and failed")
    try:
        if not is_offered("iq-auth", setup.features, progress.bits):
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
        attempt = _attempt(setup, progress, request)
    except StanzaError as error:
        return answer_error(setup, counted, request, error)
    asked = counted._replace(old_attempt=attempt)
    if attempt.is_guest and attempt.account is not None:
        waiting = as_guest(asked)._replace(state=State.WAIT_FOR_AUTH_KEYS)
        return Step(waiting, (MakeGuest(attempt.account),))
    if attempt.account is None:
        if request.type == "set":
            return _refuse(setup, asked)
        return _answer_form(setup, asked, _Offer(has_digest=True))
    return Step(asked._replace(state=State.WAIT_FOR_AUTH_KEYS), (FetchCredentials(attempt.account),))


def take_old_credentials(setup: Setup, progress: Progress, event: CredentialsFound) -> Step:
    """Say which fields the account can do with, or check those that it has filled in."""
    attempt = _current(progress)
    if attempt.request.type == "set" and is_disabled(event.keys):
        return take_no_old_credentials(setup, progress, CredentialsMissing())
    if attempt.request.type == "get":
        chain = _chain(progress, event)
        offer = _Offer(KEPT_PASSWORD in kinds_of(event.keys), None if chain is None else next_link(chain))
        return _answer_form(setup, progress, offer)
    fields = _fields(attempt.request)
    if fields.password:
        keys = find_keys(event.keys, SCRAM_MECHANISMS)
        if keys is None:
            return take_no_old_credentials(setup, progress, CredentialsMissing())
        checking = progress._replace(state=State.WAIT_FOR_AUTH_CHECK)
        return Step(checking, (VerifyPassword(fields.password, keys),))
    if fields.digest:
        is_right = is_digest_of(fields.digest, progress.stream_id, event.keys)
        return _claim_resource(progress) if is_right else _refuse(setup, progress)
    return _take_hash(setup, progress, event, fields.hash)


def _take_hash(setup: Setup, progress: Progress, event: CredentialsFound, link: str) -> Step:
    """See that the hash is the next one of the chain, and let nobody in before it is used up for good."""
    account, before = _current(progress).account, _chain(progress, event)
    after = None if before is None else shorten(before, link)
    if before is None or after is None or account is None:
        return _refuse(setup, progress)
    using = progress._replace(state=State.WAIT_FOR_AUTH_CHECK)
    return Step(using, (ReplaceKeys(account, before, after),))


def _chain(progress: Progress, event: CredentialsFound) -> ScramKeys | None:
    is_used = SessionBits.ZERO_KNOWLEDGE in progress.bits
    return find_keys(event.keys, (ZERO_KNOWLEDGE,)) if is_used else None


def take_no_old_credentials(setup: Setup, progress: Progress, _event: CredentialsMissing) -> Step:
    """Treat an account that does not exist as any other whose password was wrong (XEP-0078 §3.1)."""
    attempt = _current(progress)
    assert attempt.account is not None, "keys are looked up for an account"
    name = attempt.account.bare
    if attempt.request.type == "get":
        is_used = SessionBits.ZERO_KNOWLEDGE in progress.bits
        link = seeming_link(name, setup.decoy_secret) if is_used else None
        return _answer_form(setup, progress, _Offer(seems_kept(name, setup.decoy_secret), link))
    password = _fields(attempt.request).password
    if not password:
        return _refuse(setup, progress)
    decoy = decoy_keys(SCRAM_MECHANISMS[0], name, setup.decoy_secret)
    return Step(progress._replace(state=State.WAIT_FOR_AUTH_CHECK), (VerifyPassword(password, decoy),))


def report_store_away_to_old(setup: Setup, progress: Progress, _event: CredentialsUnavailable) -> Step:
    """Tell the client to try later."""
    error = StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "accounts cannot be looked up just now")
    return _answer_refusal(setup, progress, error)


def accept_old_password(_setup: Setup, progress: Progress, _event: PasswordVerified | GuestMade) -> Step:
    """Let the client in once it has its resource: its password is right, or it needs none."""
    return _claim_resource(progress)


def refuse_old_password(setup: Setup, progress: Progress, _event: PasswordRefused) -> Step:
    """Turn the client away: its password is wrong, or there is no such account."""
    return _refuse(setup, progress)


def begin_old_session(setup: Setup, progress: Progress, event: Bound) -> Step:
    """Tell the client that it is in, and hand its stream over to its session."""
    request, account = _current(progress).request, event.jid.bare_jid
    admitted = progress._replace(
        bits=progress.bits | SessionBits.AUTHENTICATED, account=account, old_attempt=None
    )
    result = Send(setup.framing.stanza(build_iq_result(request)))
    return Step(established(setup, admitted, event.jid), (result, Admit(account), Established(event.jid)))


def refuse_old_bind(setup: Setup, progress: Progress, event: BindRefused | GuestRefused) -> Step:
    """Tell the client that it cannot have the resource; it is not logged in."""
    return _answer_refusal(setup, progress, event.error)


def _attempt(setup: Setup, progress: Progress, request: Stanza) -> OldAttempt:
    """Return what a request wants.

    Raises:
        StanzaError: It is for somebody else, or a form not filled in so that it could be checked.
    """
    if request.to is not None and request.to.full != setup.host:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    if request.children != 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST)
    fields = _fields(request)
    is_set = request.type == "set"
    is_nobody = is_set and not (fields.username or fields.has_secret)
    if is_nobody and fields.resource and SessionBits.GUESTS_ALLOWED in progress.bits:
        return _guest_attempt(setup, request, fields.resource)
    if is_set and not (fields.username and fields.resource):
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "username and resource are needed")
    if is_set and not (fields.password or fields.digest or _is_hash_used(progress, fields)):
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "no field that was offered is filled in")
    attempt = OldAttempt(request, resource=fields.resource)
    if not fields.username:
        return attempt
    try:
        account = jid_from_parts(fields.username, setup.host)
    except JIDMalformed:
        return attempt  # there is no such account, which is all that is said
    return _with_account(attempt, account)


def _is_hash_used(progress: Progress, fields: _Fields) -> bool:
    return bool(fields.hash) and SessionBits.ZERO_KNOWLEDGE in progress.bits


def _guest_attempt(setup: Setup, request: Stanza, resource: str) -> OldAttempt:
    """Who gives neither name nor password is nobody in particular, where such clients are welcome."""
    return _with_account(OldAttempt(request, resource=resource, is_guest=True), new_guest(setup))


def _with_account(attempt: OldAttempt, account: JID) -> OldAttempt:
    try:
        account.with_resource(attempt.resource or "any")
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"that can be no resource: {error}") from error
    return replace(attempt, account=account)


def _fields(request: Stanza) -> _Fields:
    path = f"{{{AUTH}}}query/{{{AUTH}}}"
    return _Fields(*(request.element.findtext(path + name) or "" for name in _FIELDS))


def _answer_form(setup: Setup, progress: Progress, offer: _Offer) -> Step:
    request = _current(progress).request
    username = escape_text(_fields(request).username)
    digest = "<digest/>" if offer.has_digest else ""
    link = offer.link
    chain = "" if link is None else f"<sequence>{link.sequence}</sequence><token>{link.token}</token>"
    form = f"<username>{username}</username><password/>{digest}{chain}<resource/>"
    result = build_iq_result(request, f"<query xmlns='{AUTH}'>{form}</query>".encode())
    answered = progress._replace(state=before_login(progress), old_attempt=None)
    return Step(answered, (Send(setup.framing.stanza(result)),))


def _claim_resource(progress: Progress) -> Step:
    attempt = _current(progress)
    assert attempt.account is not None, "nobody else is let in"
    jid = attempt.account.with_resource(attempt.resource)
    return Step(progress._replace(state=State.WAIT_FOR_AUTH_RESOURCE), (BindResource(jid, is_fixed=True),))


def _refuse(setup: Setup, progress: Progress) -> Step:
    """Say that the log-in has failed, whatever was wrong with it; who fails too often is put out."""
    failed = progress._replace(logins_failed=progress.logins_failed + 1)
    step = _answer_refusal(setup, failed, StanzaError(StanzaCondition.NOT_AUTHORIZED))
    actions = (*step.actions, LoginFailed(_current(progress).account, SaslCondition.NOT_AUTHORIZED))
    if failed.logins_failed < ATTEMPTS_MAX:
        return Step(step.progress, actions)
    error = RemoteProtocolError(StreamCondition.POLICY_VIOLATION, "too many attempts to log in")
    end = fail_stream(setup, step.progress, error)
    return Step(end.progress, (*actions, *end.actions))


def _answer_refusal(setup: Setup, progress: Progress, error: StanzaError) -> Step:
    bits = progress.bits & ~SessionBits.GUEST  # it is as it was before
    before = progress._replace(state=before_login(progress), bits=bits, old_attempt=None)
    return answer_error(setup, before, _current(progress).request, error)


def _current(progress: Progress) -> OldAttempt:
    assert progress.old_attempt is not None, "the states of an old log-in have an attempt"
    return progress.old_attempt
