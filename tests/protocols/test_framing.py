"""Tests of `protocols.framing`."""

from xml.etree import ElementTree

import pytest

from protocols.conditions import StreamCondition
from protocols.framing import Framing, TcpFraming, WebSocketFraming, messages
from protocols.jid import parse_jid
from protocols.namespaces import CLIENT, FRAMING, STREAM, STREAMS_ERRORS
from protocols.stanza import build_message

TCP = TcpFraming()
WEBSOCKET = WebSocketFraming()
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
FEATURES = [
    b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
    b"<sub xmlns='urn:xmpp:features:pre-approval'/>",
]
MESSAGE = build_message(to=parse_jid("a@b.c"), sender=None, content=b"<body>\xe2\x98\xba</body>")


def elements(framing: Framing, *, version: str | None = "1.0") -> list[ElementTree.Element]:
    """Return a whole stream, read by somebody else's parser: the header, then all that follows."""
    parts = (
        framing.open(stream_id="x'1", sender="example.com", to="romeo@example.net", version=version),
        framing.features(FEATURES),
        framing.nonza(b"<success xmlns='u'/>"),
        framing.stanza(MESSAGE),
        framing.error(StreamCondition.POLICY_VIOLATION, "too <much>"),
        framing.close(),
    )
    if framing is WEBSOCKET:
        return [ElementTree.fromstring(message) for message in messages(b"".join(parts))]
    stream = ElementTree.fromstring(b"".join(parts))
    return [stream, *stream]


@pytest.mark.parametrize("framing", [TCP, WEBSOCKET])
def test_framing_writes_what_a_parser_reads(framing: Framing) -> None:
    header, features, success, message, error, *_ = elements(framing)
    assert header.attrib == {
        "id": "x'1", "from": "example.com", "to": "romeo@example.net", "version": "1.0", LANG: "en",
    }  # fmt: skip
    assert features.tag == f"{{{STREAM}}}features"
    assert [feature.tag for feature in features] == [
        "{urn:ietf:params:xml:ns:xmpp-bind}bind", "{urn:xmpp:features:pre-approval}sub",
    ]  # fmt: skip
    assert success.tag == "{u}success"
    assert message.tag == f"{{{CLIENT}}}message"
    assert message.findtext(f"{{{CLIENT}}}body") == "☺"
    assert error.tag == f"{{{STREAM}}}error"
    assert [part.tag for part in error] == [
        f"{{{STREAMS_ERRORS}}}policy-violation", f"{{{STREAMS_ERRORS}}}text",
    ]  # fmt: skip
    assert error[1].text == "too <much>"


def test_open_over_tcp_is_a_stream_in_the_namespace_of_clients() -> None:
    assert elements(TCP)[0].tag == f"{{{STREAM}}}stream"
    assert b" xmlns='jabber:client' " in TCP.open(stream_id="x", sender="b.c", to=None, version=None)


def test_open_and_close_over_websocket_are_elements_of_framing() -> None:
    opening, *_, closing = elements(WEBSOCKET)
    assert (opening.tag, closing.tag) == (f"{{{FRAMING}}}open", f"{{{FRAMING}}}close")


@pytest.mark.parametrize("framing", [TCP, WEBSOCKET])
def test_open_to_a_client_without_version_has_none(framing: Framing) -> None:
    """S-003."""
    header = elements(framing, version=None)[0]
    assert "version" not in header.attrib


@pytest.mark.parametrize("framing", [TCP, WEBSOCKET])
def test_error_without_text_has_none(framing: Framing) -> None:
    assert b"<text" not in framing.error(StreamCondition.RESET)


@pytest.mark.parametrize("framing", [TCP, WEBSOCKET])
@pytest.mark.parametrize("text", ["", "too <much>"])
def test_error_with_a_detail_has_it_behind_everything_else(framing: Framing, text: str) -> None:
    """RFC 6120 §4.9.4."""
    written = framing.error(StreamCondition.UNDEFINED_CONDITION, text, b"<too-much xmlns='u:x' by='2'/>")
    opening = framing.open(stream_id="x", sender="b.c", to=None, version="1.0")
    if framing is WEBSOCKET:
        (message,) = messages(written)
        error = ElementTree.fromstring(message)
    else:
        (error,) = ElementTree.fromstring(opening + written + framing.close())
    names = ["undefined-condition", "text"] if text else ["undefined-condition"]
    assert [part.tag for part in error] == [*(f"{{{STREAMS_ERRORS}}}{n}" for n in names), "{u:x}too-much"]
    assert error[-1].attrib == {"by": "2"}


@pytest.mark.parametrize("condition", StreamCondition)
def test_error_names_every_condition(condition: StreamCondition) -> None:
    (message,) = messages(WEBSOCKET.error(condition, "x"))
    assert ElementTree.fromstring(message)[0].tag == f"{{{STREAMS_ERRORS}}}{condition.value}"


def test_stanza_over_tcp_is_written_as_it_came() -> None:
    assert TCP.stanza(MESSAGE) is MESSAGE.data


def test_messages_takes_joined_ones_apart() -> None:
    joined = WEBSOCKET.stanza(MESSAGE) + WEBSOCKET.nonza(b"<a xmlns='u'>\n</a>")
    assert messages(joined) == [
        "<message xmlns='jabber:client' to='a@b.c'><body>☺</body></message>".encode(),
        b"<a xmlns='u'>\n</a>",
    ]
    assert messages(b"") == []


@pytest.mark.parametrize("framing", [TcpFraming(), WebSocketFraming()])
def test_error_with_content_has_it_in_its_condition(framing: Framing) -> None:
    written = framing.error(StreamCondition.SEE_OTHER_HOST, content="a&b.example")
    assert b"-streams'>a&amp;b.example</see-other-host>" in written
