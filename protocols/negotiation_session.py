"""Negotiation handlers for the requests that come before a session: registration, binding, resumption.

XEP-0077 §3.1.1 (registration before log-in), RFC 6120 §7 (resource binding) and XEP-0198 §5 (resumption of
an earlier session in place of binding).
"""

from typing import Final

from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import JIDMalformed, LocalProtocolError, RemoteProtocolError, StanzaError
from protocols.jid import JID
from protocols.namespaces import BIND
from protocols.negotiation_values import (
    BindRefused,
    BindResource,
    Bound,
    Established,
    GuestMade,
    GuestRefused,
    MakeGuest,
    Progress,
    RegistrationAnswered,
    RequestRegistration,
    Resumed,
    ResumeRefused,
    ResumeSession,
    Send,
    Setup,
    State,
    Step,
)
from protocols.session_bits import SessionBits
from protocols.stanza import Stanza, build_error, build_iq_result
from protocols.stream_events import ElementReceived, StanzaReceived, StanzaRefused
from protocols.stream_features import is_offered, outstanding_features
from protocols.stream_management import Resume, failed, parse_nonza
from protocols.xml_text import escape_text

# A client that registers and then binds needs three, one whose earlier session is gone a fourth; the rest are
# for names that are taken and for resources that are refused. What wants more is guessing.
REQUESTS_MAX: Final = 10

_RESOURCE: Final = f"{{{BIND}}}bind/{{{BIND}}}resource"


def request_registration(setup: Setup, progress: Progress, event: StanzaReceived) -> Step:
    """Pass a request to register on, where strangers may; elsewhere say that they may not."""
    request = event.stanza
    if request.to is not None and request.to.full != setup.host:
        return refuse_stanza(setup, progress, event)
    counted = count_request(progress)
    if not is_offered("register", setup.features, progress.bits):
        return answer_error(setup, counted, request, StanzaError(StanzaCondition.SERVICE_UNAVAILABLE))
    waiting = counted._replace(state=State.WAIT_FOR_REGISTRATION)
    return Step(waiting, (RequestRegistration(request),))


def answer_registration(setup: Setup, progress: Progress, event: RegistrationAnswered) -> Step:
    """Pass the answer back; the client logs in next, or tries another name."""
    answered = progress._replace(state=before_login(progress))
    return Step(answered, (Send(setup.framing.stanza(event.answer)),))


def request_bind(setup: Setup, progress: Progress, event: StanzaReceived) -> Step:
    """Claim the resource that the client asks for, or one of our choice."""
    request = event.stanza
    counted = count_request(progress)
    try:
        jid = _requested_jid(setup, progress, request)
    except StanzaError as error:
        return answer_error(setup, counted, request, error)
    waiting = counted._replace(bind_request=request)
    if SessionBits.GUEST in progress.bits:
        made = MakeGuest(jid.bare_jid)
        return Step(waiting._replace(state=State.WAIT_FOR_GUEST, bind_jid=jid), (made,))
    return Step(waiting._replace(state=State.WAIT_FOR_RESOURCE), (BindResource(jid),))


def bind_guest(_setup: Setup, progress: Progress, _event: GuestMade) -> Step:
    """Go on as with any other account."""
    assert progress.bind_jid is not None, "the account is made for a resource of it"
    waiting = progress._replace(state=State.WAIT_FOR_RESOURCE, bind_jid=None)
    return Step(waiting, (BindResource(progress.bind_jid),))


def begin_session(setup: Setup, progress: Progress, event: Bound) -> Step:
    """Tell the client its full JID, and hand the stream over to its session."""
    request = _pending_bind(progress)
    bound = established(setup, progress, event.jid)
    payload = f"<bind xmlns='{BIND}'><jid>{escape_text(event.jid.full)}</jid></bind>".encode()
    result = setup.framing.stanza(build_iq_result(request, payload))
    return Step(bound, (Send(result), Established(event.jid)))


def refuse_bind(setup: Setup, progress: Progress, event: BindRefused | GuestRefused) -> Step:
    """Tell the client that it cannot have the resource; it may ask for another."""
    refused = progress._replace(state=State.WAIT_FOR_BIND, bind_request=None, bind_jid=None)
    return answer_error(setup, refused, _pending_bind(progress), event.error)


def request_resumption(setup: Setup, progress: Progress, event: ElementReceived) -> Step:
    """Ask for the earlier session that the client wants to go on with."""
    assert progress.account is not None, "the state of binding follows authentication"
    counted = count_request(progress)
    try:
        request = parse_nonza(event)
    except StanzaError as error:
        return _refuse_management(setup, counted, error.condition)
    assert isinstance(request, Resume), "the table knows it by its name"
    waiting = counted._replace(state=State.WAIT_FOR_RESUMPTION)
    is_guest = SessionBits.GUEST in progress.bits
    return Step(waiting, (ResumeSession(progress.account, request.previd, request.h, is_guest),))


def resume_session(setup: Setup, progress: Progress, event: Resumed) -> Step:
    """Hand the stream over to the earlier session, which alone knows what the client is to be told."""
    if SessionBits.GUEST in progress.bits:
        progress = progress._replace(account=event.jid.bare_jid)  # that is who it was then
    return Step(established(setup, progress, event.jid), (Established(event.jid),))


def refuse_resumption(setup: Setup, progress: Progress, event: ResumeRefused) -> Step:
    """Tell the client that its earlier session is gone; it may bind a resource (XEP-0198 §5)."""
    refused = progress._replace(state=State.WAIT_FOR_BIND)
    return _refuse_management(setup, refused, event.condition, event.h)


def refuse_management(setup: Setup, progress: Progress, _event: ElementReceived) -> Step:
    """Refuse stream management where it has no place; the stream goes on (XEP-0198 §3, §6)."""
    return _refuse_management(setup, count_request(progress), StanzaCondition.UNEXPECTED_REQUEST)


def refuse_stanza(_setup: Setup, _progress: Progress, _event: StanzaReceived | StanzaRefused) -> Step:
    """Refuse a stanza from a stream that has no session yet (RFC 6120 §4.9.3.12, §7.1)."""
    raise RemoteProtocolError(StreamCondition.NOT_AUTHORIZED, "no stanza before log-in and binding")


def _requested_jid(setup: Setup, progress: Progress, request: Stanza) -> JID:
    """Return the full JID that a bind request asks for.

    Raises:
        StanzaError: If it is no bind request, or its resource can be none.
    """
    assert progress.account is not None, "the states of binding follow authentication"
    if request.type != "set" or request.children != 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST)
    resource = request.element.find(_RESOURCE)
    requested = None if resource is None else resource.text
    try:
        return progress.account.with_resource(requested or setup.new_resource())
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, str(error)) from error


def established(setup: Setup, progress: Progress, jid: JID) -> Progress:
    """Return the end of the negotiation.

    Raises:
        LocalProtocolError: If this stream cannot be that session's: a fault of the connection.
    """
    ended = progress._replace(
        state=State.SESSION_ESTABLISHED, bits=progress.bits | SessionBits.BOUND, bind_request=None
    )
    outstanding = outstanding_features(setup.features, ended.bits)
    if outstanding or jid.bare_jid != progress.account:
        raise LocalProtocolError(f"cannot begin a session of {jid}, outstanding: {outstanding}")
    return ended


def _pending_bind(progress: Progress) -> Stanza:
    assert progress.bind_request is not None, "a resource is claimed for a request"
    return progress.bind_request


def before_login(progress: Progress) -> State:
    """Return where a stream stands that nobody has logged in on."""
    is_old = SessionBits.UNVERSIONED in progress.bits
    return State.WAIT_FOR_AUTH if is_old else State.WAIT_FOR_FEATURE_REQUEST


def count_request(progress: Progress) -> Progress:
    """Count one of the few requests that a stream may make before it has a session.

    Raises:
        RemoteProtocolError: It has made all of them.
    """
    if progress.requests >= REQUESTS_MAX:
        raise RemoteProtocolError(StreamCondition.POLICY_VIOLATION, "too many requests before a session")
    return progress._replace(requests=progress.requests + 1)


def answer_error(setup: Setup, progress: Progress, request: Stanza, error: StanzaError) -> Step:
    """Answer a request by an error."""
    return Step(progress, (Send(setup.framing.stanza(build_error(request, error))),))


def _refuse_management(
    setup: Setup, progress: Progress, condition: StanzaCondition, h: int | None = None
) -> Step:
    return Step(progress, (Send(setup.framing.nonza(failed(condition, h))),))
