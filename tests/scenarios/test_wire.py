"""How a stream is cut, whatever its bytes come in, and what is expected of it."""

from lxml import etree

from tests.scenarios.matching import END
from tests.scenarios.wire import HEADER, Wire, parse_expected

STREAM = (
    b"<?xml version='1.0'?><stream:stream from='x' id='7' xmlns='jabber:client'"
    b" xmlns:stream='http://etherx.jabber.org/streams'>"
    b"<stream:features><a xmlns='urn:a'/></stream:features>\n"
    b"<message><body>b</body></message></stream:stream>"
)


def tags(elements: object) -> list[str]:
    return [element.tag for element in elements]  # type: ignore[attr-defined] # of elements


def test_wire_cuts_byte_by_byte() -> None:
    wire = Wire()
    for byte in STREAM:
        wire.feed(bytes([byte]))
    expected = [HEADER, "{http://etherx.jabber.org/streams}features", "{jabber:client}message", END]
    assert tags(wire.elements) == expected
    assert wire.stream_id == "7"
    assert dict(wire.elements[0].attrib.items()) == {"from": "x", "id": "7"}
    assert len(wire.elements[0]) == 0
    assert wire.elements[2].findtext("{jabber:client}body") == "b"


def test_wire_begins_again() -> None:
    wire = Wire()
    wire.feed(STREAM[: STREAM.index(b"<stream:features>")])
    wire.restart()
    wire.feed(STREAM.replace(b"id='7'", b"id='8'"))
    assert (len(wire.elements), wire.stream_id) == (5, "8")


def test_wire_of_a_session_that_has_begun() -> None:
    wire = Wire(is_inside=True)
    wire.feed(b"<message/></stream:stream>")
    assert tags(wire.elements) == ["{jabber:client}message", END]


def test_parse_expected_is_cut_in_the_same_way() -> None:
    text = "<?xml version='1.0'?><stream:stream from='x' id='{any}'><message/><!-- a --><iq/></stream:stream>"
    expected = parse_expected(text)
    assert tags(expected) == [HEADER, "{jabber:client}message", "{jabber:client}iq", END]
    assert dict(expected[0].attrib.items()) == {"from": "x", "id": "{any}"}


def test_parse_expected_without_a_header() -> None:
    (error,) = parse_expected("<stream:error><conflict xmlns='urn:x'/></stream:error>")
    assert etree.QName(error).localname == "error"
    assert parse_expected("") == []
