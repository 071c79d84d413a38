"""Tests of `protocols.stream_header`."""

import gc

import pytest

from protocols.conditions import StreamCondition
from protocols.errors import RemoteProtocolError
from protocols.jid import parse_jid
from protocols.namespaces import CLIENT, STREAM
from protocols.stream_events import StreamHeader
from protocols.stream_header import HeaderScanner, checked_address
from protocols.stream_limits import StreamLimits
from tests.protocols.xml_examples import HEADER

NAMESPACES = b"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"


def scan(data: bytes, limits: StreamLimits | None = None) -> StreamHeader:
    opened = HeaderScanner(limits or StreamLimits()).feed(data, 0)
    assert opened is not None
    return opened.header


def refusal(data: bytes, limits: StreamLimits | None = None) -> StreamCondition:
    """Return why the header is refused, which must be the same byte by byte."""
    scanner = HeaderScanner(limits or StreamLimits())
    with pytest.raises(RemoteProtocolError) as whole:
        HeaderScanner(limits or StreamLimits()).feed(data, 0)
    with pytest.raises(RemoteProtocolError) as in_pieces:  # noqa: PT012 - one of the bytes makes it raise
        for byte in data:
            scanner.feed(bytes([byte]), 0)
    assert in_pieces.value.args == whole.value.args
    return whole.value.condition


def test_feed_reads_all_that_a_header_says() -> None:
    data = (
        b"<?xml version='1.0' encoding='utf-8'?>\n<stream:stream from='romeo@example.net' to='example.com' "
        b"version='1.0' xml:lang='de' " + NAMESPACES + b">"
    )
    assert scan(data) == StreamHeader(
        to=parse_jid("example.com"),
        sender=parse_jid("romeo@example.net"),
        version="1.0",
        lang="de",
        content_namespace=CLIENT,
        declarations={"": CLIENT, "stream": STREAM},
        tag="stream:stream",
    )


def test_feed_without_version_leaves_it_out() -> None:
    """S-003: a client of Jabber 1.4 sends none."""
    header = scan(b"<stream:stream " + NAMESPACES + b">")
    assert (header.version, header.to, header.sender, header.lang) == (None, None, None, None)


@pytest.mark.parametrize(
    ("data", "tag"),
    [
        (HEADER.replace(b"stream:stream", b"s:stream").replace(b":stream=", b":s="), "s:stream"),
        (b"<stream xmlns='http://etherx.jabber.org/streams'>", "stream"),
        (b"<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>", "stream"),
        (b"<s:stream xmlns:s='http://etherx.jabber.org/streams'>", "s:stream"),
    ],
)
def test_feed_with_any_prefix_for_the_streams_namespace_is_accepted(data: bytes, tag: str) -> None:
    """S-002; a header may also leave it to each stanza to declare its namespace (RFC 6120 §4.8.2)."""
    header = scan(data)
    assert header.tag == tag
    assert header.content_namespace == CLIENT


def test_feed_stops_behind_the_header() -> None:
    opened = HeaderScanner(StreamLimits()).feed(b"xx" + HEADER + b"<iq <<< & not XML", 2)
    assert opened is not None
    assert (opened.end, opened.is_empty) == (2 + len(HEADER), False)


def test_feed_of_an_empty_element_says_so() -> None:
    opened = HeaderScanner(StreamLimits()).feed(HEADER[:-1] + b"/>", 0)
    assert opened is not None
    assert opened.is_empty


def test_feed_in_pieces_waits_for_the_end_of_the_tag() -> None:
    scanner = HeaderScanner(StreamLimits())
    for byte in HEADER[:-1]:
        assert scanner.feed(bytes([byte]), 0) is None
    assert scanner.fed == HEADER[:-1]
    opened = scanner.feed(b"><iq", 0)
    assert opened is not None
    assert opened.end == 1


REFUSED = {
    b"GET / HTTP/1.1\r\n": StreamCondition.NOT_WELL_FORMED,
    b"\x16\x03\x01\x02\x00\x01": StreamCondition.NOT_WELL_FORMED,  # TLS where clear text is spoken
    b"<stream:stream a=b>": StreamCondition.NOT_WELL_FORMED,
    b"<stream:stream>": StreamCondition.BAD_NAMESPACE_PREFIX,
    b"<stream>": StreamCondition.INVALID_NAMESPACE,
    HEADER.replace(b"etherx", b"other"): StreamCondition.INVALID_NAMESPACE,
    HEADER.replace(b"jabber:client", b"jabber:server"): StreamCondition.INVALID_NAMESPACE,
    HEADER.replace(b"jabber:client", b"urn:x"): StreamCondition.INVALID_NAMESPACE,
    HEADER.replace(b"stream:stream", b"stream:open"): StreamCondition.BAD_FORMAT,
    HEADER.replace(b"example.com", b"@"): StreamCondition.IMPROPER_ADDRESSING,
    HEADER.replace(b"to=", b"from='@' to="): StreamCondition.IMPROPER_ADDRESSING,
    HEADER.replace(b"'1.0'?>", b"'1.0' encoding='ISO-8859-1'?>"): StreamCondition.UNSUPPORTED_ENCODING,
    b"\xef\xbb\xbf" + HEADER: StreamCondition.UNSUPPORTED_ENCODING,
    HEADER.decode().encode("utf-16"): StreamCondition.UNSUPPORTED_ENCODING,
    HEADER.decode().encode("utf-16-le"): StreamCondition.UNSUPPORTED_ENCODING,
    HEADER.decode().encode("utf-16-be"): StreamCondition.UNSUPPORTED_ENCODING,
    HEADER.replace(b"'en'", b"'\xff'"): StreamCondition.UNSUPPORTED_ENCODING,
    b"<!DOCTYPE a>": StreamCondition.RESTRICTED_XML,
    b"<!-- a -->" + HEADER: StreamCondition.RESTRICTED_XML,
    HEADER.replace(b"?>", b"?>\n<!DOCTYPE a [<!ENTITY b 'c'>]>"): StreamCondition.RESTRICTED_XML,
    HEADER.replace(b"?>", b"?><!-- a -->"): StreamCondition.RESTRICTED_XML,
    HEADER.replace(b"?>", b"?><?a b?>"): StreamCondition.RESTRICTED_XML,
    b"<?a b?><!DOCTYPE a>": StreamCondition.RESTRICTED_XML,
    HEADER.replace(b"?>", b"?>" + HEADER[:21]): StreamCondition.RESTRICTED_XML,
    HEADER.replace(b"'en'", b"'&en;'"): StreamCondition.RESTRICTED_XML,
    HEADER.replace(b"'en'", b"'" + b"x" * 8_192 + b"'"): StreamCondition.POLICY_VIOLATION,
    HEADER.replace(b"?>", b"?>" + b" " * 8_192): StreamCondition.POLICY_VIOLATION,
    b"<?xml " + b" " * 8_192: StreamCondition.POLICY_VIOLATION,
    HEADER.replace(b":stream=", b":a='%b' xmlns:stream=" % (b"x" * 1_024)): StreamCondition.POLICY_VIOLATION,
    HEADER.replace(b"to=", b" ".join(b"a%d='1'" % n for n in range(64)) + b" to="): (
        StreamCondition.POLICY_VIOLATION
    ),
}


@pytest.mark.parametrize("data", REFUSED)
def test_feed_of_what_is_no_header_has_its_condition(data: bytes) -> None:
    assert refusal(data) is REFUSED[data]


def test_feed_with_an_entity_bomb_expands_nothing() -> None:
    """What follows a DTD in the same piece never reaches expat."""
    entities = b"".join(b"<!ENTITY a%d '%b'>" % (n + 1, b"&a%d;" % n * 10) for n in range(12))
    bomb = b"<!DOCTYPE a [<!ENTITY a0 'lol'>%b]><a>&a12;</a>" % entities
    assert refusal(HEADER.replace(b"?>", b"?>" + bomb)) is StreamCondition.RESTRICTED_XML


def test_feed_up_to_the_limit_is_accepted() -> None:
    assert scan(HEADER, StreamLimits(header_bytes_max=len(HEADER))).version == "1.0"
    assert refusal(HEADER, StreamLimits(header_bytes_max=len(HEADER) - 1)) is StreamCondition.POLICY_VIOLATION


def test_feed_leaves_no_garbage() -> None:
    """What refers to itself waits for a full collection, of which each stops the server for a while."""
    gc.collect()
    gc.disable()
    try:
        scan(HEADER)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_checked_address_leaves_out_what_is_missing() -> None:
    assert checked_address(None) is None
    assert checked_address("example.com") == parse_jid("example.com")
