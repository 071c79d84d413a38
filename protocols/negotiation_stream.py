"""Negotiation handlers for the stream itself: its header, TLS, its end and its faults.

RFC 6120 §4 (streams), §5 (STARTTLS); RFC 7395 differs in framing only.
"""

import re
from typing import Final

from protocols.conditions import StreamCondition
from protocols.errors import RemoteProtocolError
from protocols.namespaces import AUTH, STANZAS, TLS
from protocols.negotiation_values import (
    CertificateShown,
    CloseStream,
    Progress,
    Send,
    Setup,
    StartTls,
    State,
    Step,
    StreamEnded,
    TlsEstablished,
)
from protocols.session_bits import SessionBits
from protocols.stanza import build_iq
from protocols.stream_events import (
    ElementReceived,
    StreamClosed,
    StreamFailed,
    StreamHeader,
    StreamOpened,
)
from protocols.stream_features import is_offered, offered_features

# XEP-0138. Only refused here, hence not among the namespaces that the server speaks.
COMPRESSION: Final = "http://jabber.org/protocol/compress"

_VERSION: Final = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}")

_PROCEED: Final = f"<proceed xmlns='{TLS}'/>".encode()
_TLS_FAILURE: Final = f"<failure xmlns='{TLS}'/>".encode()
# What Jabber 1.4 said; XEP-0086 has the code's condition.
_TIMEOUT: Final = build_iq(
    to=None,
    sender=None,
    type="error",
    id=None,
    payload=f"<query xmlns='{AUTH}'/><error code='408' type='wait'>"
    f"<remote-server-timeout xmlns='{STANZAS}'/></error>".encode(),
)
_COMPRESSION_FAILURE: Final = f"<failure xmlns='{COMPRESSION}'><unsupported-method/></failure>".encode()


def open_stream(setup: Setup, progress: Progress, event: StreamOpened) -> Step:
    """Answer the client's header with ours and with what can be negotiated next."""
    header, stream_id = event.header, setup.new_stream_id()
    if header.version is None:
        return _open_old_stream(setup, progress, header, stream_id)
    _check_header(setup, progress, header)
    if setup.see_other_host and SessionBits.LOGIN_ALLOWED in progress.bits:
        return _send_elsewhere(setup, progress, header, stream_id)
    progress = _with_end_point(setup, progress)
    features = offered_features(setup.features, progress.bits)
    data = _header(setup, stream_id, header) + setup.framing.features(
        [feature.advertise(progress.bits) for feature in features]
    )
    authenticated = SessionBits.AUTHENTICATED in progress.bits
    following = State.WAIT_FOR_BIND if authenticated else State.WAIT_FOR_FEATURE_REQUEST
    opened = progress._replace(state=following, header_sent=True, stream_id=stream_id)
    return Step(opened, (Send(data),))


def refuse_header(_setup: Setup, _progress: Progress, _event: StreamOpened) -> Step:
    """Refuse a header where none is due: a stream is opened anew only after TLS and after log-in."""
    raise RemoteProtocolError(StreamCondition.BAD_FORMAT, "the stream is open already")


def close_stream(setup: Setup, progress: Progress, _event: StreamClosed) -> Step:
    """Close our stream as the client has closed its own."""
    closing = (Send(setup.framing.close()),) if progress.header_sent else ()
    return Step(progress._replace(state=State.CLOSED), (*closing, CloseStream()))


def report_fault(_setup: Setup, _progress: Progress, event: StreamFailed) -> Step:
    """Refuse what was no XML stream."""
    raise RemoteProtocolError(event.condition, event.text)


def end_stream(setup: Setup, progress: Progress, event: StreamEnded) -> Step:
    """End the stream for the connection's reasons."""
    end = fail_stream(setup, progress, RemoteProtocolError(event.condition, event.text), event.detail)
    is_old = SessionBits.UNVERSIONED in progress.bits
    if is_old and event.condition is StreamCondition.CONNECTION_TIMEOUT:
        return Step(end.progress, (Send(setup.framing.stanza(_TIMEOUT)), *end.actions))
    return end


def fail_stream(setup: Setup, progress: Progress, error: RemoteProtocolError, detail: bytes = b"") -> Step:
    """Send a stream error and close; a header must come first even then (RFC 6120 §4.9.1.2)."""
    opening = b"" if progress.header_sent else _header(setup, setup.new_stream_id(), None)
    data = opening + setup.framing.error(error.condition, error.text, detail) + setup.framing.close()
    closed = progress._replace(
        state=State.CLOSED, attempt=None, old_attempt=None, bind_request=None, header_sent=True
    )
    return Step(closed, (Send(data), CloseStream()))


def note_certificate(_setup: Setup, progress: Progress, event: CertificateShown) -> Step:
    """Note who the client is by its certificate, for a log-in with EXTERNAL."""
    shown = progress._replace(bits=progress.bits | SessionBits.CERTIFIED, addresses=event.addresses)
    return Step(shown, ())


def start_tls(setup: Setup, progress: Progress, event: ElementReceived) -> Step:
    """Let TLS begin, where it is on offer."""
    if not is_offered("starttls", setup.features, progress.bits):
        return refuse_tls(setup, progress, event)
    waiting = progress._replace(state=State.WAIT_FOR_TLS)
    return Step(waiting, (Send(setup.framing.nonza(_PROCEED)), StartTls()))


def refuse_tls(setup: Setup, progress: Progress, _event: ElementReceived) -> Step:
    """Answer that TLS cannot be had now, and close, as RFC 6120 §5.4.2.2 says."""
    opening = b"" if progress.header_sent else _header(setup, setup.new_stream_id(), None)
    data = opening + setup.framing.nonza(_TLS_FAILURE) + setup.framing.close()
    return Step(progress._replace(state=State.CLOSED, attempt=None), (Send(data), CloseStream()))


def drop_stream(_setup: Setup, progress: Progress, _event: StreamEnded) -> Step:
    """Close without a word: while TLS begins there is no stream to write XML to."""
    return Step(progress._replace(state=State.CLOSED), (CloseStream(),))


def restart_after_tls(_setup: Setup, progress: Progress, _event: TlsEstablished) -> Step:
    """Forget what was said in clear; log-in is allowed now, whatever the operator requires."""
    secured = progress.bits | SessionBits.SECURE | SessionBits.LOGIN_ALLOWED
    return Step(progress._replace(state=State.WAIT_FOR_STREAM, bits=secured, header_sent=False), ())


def refuse_compression(setup: Setup, progress: Progress, _event: ElementReceived) -> Step:
    """Refuse XEP-0138: compressing what others wrote together with secrets gives the secrets away."""
    return Step(progress, (Send(setup.framing.nonza(_COMPRESSION_FAILURE)),))


def refuse_element(_setup: Setup, _progress: Progress, event: ElementReceived) -> Step:
    """Refuse an element that means nothing here (RFC 6120 §4.9.3.24)."""
    raise RemoteProtocolError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"unexpected <{event.name}/>")


def _send_elsewhere(setup: Setup, progress: Progress, header: StreamHeader, stream_id: str) -> Step:
    """Name the host to connect to instead, behind TLS where that is required (RFC 6120 §4.9.3.19)."""
    to = None if header.sender is None else header.sender.bare
    framing = setup.framing
    opening = framing.open(stream_id=stream_id, sender=setup.host, to=to, version=header.version)
    error = framing.error(StreamCondition.SEE_OTHER_HOST, content=setup.see_other_host)
    closed = progress._replace(state=State.CLOSED, header_sent=True)
    return Step(closed, (Send(opening + error + framing.close()), CloseStream()))


def _with_end_point(setup: Setup, progress: Progress) -> Progress:
    """Note what a log-in can be bound to from here on: the certificate as it is now."""
    end_point = setup.end_point() if SessionBits.SECURE in progress.bits else None
    bits = progress.bits if end_point is None else progress.bits | SessionBits.BINDABLE
    return progress._replace(bits=bits, end_point=end_point)


def _open_old_stream(setup: Setup, progress: Progress, header: StreamHeader, stream_id: str) -> Step:
    """Answer a client older than RFC 3920 by a header like its own: no version, no features.

    It knows one way to log in (XEP-0078), and no STARTTLS: where it can have no session it is told so.
    """
    opening = Send(setup.framing.open(stream_id=stream_id, sender=setup.host, to=None, version=None))
    opened = progress._replace(
        state=State.WAIT_FOR_AUTH,
        bits=progress.bits | SessionBits.UNVERSIONED,
        header_sent=True,
        stream_id=stream_id,
    )
    try:
        if not is_offered("iq-auth", setup.features, progress.bits):
            raise RemoteProtocolError(StreamCondition.UNSUPPORTED_VERSION, "XMPP 1.0 is needed")
        _check_addresses(setup, progress, header)
        if setup.see_other_host:
            return _send_elsewhere(setup, progress, header, stream_id)
    except RemoteProtocolError as error:
        end = fail_stream(setup, opened, error)
        return Step(end.progress, (opening, *end.actions))
    return Step(opened, (opening,))


def _check_header(setup: Setup, progress: Progress, header: StreamHeader) -> None:
    """Refuse a header that no stream of ours can answer.

    Raises:
        RemoteProtocolError: With the condition of RFC 6120 §4.9.3 that fits.
    """
    version = header.version or ""
    if not _VERSION.fullmatch(version) or int(version.split(".")[0]) < 1:
        raise RemoteProtocolError(StreamCondition.UNSUPPORTED_VERSION, "XMPP 1.0 is needed")
    _check_addresses(setup, progress, header)


def _check_addresses(setup: Setup, progress: Progress, header: StreamHeader) -> None:
    if header.to is None:
        raise RemoteProtocolError(StreamCondition.IMPROPER_ADDRESSING, "the header has no 'to'")
    if header.to.full != setup.host:
        raise RemoteProtocolError(StreamCondition.HOST_UNKNOWN, "this domain is not served here")
    sender = header.sender
    if progress.account is not None and sender is not None and sender.bare_jid != progress.account:
        raise RemoteProtocolError(StreamCondition.INVALID_FROM, "'from' is not who logged in")


def _header(setup: Setup, stream_id: str, header: StreamHeader | None) -> bytes:
    """Return our header; it is addressed to whom the client says it is (RFC 6120 §4.7.2)."""
    to = None if header is None or header.sender is None else header.sender.bare
    return setup.framing.open(stream_id=stream_id, sender=setup.host, to=to, version="1.0")
