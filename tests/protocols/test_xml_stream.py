"""Tests of `protocols.xml_stream`."""

import pytest

from protocols.conditions import StreamCondition
from protocols.errors import LocalProtocolError
from protocols.stream_events import (
    ElementReceived,
    StanzaReceived,
    StanzaRefused,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)
from protocols.stream_limits import StreamLimits
from protocols.xml_stream import XMLStream
from tests.protocols.xml_examples import (
    CLOSE,
    HEADER,
    IQ,
    MESSAGE,
    PRESENCE,
    drive,
    events_of,
    names,
    opened,
    stanza_data,
)

STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
R = b"<r xmlns='urn:xmpp:sm:3'/>"
A = b"<a xmlns='urn:xmpp:sm:3' h='7'/>"
AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>"


def failure(*pieces: bytes, limits: StreamLimits | None = None) -> StreamCondition:
    """Return why a stream fails, which must be the last it says and the same byte by byte."""
    events = events_of(*pieces, limits=limits)
    assert events_of(*[bytes([byte]) for byte in b"".join(pieces)], limits=limits) == events
    last = events[-1]
    assert isinstance(last, StreamFailed)
    return last.condition


def test_receive_data_of_a_conversation_gives_its_events_in_order() -> None:
    events = events_of(HEADER + b"\n" + MESSAGE + PRESENCE + b" " + IQ + CLOSE)
    assert isinstance(events[0], StreamOpened)
    assert [stanza_data(event) for event in events[1:4]] == [MESSAGE, PRESENCE, IQ]
    assert events[4:] == [StreamClosed()]


def test_receive_data_of_acknowledgements_between_stanzas_keeps_the_order() -> None:
    """XEP-0198 §4; whole or byte by byte, they are the same."""
    data = HEADER + MESSAGE + R + b" " + A + IQ + A + CLOSE
    events = events_of(data)
    assert events_of(*[bytes([byte]) for byte in data]) == events
    assert [event.data for event in events if isinstance(event, ElementReceived)] == [R, A, A]
    assert [type(event) for event in events[1:]] == [
        *(StanzaReceived, ElementReceived, ElementReceived),
        *(StanzaReceived, ElementReceived, StreamClosed),
    ]


def test_receive_data_of_an_acknowledgement_in_a_stream_of_other_prefixes_gives_the_same() -> None:
    header = HEADER.replace(b"xmlns=", b"xmlns:c=")
    assert events_of(header + R + A)[1:] == events_of(HEADER + R + A)[1:]


def test_receive_data_takes_any_kind_of_bytes() -> None:
    stream = XMLStream(StreamLimits(), names())
    assert len(stream.receive_data(memoryview(HEADER))) == 1
    assert len(stream.receive_data(bytearray(MESSAGE[:30]))) == 0
    (event,) = stream.receive_data(memoryview(MESSAGE)[30:])
    assert stanza_data(event) == MESSAGE


def test_receive_data_in_a_mutable_buffer_keeps_what_it_was() -> None:
    """The driver may use one buffer for every read."""
    stream = opened()
    buffer = bytearray(b"<message")
    stream.receive_data(buffer)
    buffer[:] = b"XXXXXXXX"
    (event,) = stream.receive_data(b"/>")
    assert stanza_data(event) == b"<message/>"


@pytest.mark.parametrize("blanks", [b" ", b"\n", b" \r\n\t"])
def test_receive_data_of_blanks_is_a_keepalive(blanks: bytes) -> None:
    """RFC 6120 §4.6.1."""
    stream = opened()
    assert stream.receive_data(blanks) == []
    assert stream.pending == b""
    assert len(stream.receive_data(MESSAGE)) == 1


def test_receive_data_of_a_nonza_gives_an_element() -> None:
    data = b"<r xmlns='urn:xmpp:sm:3'/>"
    assert opened().receive_data(data) == [ElementReceived("urn:xmpp:sm:3", "r", {}, "", data)]


def test_receive_data_after_a_malformed_to_goes_on() -> None:
    refused, received = opened().receive_data(b"<message to='@'/>" + MESSAGE)
    assert isinstance(refused, StanzaRefused)
    assert isinstance(received, StanzaReceived)


def test_receive_data_before_a_fault_is_handed_out() -> None:
    events = opened().receive_data(MESSAGE + PRESENCE + b"<message></iq>" + MESSAGE)
    assert [type(event) for event in events] == [StanzaReceived, StanzaReceived, StreamFailed]


FAULTS = {
    b"text": StreamCondition.BAD_FORMAT,
    b"&amp;": StreamCondition.BAD_FORMAT,
    b"\0": StreamCondition.BAD_FORMAT,
    b"<!-- -->": StreamCondition.RESTRICTED_XML,
    b"<!DOCTYPE a>": StreamCondition.RESTRICTED_XML,
    b"<![CDATA[a]]>": StreamCondition.RESTRICTED_XML,
    b"<?a?>": StreamCondition.RESTRICTED_XML,
    b"<?xml version='1.0'?>": StreamCondition.RESTRICTED_XML,
    HEADER: StreamCondition.RESTRICTED_XML,
    HEADER[21:]: StreamCondition.BAD_FORMAT,
    b"<\0a\0": StreamCondition.NOT_WELL_FORMED,
    b"<>": StreamCondition.NOT_WELL_FORMED,
    b"</message>": StreamCondition.NOT_WELL_FORMED,
    b"</stream:streams>": StreamCondition.NOT_WELL_FORMED,
    b"</stream:stream a='b'>": StreamCondition.NOT_WELL_FORMED,
    b"</ stream:stream>": StreamCondition.NOT_WELL_FORMED,
    b"</stream:stream" + b" " * 8_192: StreamCondition.POLICY_VIOLATION,
    b"<message><body>&lol;</body></message>": StreamCondition.RESTRICTED_XML,
    b"<message><body>\xc3\x28</body></message>": StreamCondition.UNSUPPORTED_ENCODING,
    b"<message from='@'/>": StreamCondition.INVALID_FROM,
    b"<foo/>": StreamCondition.UNSUPPORTED_STANZA_TYPE,
    b"<message>" + b"x" * 16_384: StreamCondition.POLICY_VIOLATION,
}


@pytest.mark.parametrize("data", FAULTS, ids=lambda data: str(data[:30]))
def test_receive_data_of_bad_input_has_its_condition(data: bytes) -> None:
    assert failure(HEADER, PRESENCE + data) is FAULTS[data]


def test_receive_data_of_a_bad_header_fails_without_opening() -> None:
    (event,) = events_of(HEADER.replace(b"etherx", b"x"))
    assert isinstance(event, StreamFailed)
    assert event.condition is StreamCondition.INVALID_NAMESPACE


@pytest.mark.parametrize("tail", [b"", MESSAGE, b"<<<"])
@pytest.mark.parametrize("closing", [CLOSE, b"</stream:stream\r\n >"])
def test_receive_data_after_the_end_is_ignored(closing: bytes, tail: bytes) -> None:
    stream = opened()
    assert stream.receive_data(closing + tail) == [StreamClosed()]
    assert stream.receive_data(MESSAGE) == []
    assert stream.pending == b""


def test_receive_data_of_an_empty_stream_opens_and_closes() -> None:
    header, closed = events_of(HEADER[:-1] + b"/>" + MESSAGE)
    assert isinstance(header, StreamOpened)
    assert closed == StreamClosed()


def test_receive_data_of_a_header_without_default_namespace_takes_stanzas_that_declare_theirs() -> None:
    """RFC 6120 §4.8.2, the second style; what declares nothing is in no namespace and no stanza."""
    header = b"<stream xmlns='http://etherx.jabber.org/streams' to='example.com' version='1.0'>"
    data = b"<message xmlns='jabber:client'><body/></message>"
    events = events_of(header + data + b"<message/></stream>")
    assert stanza_data(events[1]) == data
    assert isinstance(events[2], ElementReceived)
    assert events[3] == StreamClosed()


def test_authenticated_allows_larger_stanzas() -> None:
    data = b"<message>" + b"x" * 20_000 + b"</message>"
    stream = XMLStream(StreamLimits(), names())
    stream.receive_data(HEADER)
    stream.authenticated()
    assert stanza_data(stream.receive_data(data)[0]) == data
    assert failure(HEADER, data) is StreamCondition.POLICY_VIOLATION


def test_receive_data_after_an_element_of_tls_or_sasl_is_held_back() -> None:
    stream = XMLStream(StreamLimits(), names())
    _, auth = stream.receive_data(HEADER + AUTH + HEADER + MESSAGE)
    assert isinstance(auth, ElementReceived)
    assert auth.text == "AGEAYg=="
    assert stream.is_held
    assert stream.pending == HEADER + MESSAGE
    stream.restart()
    header, message = stream.receive_data(b"")
    assert isinstance(header, StreamOpened)
    assert stanza_data(message) == MESSAGE
    assert not stream.is_held


def test_receive_data_without_a_restart_goes_on_in_the_same_stream() -> None:
    """A failed authentication is followed by another try."""
    stream = XMLStream(StreamLimits(), names())
    assert [type(event) for event in drive(stream, HEADER + AUTH + AUTH + MESSAGE)] == [
        StreamOpened, ElementReceived, ElementReceived, StanzaReceived,
    ]  # fmt: skip


def test_receive_data_while_held_keeps_the_order() -> None:
    stream = opened()
    stream.receive_data(AUTH + MESSAGE)
    assert [stanza_data(event) for event in stream.receive_data(PRESENCE)] == [MESSAGE, PRESENCE]


def test_discard_forgets_what_came_in_clear() -> None:
    """S-119: bytes sent before TLS are not read as if TLS had protected them."""
    stream = opened()
    stream.receive_data(STARTTLS + MESSAGE)
    stream.discard()
    stream.restart()
    assert not stream.is_held
    assert [type(event) for event in stream.receive_data(HEADER)] == [StreamOpened]


def test_restart_lets_blanks_pass_before_the_header() -> None:
    """Some clients end their SASL elements with a line feed."""
    stream = opened()
    stream.receive_data(AUTH + b"\n")
    stream.restart()
    assert [type(event) for event in drive(stream, b"", b"\n" + HEADER)] == [StreamOpened]


def test_restart_forgets_the_namespaces_of_the_old_stream() -> None:
    stream = opened()
    stream.receive_data(AUTH)
    stream.restart()
    events = stream.receive_data(b"<s:stream xmlns:s='http://etherx.jabber.org/streams'><message/>")
    assert isinstance(events[1], ElementReceived)


@pytest.mark.parametrize("data", [b"", CLOSE, MESSAGE[:20]])
def test_restart_elsewhere_than_between_elements_is_our_fault(data: bytes) -> None:
    stream = XMLStream(StreamLimits(), names())
    if data:
        stream.receive_data(HEADER + data)
    with pytest.raises(LocalProtocolError):
        stream.restart()


def test_pending_is_what_another_incarnation_goes_on_with() -> None:
    first = opened()
    first.receive_data(MESSAGE + MESSAGE[:50])
    assert first.pending == MESSAGE[:50]
    second = XMLStream(StreamLimits(), names(), first.header)
    second.authenticated()
    assert second.receive_data(first.pending) == []
    assert stanza_data(second.receive_data(MESSAGE[50:])[0]) == MESSAGE


def test_stanza_with_a_prefix_of_the_header_stands_alone() -> None:
    header = HEADER.replace(b"xmlns=", b"xmlns:e='urn:e' xmlns=")
    events = events_of(header + b"<message><e:x/></message>")
    element = events[1]
    assert isinstance(element, StanzaReceived)
    assert element.stanza.element.find("{urn:e}x") is not None
    assert element.stanza.data.startswith(b"<message xmlns:e='urn:e'")


def test_receive_data_in_tiny_pieces_does_not_scan_again() -> None:
    """The parser sees each byte once: 64 KB byte by byte, where scanning again would take minutes."""
    stream = opened()
    data = b"<message><body>" + b"<a/>" * 16_000 + b"</body></message>"
    events = [event for byte in data for event in stream.receive_data(bytes([byte]))]
    assert [stanza_data(event) for event in events] == [data]
