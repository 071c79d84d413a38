"""Tests of `protocols.xml_frame`: the general tier, by itself."""

import gc
from contextlib import suppress

import pytest

from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import RemoteProtocolError
from protocols.jid import parse_jid
from protocols.namespaces import CLIENT, STREAM
from protocols.stanza import StanzaKind
from protocols.stream_events import ElementReceived, StanzaReceived, StanzaRefused, StreamHeader
from protocols.stream_limits import StreamLimits
from protocols.xml_faults import TAG_CELL_BYTES
from protocols.xml_frame import Frame, FrameScanner, check_beginning, event_of
from tests.protocols.xml_examples import CONTEXT, IQ, names

LIMITS = StreamLimits()


def with_declarations(**declarations: str) -> StreamHeader:
    """Return the header of a stream that declares these prefixes; `default` is the default namespace."""
    return CONTEXT._replace(declarations={"" if p == "default" else p: ns for p, ns in declarations.items()})


def scan(data: bytes, header: StreamHeader = CONTEXT, bytes_max: int = LIMITS.stanza_bytes_max) -> Frame:
    """Return the element at the beginning of the bytes, which must be the same byte by byte."""
    whole = FrameScanner(header, LIMITS, bytes_max)
    end = whole.feed(data, 0)
    assert end is not None
    scanner = FrameScanner(header, LIMITS, bytes_max)
    for offset in range(end - 1):
        assert scanner.feed(data[offset : offset + 1], 0) is None
    assert scanner.feed(data[end - 1 : end], 0) == 1
    assert whole.frame is not None
    assert scanner.frame == whole.frame
    return whole.frame


def refusal(
    data: bytes, header: StreamHeader = CONTEXT, bytes_max: int = LIMITS.stanza_bytes_max
) -> StreamCondition:
    """Return why the bytes are refused, which must be the same in small pieces."""
    with pytest.raises(RemoteProtocolError) as whole:
        FrameScanner(header, LIMITS, bytes_max).feed(data, 0)
    scanner = FrameScanner(header, LIMITS, bytes_max)
    with pytest.raises(RemoteProtocolError) as in_pieces:  # noqa: PT012 - one of the pieces makes it raise
        for offset in range(0, len(data), 7):
            scanner.feed(data[offset : offset + 7], 0)
    assert in_pieces.value.args == whole.value.args
    return whole.value.condition


@pytest.mark.parametrize(
    "data",
    [
        b"<iq/>",
        b"<iq a='/>'/>",
        b"<iq></iq>",
        b"<iq>/></iq >",
        b"<iq><iq/></iq>",
        b"<iq><iq></iq>\n</iq\n>",
        b"<iq><![CDATA[</iq>]]></iq>",
        b"<iq a='\xc3\xa9'>\xe2\x98\xba</iq>",
        b"<iq xmlns='jabber:client'><p:a xmlns:p='u' p:b='c'/></iq>",
    ],
)
@pytest.mark.parametrize(
    "tail", [b"", b"</iq>", b"</stream:stream>", b"<!-- -->", b"<?a?>", b"\xff", b"  <", b"&"]
)
def test_feed_ends_where_the_element_ends(data: bytes, tail: bytes) -> None:
    """What follows is not the element's fault, and not its business."""
    assert scan(data + tail).data == data


def test_feed_begins_where_it_is_told() -> None:
    scanner = FrameScanner(CONTEXT, LIMITS, LIMITS.stanza_bytes_max)
    assert scanner.feed(b"<a/>" + IQ, 4) == 4 + len(IQ)


def test_feed_names_the_payload_of_an_iq() -> None:
    frame = scan(IQ)
    assert (frame.payload, frame.children) == (("jabber:iq:roster", "query"), 1)


@pytest.mark.parametrize(
    ("data", "payload", "children"),
    [
        (b"<iq/>", None, 0),
        (b"<iq><a/><b xmlns='u'/></iq>", (CLIENT, "a"), 2),
        (b"<iq>text<a xmlns=''><c/></a></iq>", ("", "a"), 1),
        (b"<iq xmlns='jabber:client'><a/></iq>", (CLIENT, "a"), 1),
        (b"<iq><a xmlns='u'/><b xmlns=''/></iq>", ("u", "a"), 2),
        (b"<iq xmlns:p='u'><p:a/></iq>", ("u", "a"), 1),
        (b"<iq><stream:a/></iq>", (STREAM, "a"), 1),
    ],
)
def test_feed_names_the_first_child(data: bytes, payload: tuple[str, str] | None, children: int) -> None:
    frame = scan(data)
    assert (frame.payload, frame.children) == (payload, children)


def test_feed_of_a_nonza_gives_its_own_text() -> None:
    frame = scan(b"<auth xmlns='u' mechanism='PLAIN'>AG<x>no</x>A&amp;=</auth>")
    assert (frame.namespace, frame.name, frame.text) == ("u", "auth", "AGA&=")


def test_feed_of_a_prefix_from_the_header_makes_the_element_stand_alone() -> None:
    header = with_declarations(default=CLIENT, p="u:p", q="u:q'")
    assert scan(b"<message p:a='1'><q:b/></message>", header).data == (
        b"<message xmlns:p='u:p' xmlns:q='u:q&apos;' p:a='1'><q:b/></message>"
    )


def test_feed_of_a_prefix_from_the_header_spares_what_the_element_declares() -> None:
    header = with_declarations(default=CLIENT, p="u:p", q="u:q")
    assert scan(b"<message xmlns:q = 'u:r'><p:b/></message>", header).data == (
        b"<message xmlns:p='u:p' xmlns:q = 'u:r'><p:b/></message>"
    )


def test_feed_without_prefixes_from_the_header_adds_nothing() -> None:
    assert scan(b"<message><b xmlns='u'/></message>").data == b"<message><b xmlns='u'/></message>"


def test_feed_of_a_stanza_with_a_prefix_is_a_stanza() -> None:
    header = with_declarations(default=STREAM, c=CLIENT)
    frame = scan(b"<c:message><x/></c:message>", header)
    assert (frame.namespace, frame.name) == (CLIENT, "message")
    # Its child is in the namespace that was the default where it came from.
    assert frame.data == (
        b"<c:message xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client'><x/></c:message>"
    )


def test_feed_where_nothing_is_the_default_keeps_it_so() -> None:
    header = with_declarations(c=CLIENT)
    frame = scan(b"<c:iq><x/></c:iq>", header)
    assert frame.data == b"<c:iq xmlns='' xmlns:c='jabber:client'><x/></c:iq>"
    assert frame.payload == ("", "x")


def test_feed_of_a_stanza_that_declares_its_namespace_is_left_alone() -> None:
    data = b"<message xmlns='jabber:client'><x/></message>"
    assert scan(data, with_declarations(default=STREAM)).data == data


REFUSED = {
    b"<message><a:b/></message>": StreamCondition.BAD_NAMESPACE_PREFIX,
    b"<message><stream:a/><a:b/></message>": StreamCondition.BAD_NAMESPACE_PREFIX,
    b"<message></iq>": StreamCondition.NOT_WELL_FORMED,
    b"<message><a><b></a></b></message>": StreamCondition.NOT_WELL_FORMED,
    b"<message><stream:a></message>": StreamCondition.NOT_WELL_FORMED,
    b"<message <": StreamCondition.NOT_WELL_FORMED,
    b"<message>&a;": StreamCondition.RESTRICTED_XML,
    b"<message><!-- a -->": StreamCondition.RESTRICTED_XML,
    b"<message><stream:a/><?b?>": StreamCondition.RESTRICTED_XML,
    b"<message><body>\xe2\x28x": StreamCondition.UNSUPPORTED_ENCODING,
    b"<foo>": StreamCondition.UNSUPPORTED_STANZA_TYPE,
    b"<foo xmlns='jabber:client'>": StreamCondition.UNSUPPORTED_STANZA_TYPE,
    b"<stream:stream>": StreamCondition.BAD_FORMAT,
    b"<iq>" + b"<a>" * 64: StreamCondition.POLICY_VIOLATION,
    b"<iq " + b" ".join(b"a%d=''" % n for n in range(65)) + b">": StreamCondition.POLICY_VIOLATION,
    b"<iq " + b" ".join(b"xmlns:a%d='u'" % n for n in range(65)) + b">": StreamCondition.POLICY_VIOLATION,
    b"<iq><b " + b" ".join(b"a%d=''" % n for n in range(10_000)) + b"/>": StreamCondition.POLICY_VIOLATION,
    b"<iq>" + b"x" * 262_140: StreamCondition.POLICY_VIOLATION,
    b"<iq a='" + b"x" * (2 * TAG_CELL_BYTES): StreamCondition.POLICY_VIOLATION,
    b"<iq><a" + b"x" * (2 * TAG_CELL_BYTES): StreamCondition.POLICY_VIOLATION,
}


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: str(data[:30]))
def test_feed_refuses_at_once(data: bytes) -> None:
    """None of these is whole; none is waited for."""
    assert refusal(data) is REFUSED[data]


def test_feed_up_to_each_limit_is_accepted() -> None:
    scan(b"<iq>" + b"<a>" * 63 + b"</a>" * 63 + b"</iq>")
    scan(b"<iq " + b" ".join(b"a%d=''" % n for n in range(64)) + b"/>")
    scan(b"<iq>" + b"x" * 100 + b"</iq>", bytes_max=109)
    assert refusal(b"<iq>" + b"x" * 100 + b"</iq>", bytes_max=108) is StreamCondition.POLICY_VIOLATION


@pytest.mark.parametrize("before", [0, 1, 1_000, TAG_CELL_BYTES - 1])
def test_feed_takes_every_tag_of_one_cell(before: int) -> None:
    tag = b"<a b='" + b"x" * (TAG_CELL_BYTES - 9) + b"'/>"
    data = b"<iq>" + b" " * before + tag + b"</iq>"
    assert FrameScanner(CONTEXT, LIMITS, LIMITS.stanza_bytes_max).feed(data, 0) == len(data)


def test_feed_long_text_in_many_pieces_is_accepted() -> None:
    """The bound on tags is none on text."""
    scanner = FrameScanner(CONTEXT, LIMITS, LIMITS.stanza_bytes_max)
    assert scanner.feed(b"<message><body>", 0) is None
    for _ in range(200):
        assert scanner.feed(b"x" * 1_000, 0) is None
    assert scanner.feed(b"</body></message>", 0) == 17


def test_feed_keeps_what_is_not_whole() -> None:
    scanner = FrameScanner(CONTEXT, LIMITS, LIMITS.stanza_bytes_max)
    scanner.feed(b"<message><bo", 0)
    scanner.feed(b"dy>", 0)
    assert scanner.fed == b"<message><body>"


@pytest.mark.parametrize("data", [IQ, b"<iq><a:b/></iq>", b"<iq><!-- --></iq>", b"<iq><stream:a/></iq>"])
def test_feed_leaves_no_garbage(data: bytes) -> None:
    """What refers to itself waits for a full collection, of which each stops the server for a while."""
    gc.collect()
    gc.disable()
    try:
        with suppress(RemoteProtocolError):
            FrameScanner(CONTEXT, LIMITS, LIMITS.stanza_bytes_max).feed(data, 0)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"x", StreamCondition.BAD_FORMAT),
        (b"\xff<", StreamCondition.BAD_FORMAT),
        (b"<!", StreamCondition.RESTRICTED_XML),
        (b"<?", StreamCondition.RESTRICTED_XML),
        (b"</", StreamCondition.NOT_WELL_FORMED),
        (b"<\0", StreamCondition.NOT_WELL_FORMED),
        (b"<", StreamCondition.NOT_WELL_FORMED),
    ],
)
def test_check_beginning_of_what_is_no_element_has_its_condition(
    data: bytes, condition: StreamCondition
) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        check_beginning(data)
    assert refused.value.condition is condition


@pytest.mark.parametrize("data", [b"<a", b"<\xc3", b"<_"])
def test_check_beginning_of_an_element_passes(data: bytes) -> None:
    check_beginning(data)


def event(data: bytes) -> StanzaReceived | StanzaRefused | ElementReceived:
    return event_of(scan(data), names())


def test_event_of_a_stanza_has_all_that_routing_needs() -> None:
    received = event(b"<iq from='a@b.c/d' to='E@f' type='get' id='1' xml:lang='de' x='y'><q xmlns='u'/></iq>")
    assert isinstance(received, StanzaReceived)
    stanza = received.stanza
    assert (stanza.kind, stanza.type, stanza.id, stanza.lang) == (StanzaKind.IQ, "get", "1", "de")
    assert (stanza.sender, stanza.to) == (parse_jid("a@b.c/d"), parse_jid("e@f"))
    assert (stanza.payload, stanza.children) == (("u", "q"), 1)


def test_event_of_a_bare_stanza_has_the_defaults() -> None:
    received = event(b"<presence/>")
    assert isinstance(received, StanzaReceived)
    stanza = received.stanza
    assert (stanza.kind, stanza.type, stanza.id, stanza.lang) == (StanzaKind.PRESENCE, "", None, None)
    assert (stanza.sender, stanza.to, stanza.payload, stanza.children) == (None, None, None, 0)


def test_event_of_a_message_names_no_payload() -> None:
    received = event(b"<message><a xmlns='u'/></message>")
    assert isinstance(received, StanzaReceived)
    assert (received.stanza.payload, received.stanza.children) == (None, 0)


def test_event_of_a_malformed_to_is_a_refusal_that_can_be_answered() -> None:
    refused = event(b"<message to='@x' id='1'/>")
    assert isinstance(refused, StanzaRefused)
    assert refused.condition is StanzaCondition.JID_MALFORMED
    assert refused.text
    assert (refused.stanza.to, refused.stanza.id) == (None, "1")


def test_event_of_a_malformed_from_ends_the_stream() -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        event(b"<message from='@x'/>")
    assert refused.value.condition is StreamCondition.INVALID_FROM


def test_event_of_a_nonza_has_all_that_was_said() -> None:
    data = b"<a xmlns='u' h='1' xml:lang='en'>text</a>"
    assert event(data) == ElementReceived(
        "u", "a", {"h": "1", "{http://www.w3.org/XML/1998/namespace}lang": "en"}, "text", data
    )
