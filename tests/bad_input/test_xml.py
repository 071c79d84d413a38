"""XML that no stream may carry: the right stream error, and a server that goes on (RFC 6120 §4.9, §11)."""

import re

import pytest

from tests.support.raw_client import RawClient, assert_serves
from tests.support.server import RunningServer

PREDEFINED = "&lt;&gt;&amp;&apos;&quot;&#9786;"

FAULTS = {
    "document type": ("<!DOCTYPE message [<!ENTITY a 'b'>]>", "restricted-xml"),
    "document type of a file": ("<!DOCTYPE m SYSTEM 'file:///etc/passwd'>", "restricted-xml"),
    "entity": ("<message><body>&lol;</body></message>", "restricted-xml"),
    "entity in attribute": ("<message id='&lol;'/>", "restricted-xml"),
    "processing instruction": ("<?run this?>", "restricted-xml"),
    "processing instruction inside": ("<message><?run this?></message>", "restricted-xml"),
    "XML declaration": ("<?xml version='1.0'?>", "restricted-xml"),
    "comment": ("<!-- hello -->", "restricted-xml"),
    "comment inside": ("<message><!-- hello --></message>", "restricted-xml"),
    "comment behind the element's end": ("<message/><!-- hello -->", "restricted-xml"),
    "tag not closed": ("<message><body></message>", "not-well-formed"),
    "tags overlapping": ("<message><a><b></a></b></message>", "not-well-formed"),
    "end tag of nothing": ("</message>", "not-well-formed"),
    "attribute without quotes": ("<message id=1/>", "not-well-formed"),
    "attribute twice": ("<message id='1' id='2'/>", "not-well-formed"),
    "attribute twice by prefix": (
        "<message xmlns:a='urn:x' xmlns:b='urn:x' a:c='1' b:c='2'/>",
        "not-well-formed",
    ),
    "name with a space": ("< message/>", "not-well-formed"),
    "name that is a number": ("<1/>", "not-well-formed"),
    "NUL": ("<message>\0</message>", "not-well-formed"),
    "NUL at the start": ("<\0message/>", "not-well-formed"),
    "control character": ("<message>\x01</message>", "not-well-formed"),
    "no character": ("<message>\ufffe</message>", "not-well-formed"),
    "reference to NUL": ("<message>&#0;</message>", "not-well-formed"),
    "reference to a surrogate": ("<message>&#xD800;</message>", "not-well-formed"),
    "section's end in text": ("<message>]]></message>", "not-well-formed"),
    "unbound prefix": ("<x:message/>", "bad-namespace-prefix"),
    "unbound prefix inside": ("<message><x:y/></message>", "bad-namespace-prefix"),
    "unbound prefix of attribute": ("<message x:y='1'/>", "bad-namespace-prefix"),
    "text": ("hello", "bad-format"),
    "text behind an element": ("<message/>hello", "bad-format"),
    "unknown stanza": ("<letter to='localhost'/>", "unsupported-stanza-type"),
    "unknown element": ("<letter xmlns='urn:example:post'/>", "unsupported-stanza-type"),
    "stanza of another namespace": ("<message xmlns='jabber:server'/>", "unsupported-stanza-type"),
    "header again": (
        "<stream:stream to='localhost' version='1.0' xmlns:stream='http://etherx.jabber.org/streams'>",
        "bad-format",
    ),
    "elements too deep": ("<message>" + "<a>" * 100, "policy-violation"),
    "attributes too many": (
        "<message" + "".join(f" a{number}=''" for number in range(1_000)) + "/>",
        "policy-violation",
    ),
    "name too long": (f"<message><{'a' * 60_000}/></message>", "policy-violation"),
    "attribute too long": (f"<message id='{'a' * 60_000}'/>", "policy-violation"),
}

BYTES = {
    "lone continuation byte": b"<message><body>\x80</body></message>",
    "sequence cut short": b"<message><body>\xc3(</body></message>",
    "overlong": b"<message><body>\xc0\xbc</body></message>",
    "surrogate": b"<message><body>\xed\xa0\x80</body></message>",
    "beyond Unicode": b"<message><body>\xf4\x90\x80\x80</body></message>",
    "Latin-1": b"<message><body>caf\xe9</body></message>",
    "in a name": b"<message><b\xffdy/></message>",
    "in an attribute": b"<message id='\xff'/>",
}


def assert_ended_with(received: bytes, condition: str) -> None:
    """One stream error of this condition, with its text, and the end of the stream."""
    errors = re.findall(rb"<stream:error>.*?</stream:error>", received, re.DOTALL)
    assert len(errors) == 1, received[-1_000:]
    namespace = "urn:ietf:params:xml:ns:xmpp-streams"
    assert f"<{condition} xmlns='{namespace}'/>".encode() in errors[0], errors[0]
    assert received.endswith(errors[0] + b"</stream:stream>")


@pytest.mark.parametrize("name", FAULTS)
def test_xml_at_fault_ends_session_with_its_condition(server: RunningServer, name: str) -> None:
    data, condition = FAULTS[name]
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        client.send(data)
        assert_ended_with(client.read_to_end(), condition)
    assert_serves(server)


@pytest.mark.parametrize("name", FAULTS)
def test_xml_at_fault_ends_stream_before_login(server: RunningServer, name: str) -> None:
    """Where the element itself is no fault, that there is one before log-in may be met first."""
    data, condition = FAULTS[name]
    with RawClient(server) as client:
        client.open_stream()
        client.send(data)
        received = client.read_to_end()
        if data.startswith("<message/>"):
            condition = "not-authorized"
        assert_ended_with(received, condition)
    assert_serves(server)


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_not_utf8_end_session(server: RunningServer, name: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        client.send(BYTES[name])
        assert_ended_with(client.read_to_end(), "unsupported-encoding")
    assert_serves(server)


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_not_utf8_end_session_wherever_cut(server: RunningServer, name: str) -> None:
    """Each byte comes in a TLS record of its own, which is how the server reads them."""
    data = BYTES[name]
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(server.account())
        marker = f"<message to='{address}' id='mark'/>".encode()
        client.send(marker + data[:1])
        client.read_until(rb"<message [^>]*id='mark'[^>]*>")
        for number in range(1, len(data)):
            client.send(data[number : number + 1])
        assert_ended_with(client.read_to_end(), "unsupported-encoding")
    assert_serves(server)


def test_characters_cut_across_packets_arrive_whole(server: RunningServer) -> None:
    text = "é€😀" + PREDEFINED
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(server.account())
        for byte in f"<message to='{address}'><body>{text}</body></message>".encode():
            client.send(bytes((byte,)))
        assert f"<body>{text}</body>".encode() in client.read_until(rb"</message>")


def test_what_is_no_fault_passes(server: RunningServer) -> None:
    """What looks odd and is allowed: sections, references, prefixes, whitespace between stanzas."""
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(server.account())
        body = f"<body><![CDATA[<!-- <? &lol; -->]]>{PREDEFINED}</body>"
        child = "<a:b xmlns:a='urn:a' a:c='&#10;'/>"
        client.send(f" \r\n\t<message\n  to = \"{address}\" id='1' >{body}{child}</message > \n")
        received = client.read_until(rb"</message\s*>").decode()
        assert body in received
        assert child in received
