"""Tests of `protocols.websocket_stream`."""

import pytest

from protocols.conditions import StreamCondition
from protocols.errors import LocalProtocolError
from protocols.jid import parse_jid
from protocols.stream_events import (
    ElementReceived,
    Event,
    StanzaReceived,
    StanzaRefused,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)
from protocols.stream_limits import StreamLimits
from protocols.websocket_stream import WebSocketStream
from tests.protocols.xml_examples import HEADER, MESSAGE, OPEN, names, stanza_data

FRAMED = MESSAGE.replace(b"<message", b"<message xmlns='jabber:client'")
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"


def opened() -> WebSocketStream:
    stream = WebSocketStream(StreamLimits(), names())
    assert [type(event) for event in stream.receive_message(OPEN)] == [StreamOpened]
    return stream


def only(events: list[Event]) -> Event:
    (event,) = events
    return event


def failure(stream: WebSocketStream, message: str | bytes) -> StreamCondition:
    """Return why a message ends the stream, after which there is nothing more."""
    event = only(stream.receive_message(message))
    assert isinstance(event, StreamFailed), event
    assert stream.receive_message(OPEN) == []
    return event.condition


def test_receive_message_open_says_what_a_stream_header_says() -> None:
    event = only(
        WebSocketStream(StreamLimits(), names()).receive_message(
            f"<open xmlns='{FRAMING}' to='example.com' from='a@example.com' version='1.0' xml:lang='de'/>"
        )
    )
    assert isinstance(event, StreamOpened)
    header = event.header
    assert (header.to, header.sender) == (parse_jid("example.com"), parse_jid("a@example.com"))
    assert (header.version, header.lang, header.content_namespace) == ("1.0", "de", "jabber:client")


@pytest.mark.parametrize("message", [FRAMED, FRAMED.decode(), b"\n" + FRAMED + b"\n"])
def test_receive_message_of_a_stanza_gives_it(message: str | bytes) -> None:
    assert stanza_data(only(opened().receive_message(message))) == FRAMED


def test_receive_message_of_an_iq_names_its_payload() -> None:
    event = only(opened().receive_message(b"<iq xmlns='jabber:client'><q xmlns='u'/></iq>"))
    assert isinstance(event, StanzaReceived)
    assert (event.stanza.payload, event.stanza.children) == (("u", "q"), 1)


def test_receive_message_of_a_stanza_that_declares_nothing_is_taken() -> None:
    assert stanza_data(only(opened().receive_message(MESSAGE))) == MESSAGE


def test_receive_message_of_a_nonza_gives_an_element() -> None:
    event = only(opened().receive_message(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>eA==</auth>"))
    assert isinstance(event, ElementReceived)
    assert (event.name, event.text) == ("auth", "eA==")


@pytest.mark.parametrize("message", ["<r xmlns='urn:xmpp:sm:3'/>", "\n<r xmlns='urn:xmpp:sm:3' />\n"])
def test_receive_message_of_an_acknowledgement_gives_it(message: str) -> None:
    element = ElementReceived("urn:xmpp:sm:3", "r", {}, "", message.strip().encode())
    assert opened().receive_message(message) == [element]


def test_receive_message_of_two_acknowledgements_is_not_one_element() -> None:
    message = "<r xmlns='urn:xmpp:sm:3'/>"
    assert failure(opened(), message * 2) is StreamCondition.NOT_WELL_FORMED


def test_receive_message_with_a_malformed_to_can_be_answered() -> None:
    stream = opened()
    assert isinstance(only(stream.receive_message(b"<message to='@'/>")), StanzaRefused)
    assert isinstance(only(stream.receive_message(FRAMED)), StanzaReceived)


@pytest.mark.parametrize("message", ["", " ", "\n"])
def test_receive_message_of_blanks_is_ignored(message: str) -> None:
    assert opened().receive_message(message) == []


def test_receive_message_close_ends_the_stream() -> None:
    stream = opened()
    assert stream.receive_message(f"<close xmlns='{FRAMING}'/>") == [StreamClosed()]
    assert stream.receive_message(FRAMED) == []


def test_restart_waits_for_another_open() -> None:
    stream = opened()
    stream.restart()
    assert stream.header is None
    assert isinstance(only(stream.receive_message(OPEN)), StreamOpened)
    assert isinstance(only(stream.receive_message(FRAMED)), StanzaReceived)


def test_restart_before_a_stream_is_our_fault() -> None:
    with pytest.raises(LocalProtocolError):
        WebSocketStream(StreamLimits(), names()).restart()


def test_stream_of_another_incarnation_goes_on() -> None:
    stream = WebSocketStream(StreamLimits(), names(), opened().header)
    assert isinstance(only(stream.receive_message(FRAMED)), StanzaReceived)


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (FRAMED, StreamCondition.INVALID_NAMESPACE),
        (HEADER[21:], StreamCondition.BAD_FORMAT),
        (HEADER, StreamCondition.RESTRICTED_XML),
        (OPEN.replace(b"framing", b"farming"), StreamCondition.INVALID_NAMESPACE),
        (OPEN.replace(b"example.com", b"@"), StreamCondition.IMPROPER_ADDRESSING),
        (OPEN.replace(b"open", b"opened"), StreamCondition.BAD_FORMAT),
    ],
)
def test_receive_message_before_open_has_its_condition(message: bytes, condition: StreamCondition) -> None:
    assert failure(WebSocketStream(StreamLimits(), names()), message) is condition


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (OPEN, StreamCondition.BAD_FORMAT),
        (FRAMED + FRAMED, StreamCondition.NOT_WELL_FORMED),
        (FRAMED + b"x", StreamCondition.NOT_WELL_FORMED),
        (FRAMED + b"<!-- -->", StreamCondition.NOT_WELL_FORMED),
        (FRAMED[:-1], StreamCondition.NOT_WELL_FORMED),
        (b"<", StreamCondition.NOT_WELL_FORMED),
        (b"</stream:stream>", StreamCondition.NOT_WELL_FORMED),
        (b"text", StreamCondition.BAD_FORMAT),
        (b"<!-- -->", StreamCondition.RESTRICTED_XML),
        (b"<?xml version='1.0'?>" + FRAMED, StreamCondition.RESTRICTED_XML),
        (b"<stream:error/>", StreamCondition.BAD_NAMESPACE_PREFIX),
        (b"<message from='@'/>", StreamCondition.INVALID_FROM),
        (b"<message>" + b"x" * 16_384 + b"</message>", StreamCondition.POLICY_VIOLATION),
        (b"<message>\xff</message>", StreamCondition.UNSUPPORTED_ENCODING),
    ],
    ids=lambda value: str(value)[:30],
)
def test_receive_message_of_bad_input_has_its_condition(message: bytes, condition: StreamCondition) -> None:
    assert failure(opened(), message) is condition


def test_authenticated_allows_larger_stanzas() -> None:
    stream = opened()
    stream.authenticated()
    data = b"<message>" + b"x" * 20_000 + b"</message>"
    assert stanza_data(only(stream.receive_message(data))) == data
