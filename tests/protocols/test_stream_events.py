"""Tests of `protocols.stream_events`: both kinds of stream say the same in the same values."""

import pytest

from protocols.stream_events import Event, StreamOpened
from protocols.stream_limits import StreamLimits
from protocols.websocket_stream import WebSocketStream
from tests.protocols.xml_examples import HEADER, IQ, MESSAGE, OPEN, PRESENCE, events_of, names, opened


def over_websocket(message: bytes) -> list[Event]:
    stream = WebSocketStream(StreamLimits(), names())
    stream.receive_message(OPEN)
    return stream.receive_message(message)


@pytest.mark.parametrize(
    "data",
    [
        MESSAGE,
        PRESENCE,
        IQ,
        b"<message to='@'/>",
        b"<message from='@'/>",
        b"<message to='a&amp;b'><![CDATA[x]]></message>",
        b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>eA==</auth>",
        b"<foo/>",
        b"<message>&a;</message>",
        b"<message></iq>",
    ],
)
def test_events_of_an_element_do_not_tell_how_it_came(data: bytes) -> None:
    assert over_websocket(data) == opened().receive_data(data)


def test_events_of_a_header_tell_the_same_of_the_peer() -> None:
    """What differs is how the stream is written: its declarations and the tag to close it with."""
    (over_tcp,) = events_of(HEADER.replace(b" xml:lang='en'", b""))
    (over_websocket,) = WebSocketStream(StreamLimits(), names()).receive_message(OPEN)
    assert isinstance(over_tcp, StreamOpened)
    assert isinstance(over_websocket, StreamOpened)
    assert over_tcp.header[:5] == over_websocket.header[:5]
