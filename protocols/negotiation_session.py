"""Negotiation handlers for the requests that come before a session: registration, resource binding.

XEP-0077 §3.1.1 (registration before log-in) and RFC 6120 §7 (resource binding).
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
    Progress,
    RegistrationAnswered,
    RequestRegistration,
    Send,
    Setup,
    State,
    Step,
)
from protocols.stanza import Stanza, build_error, build_iq_result
from protocols.stream_events import StanzaReceived, StanzaRefused
from protocols.stream_features import SessionBits, is_offered, outstanding_features
from protocols.xml_text import escape_text

# A client that registers and then binds needs three; the rest are for names that are taken and for
# resources that are refused. What wants more is guessing.
REQUESTS_MAX: Final = 10

_RESOURCE: Final = f"{{{BIND}}}bind/{{{BIND}}}resource"


def request_registration(setup: Setup, progress: Progress, event: StanzaReceived) -> Step:
    """Pass a request to register on, where strangers may; elsewhere say that they may not."""
    request = event.stanza
    if request.to is not None and request.to.full != setup.host:
        return refuse_stanza(setup, progress, event)
    counted = _count_request(progress)
    if not is_offered("register", setup.features, progress.bits):
        return _answer_error(setup, counted, request, StanzaError(StanzaCondition.SERVICE_UNAVAILABLE))
    waiting = counted._replace(state=State.WAIT_FOR_REGISTRATION)
    return Step(waiting, (RequestRegistration(request),))


def answer_registration(setup: Setup, progress: Progress, event: RegistrationAnswered) -> Step:
    """Pass the answer back; the client logs in next, or tries another name."""
    answered = progress._replace(state=State.WAIT_FOR_FEATURE_REQUEST)
    return Step(answered, (Send(setup.framing.stanza(event.answer)),))


def request_bind(setup: Setup, progress: Progress, event: StanzaReceived) -> Step:
    """Claim the resource that the client asks for, or one of our choice."""
    request = event.stanza
    counted = _count_request(progress)
    try:
        jid = _requested_jid(setup, progress, request)
    except StanzaError as error:
        return _answer_error(setup, counted, request, error)
    waiting = counted._replace(state=State.WAIT_FOR_RESOURCE, bind_request=request)
    return Step(waiting, (BindResource(jid),))


def begin_session(setup: Setup, progress: Progress, event: Bound) -> Step:
    """Tell the client its full JID, and hand the stream over to its session."""
    request = _pending_bind(progress)
    bound = progress._replace(
        state=State.SESSION_ESTABLISHED, bits=progress.bits | SessionBits.BOUND, bind_request=None
    )
    outstanding = outstanding_features(setup.features, bound.bits)
    if outstanding or event.jid.bare_jid != progress.account:
        raise LocalProtocolError(f"cannot begin a session of {event.jid}, outstanding: {outstanding}")
    payload = f"<bind xmlns='{BIND}'><jid>{escape_text(event.jid.full)}</jid></bind>".encode()
    result = setup.framing.stanza(build_iq_result(request, payload))
    return Step(bound, (Send(result), Established(event.jid)))


def refuse_bind(setup: Setup, progress: Progress, event: BindRefused) -> Step:
    """Tell the client that it cannot have the resource; it may ask for another."""
    refused = progress._replace(state=State.WAIT_FOR_BIND, bind_request=None)
    return _answer_error(setup, refused, _pending_bind(progress), event.error)


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


def _pending_bind(progress: Progress) -> Stanza:
    assert progress.bind_request is not None, "a resource is claimed for a request"
    return progress.bind_request


def _count_request(progress: Progress) -> Progress:
    if progress.requests >= REQUESTS_MAX:
        raise RemoteProtocolError(StreamCondition.POLICY_VIOLATION, "too many requests before a session")
    return progress._replace(requests=progress.requests + 1)


def _answer_error(setup: Setup, progress: Progress, request: Stanza, error: StanzaError) -> Step:
    return Step(progress, (Send(setup.framing.stanza(build_error(request, error))),))
