"""Tests of `protocols.stanza_match`: what the fast tier takes, and what it leaves to the general one."""

import pytest

from protocols.jid import parse_jid
from protocols.namespaces import STREAM_MANAGEMENT
from protocols.stanza import Stanza, StanzaKind
from protocols.stanza_match import match_ack, match_stanza
from protocols.stream_events import ElementReceived
from protocols.stream_limits import StreamLimits
from protocols.xml_faults import TAG_CELL_BYTES
from tests.protocols.xml_examples import IQ, MESSAGE, PRESENCE, names

LIMITS = StreamLimits()


def match(
    data: bytes, position: int = 0, bytes_max: int = LIMITS.stanza_bytes_max
) -> tuple[Stanza, int] | None:
    return match_stanza(data, position, LIMITS, bytes_max, names())


@pytest.mark.parametrize("data", [MESSAGE, PRESENCE, b"<message/>", b"<presence type='unavailable' />"])
def test_match_stanza_takes_a_plain_one(data: bytes) -> None:
    found = match(b" \n" + data + MESSAGE)
    assert found is not None
    assert (found[0].data, found[1]) == (data, 2 + len(data))


def test_match_stanza_reads_all_that_routing_needs() -> None:
    data = b"<presence xml:lang=\"de\" from='a@b.c/d'\n to='E@f' id='' x:y='z' xmlns:x='u' type='probe'/>"
    found = match(data)
    assert found is not None
    stanza = found[0]
    assert (stanza.kind, stanza.type, stanza.id, stanza.lang) == (StanzaKind.PRESENCE, "probe", "", "de")
    assert (stanza.sender, stanza.to) == (parse_jid("a@b.c/d"), parse_jid("e@f"))
    assert (stanza.payload, stanza.children) == (None, 0)


def test_match_stanza_begins_where_it_is_told() -> None:
    found = match(IQ + MESSAGE, len(IQ))
    assert found is not None
    assert found[1] == len(IQ + MESSAGE)


@pytest.mark.parametrize(
    "data",
    [
        IQ,
        MESSAGE[:-1],
        b"</stream:stream>",
        b"<messages/>",
        b"<message to='a&amp;b'/>",
        b"<message id='a\tb'/>",
        b"<message id = 'a'/>",
        b"<message id='1' id='2'/>",
        b"<message xmlns='jabber:server'/>",
        b"<message to='@'/>",
        b"<message from='@'/>",
        b"<message><message></message></message>",
        b"<message></message >",
        b"<message><body></message>",
        b"<message><!-- --></message>",
        b"<message><?a?></message>",
        b"<message><![CDATA[a]]></message>",
        b"<message>&a;</message>",
        b"<message>\xff</message>",
        b"<message id='\xff'/>",
        b"<message><a:b/></message>",
        b"<message>" + b"<a>" * 64 + b"</a>" * 64 + b"</message>",
        b"<message><a " + b" ".join(b"a%d=''" % n for n in range(65)) + b"/></message>",
        b"<message>" + b"x" * TAG_CELL_BYTES + b"</message>",
    ],
    ids=lambda data: str(data[:40]),
)
def test_match_stanza_leaves_what_is_unusual_or_wrong(data: bytes) -> None:
    assert match(data) is None


def test_match_stanza_up_to_the_limit_is_taken() -> None:
    assert match(MESSAGE, bytes_max=len(MESSAGE)) is not None
    assert match(MESSAGE, bytes_max=len(MESSAGE) - 1) is None


R = b"<r xmlns='urn:xmpp:sm:3'/>"
A = b"<a xmlns='urn:xmpp:sm:3' h='7'/>"


def match_acknowledgement(
    data: bytes, position: int = 0, bytes_max: int = LIMITS.stanza_bytes_max
) -> tuple[ElementReceived, int] | None:
    return match_ack(data, position, LIMITS, bytes_max)


@pytest.mark.parametrize(
    ("data", "attributes"),
    [
        (R, {}),
        (b'<r\nxmlns="urn:xmpp:sm:3" />', {}),
        (A, {"h": "7"}),
        (b"<a h=\"4294967295\"  xmlns='urn:xmpp:sm:3'\t/>", {"h": "4294967295"}),
        (b"<a xmlns=\"urn:xmpp:sm:3\" h='07' />", {"h": "07"}),
    ],
)
def test_match_ack_takes_a_plain_one(data: bytes, attributes: dict[str, str]) -> None:
    element = ElementReceived(STREAM_MANAGEMENT, data[1:2].decode(), attributes, "", data)
    assert match_acknowledgement(data) == (element, len(data))
    assert match_acknowledgement(IQ + b" \r\n" + data + IQ, len(IQ)) == (element, len(IQ) + 3 + len(data))


@pytest.mark.parametrize(
    "data",
    [
        IQ,
        MESSAGE,
        R[:-1],
        A[:-1],
        R.replace(b"/>", b"></r>"),
        b"<r/>",
        b"<a xmlns='urn:xmpp:sm:3'/>",
        b"<a xmlns='urn:xmpp:sm:3'h='7'/>",
        b"<a h='7'/>",
        R.replace(b":3", b":2"),
        R.replace(b"<r", b"<resume"),
        R.replace(b"/>", b" h='7'/>"),
        A.replace(b"7", b""),
        A.replace(b"7", b"-7"),
        A.replace(b"7", b" 7"),
        A.replace(b"7", b"&#55;"),
        A.replace(b"7", b"12345678901"),
        A.replace(b"'7'", b"'7\""),
        A.replace(b"h=", b"h ="),
        A.replace(b"/>", b" x='y'/>"),
        A.replace(b"/>", b" h='7'/>"),
    ],
    ids=str,
)
def test_match_ack_leaves_what_is_unusual_or_wrong(data: bytes) -> None:
    assert match_acknowledgement(data) is None


@pytest.mark.parametrize("data", [R, A])
def test_match_ack_up_to_the_limits_is_taken(data: bytes) -> None:
    assert match_acknowledgement(b"  " + data, bytes_max=len(data)) is not None
    assert match_acknowledgement(b"  " + data, bytes_max=len(data) - 1) is None
    assert match_ack(data, 0, StreamLimits(attributes_max=2), 100) is not None
    assert match_ack(data, 0, StreamLimits(attributes_max=1), 100) is None
