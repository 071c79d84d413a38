"""Tests of `protocols.xml_faults`: every kind of refused XML has its condition."""

from xml.parsers import expat

import pytest

from protocols.conditions import StreamCondition
from protocols.errors import RemoteProtocolError
from protocols.xml_faults import fault_of, new_parser, policy_violation

CONDITIONS = {
    b"<a></b>": StreamCondition.NOT_WELL_FORMED,
    b"<a b='1' b='2'/>": StreamCondition.NOT_WELL_FORMED,
    b"<a b=1/>": StreamCondition.NOT_WELL_FORMED,
    b"<a>&#0;</a>": StreamCondition.NOT_WELL_FORMED,
    b"<a>\x01</a>": StreamCondition.NOT_WELL_FORMED,
    "<a>\ufffe</a>".encode(): StreamCondition.NOT_WELL_FORMED,  # in UTF-8, but no character of XML
    b"<a>]]></a>": StreamCondition.NOT_WELL_FORMED,
    b"<a xmlns:b=''/>": StreamCondition.NOT_WELL_FORMED,
    b"<a xmlns='b}c'/>": StreamCondition.NOT_WELL_FORMED,
    b"<a><b:c/></a>": StreamCondition.BAD_NAMESPACE_PREFIX,
    b"<a b:c='1'/>": StreamCondition.BAD_NAMESPACE_PREFIX,
    b"<a>&b;</a>": StreamCondition.RESTRICTED_XML,
    b"<a b='&c;'/>": StreamCondition.RESTRICTED_XML,
    b"<a><!-- b --></a>": StreamCondition.RESTRICTED_XML,
    b"<a><?b c?></a>": StreamCondition.RESTRICTED_XML,
    b"<a><?xml version='1.0'?></a>": StreamCondition.RESTRICTED_XML,
    b"<a><!DOCTYPE b></a>": StreamCondition.RESTRICTED_XML,
    b"<a>\xff</a>": StreamCondition.UNSUPPORTED_ENCODING,
    b"<a>\xc0\x80</a>": StreamCondition.UNSUPPORTED_ENCODING,
    b"<a>\xe2\x28\xa1</a>": StreamCondition.UNSUPPORTED_ENCODING,
    b"<a>\xed\xa0\x80</a>": StreamCondition.UNSUPPORTED_ENCODING,
    b"<a b='\xf4\x90\x80\x80'/>": StreamCondition.UNSUPPORTED_ENCODING,
}


def refusal(data: bytes, size: int) -> StreamCondition:
    """Return why a parser refuses the bytes, given to it in pieces of this size."""
    parser = new_parser()
    try:
        for start in range(0, len(data), size):
            parser.Parse(data[start : start + size], False)
    except expat.ExpatError as error:
        return fault_of(error, data, parser.ErrorByteIndex).condition
    except RemoteProtocolError as error:
        return error.condition
    raise AssertionError("not refused")


@pytest.mark.parametrize("data", CONDITIONS)
def test_fault_of_refused_xml_has_its_condition(data: bytes) -> None:
    assert refusal(data, len(data)) is CONDITIONS[data]
    assert refusal(data, 1) is CONDITIONS[data]


@pytest.mark.parametrize(
    "data", [b"<a>&lt;&gt;&amp;&apos;&quot;&#9731;&#x2603;</a>", b"<a><![CDATA[<b>]]></a>"]
)
def test_new_parser_takes_what_xmpp_allows(data: bytes) -> None:
    new_parser().Parse(data, True)


def test_new_parser_answers_at_once() -> None:
    """Newer versions of expat hold back the end of a tag unless told not to."""
    parser = new_parser()
    seen: list[str] = []
    parser.EndElementHandler = seen.append
    for byte in b"<a/>":
        parser.Parse(bytes([byte]), False)
    assert seen == ["a"]


def test_policy_violation_says_what_was_violated() -> None:
    error = policy_violation("too much")
    assert (error.condition, error.text) == (StreamCondition.POLICY_VIOLATION, "too much")
