"""The elements of stream management: what clients may send, well and badly, and what we send."""

from xml.etree import ElementTree

import pytest

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import STREAM_MANAGEMENT
from protocols.stream_events import ElementReceived
from protocols.stream_management import (
    ACK_REQUEST,
    COUNTER_MODULUS,
    PREVID_CHARACTERS_MAX,
    Ack,
    AckRequest,
    Enable,
    Resume,
    ack,
    enabled,
    failed,
    handled_count_too_high,
    parse_nonza,
    resumed,
)

ITEM_NOT_FOUND = "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
LONGEST = "x" * PREVID_CHARACTERS_MAX


def element(name: str, **attributes: str) -> ElementReceived:
    return ElementReceived(STREAM_MANAGEMENT, name, attributes, "", b"")


@pytest.mark.parametrize(
    ("received", "meaning"),
    [
        (element("r"), AckRequest()),
        (element("a", h="0"), Ack(0)),
        (element("a", h="007"), Ack(7)),
        (element("a", h="\n 7\t"), Ack(7)),
        (element("a", h="4294967295"), Ack(COUNTER_MODULUS - 1)),
        (element("enable"), Enable(resume=False, max_seconds=None)),
        (element("enable", resume="true"), Enable(resume=True, max_seconds=None)),
        (element("enable", resume="1", max="1"), Enable(resume=True, max_seconds=1)),
        (element("enable", resume="false", max="600"), Enable(resume=False, max_seconds=600)),
        (element("enable", resume=" 0 "), Enable(resume=False, max_seconds=None)),
        (element("enable", location="[::1]:9222"), Enable(resume=False, max_seconds=None)),
        (element("resume", previd="a b", h="10"), Resume("a b", 10)),
        (element("resume", previd=LONGEST, h="0"), Resume(LONGEST, 0)),
    ],
)
def test_parse_nonza_says_what_the_client_wants(received: ElementReceived, meaning: object) -> None:
    parsed = parse_nonza(received)
    assert (type(parsed), parsed) == (type(meaning), meaning)


NO_COUNTS = ["", " ", "-1", "+1", "1.0", "1 2", "0x1", "1_0", "ten", "٣", "²", "4294967296", "00000000001"]


@pytest.mark.parametrize("h", NO_COUNTS)
@pytest.mark.parametrize("name", ["a", "resume"])
def test_parse_nonza_with_an_h_that_is_no_count_is_a_bad_request(name: str, h: str) -> None:
    with pytest.raises(StanzaError, match="'h'") as raised:
        parse_nonza(element(name, h=h, previd="x"))
    assert raised.value.condition is StanzaCondition.BAD_REQUEST


@pytest.mark.parametrize("seconds", [*NO_COUNTS, "0", "000"])
def test_parse_nonza_with_a_max_that_is_no_time_is_a_bad_request(seconds: str) -> None:
    with pytest.raises(StanzaError, match="'max'") as raised:
        parse_nonza(element("enable", resume="true", max=seconds))
    assert raised.value.condition is StanzaCondition.BAD_REQUEST


@pytest.mark.parametrize("resume", ["", "yes", "True", "TRUE", "2", "true false"])
def test_parse_nonza_with_no_boolean_is_a_bad_request(resume: str) -> None:
    with pytest.raises(StanzaError, match="'resume'") as raised:
        parse_nonza(element("enable", resume=resume))
    assert raised.value.condition is StanzaCondition.BAD_REQUEST


@pytest.mark.parametrize(
    ("received", "what"),
    [
        (element("a"), "'h'"),
        (element("resume", previd="x"), "'h'"),
        (element("resume", h="1"), "'previd'"),
        (element("resume", h="1", previd=LONGEST + "x"), "'previd'"),
        (element("resume"), "'previd'"),
    ],
)
def test_parse_nonza_that_lacks_something_is_a_bad_request(received: ElementReceived, what: str) -> None:
    with pytest.raises(StanzaError, match=what) as raised:
        parse_nonza(received)
    assert raised.value.condition is StanzaCondition.BAD_REQUEST


@pytest.mark.parametrize("name", ["enabled", "resumed", "failed", "sm", "handled-count-too-high", "A", "x"])
def test_parse_nonza_that_no_client_sends_is_unexpected(name: str) -> None:
    with pytest.raises(StanzaError) as raised:
        parse_nonza(element(name, h="1", previd="x"))
    assert raised.value.condition is StanzaCondition.UNEXPECTED_REQUEST


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (ACK_REQUEST, "<r xmlns='urn:xmpp:sm:3'/>"),
        (ack(0), "<a xmlns='urn:xmpp:sm:3' h='0'/>"),
        (ack(COUNTER_MODULUS - 1), "<a xmlns='urn:xmpp:sm:3' h='4294967295'/>"),
        (ack(COUNTER_MODULUS), "<a xmlns='urn:xmpp:sm:3' h='0'/>"),
        (enabled("x", 600), "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true' max='600'/>"),
        (enabled(None, None), "<enabled xmlns='urn:xmpp:sm:3'/>"),
        (enabled("x", None), "<enabled xmlns='urn:xmpp:sm:3'/>"),
        (enabled(None, 600), "<enabled xmlns='urn:xmpp:sm:3'/>"),
        (resumed("x", COUNTER_MODULUS + 2), "<resumed xmlns='urn:xmpp:sm:3' previd='x' h='2'/>"),
        (
            failed(StanzaCondition.ITEM_NOT_FOUND),
            f"<failed xmlns='urn:xmpp:sm:3'>{ITEM_NOT_FOUND}</failed>",
        ),
        (
            failed(StanzaCondition.ITEM_NOT_FOUND, COUNTER_MODULUS + 7),
            f"<failed xmlns='urn:xmpp:sm:3' h='7'>{ITEM_NOT_FOUND}</failed>",
        ),
        (
            handled_count_too_high(10, COUNTER_MODULUS + 8),
            "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>",
        ),
    ],
)
def test_what_we_send_is_what_goes_on_the_wire(data: bytes, written: str) -> None:
    assert data.decode() == written


@pytest.mark.parametrize("condition", StanzaCondition)
def test_failed_names_every_condition(condition: StanzaCondition) -> None:
    (child,) = ElementTree.fromstring(failed(condition, 0))
    assert child.tag == f"{{urn:ietf:params:xml:ns:xmpp-stanzas}}{condition.value}"


def test_ids_are_escaped() -> None:
    name = "it's <\"&\n\u2603>"
    assert ElementTree.fromstring(resumed(name, 1)).get("previd") == name
    assert ElementTree.fromstring(enabled(name, 1)).get("id") == name
