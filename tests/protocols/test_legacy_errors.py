"""Errors that have only a code get condition and type (XEP-0086); all others stay as they are."""

import pytest
from lxml import etree

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.legacy_errors import MEANING_OF_CODE, with_condition
from protocols.namespaces import STANZAS
from protocols.stanza import Stanza, StanzaKind, build_error

# XEP-0086, table 2, by hand.
CODES = """
302 redirect modify
400 bad-request modify
401 not-authorized auth
402 payment-required auth
403 forbidden auth
404 item-not-found cancel
405 not-allowed cancel
406 not-acceptable modify
407 registration-required auth
408 remote-server-timeout wait
409 conflict cancel
500 internal-server-error wait
501 feature-not-implemented cancel
502 service-unavailable wait
503 service-unavailable cancel
504 remote-server-timeout wait
510 service-unavailable cancel
"""
ROWS = [row.split() for row in CODES.strip().splitlines()]


def stanza(content: str, kind: StanzaKind = StanzaKind.MESSAGE) -> Stanza:
    data = f"<{kind.value} type='error' id='1' to='a@b/c'>{content}</{kind.value}>".encode()
    return Stanza(kind, parse_jid("a@b/c"), None, "error", "1", None, data)


def translated(error: str, before: str = "", after: str = "") -> str:
    made = with_condition(stanza(f"{before}{error}{after}")).data.decode()
    start, end = f"<message type='error' id='1' to='a@b/c'>{before}", f"{after}</message>"
    assert made.startswith(start)
    assert made.endswith(end)
    return made.removeprefix(start).removesuffix(end)


def test_codes_are_those_of_the_table() -> None:
    assert list(MEANING_OF_CODE) == [code for code, _, _ in ROWS]


@pytest.mark.parametrize(("code", "condition", "type"), ROWS)
def test_code_alone_gets_condition_and_type(code: str, condition: str, type: str) -> None:
    assert translated(f"<error code='{code}'>Words &amp; such</error>") == (
        f"<error type='{type}' code='{code}'><{condition} xmlns='{STANZAS}'/>"
        f"<text xmlns='{STANZAS}'>Words &amp; such</text></error>"
    )


@pytest.mark.parametrize(
    "error", ["<error code='404'/>", "<error code='404' />", "<error code='404'> </error>"]
)
def test_code_without_words_gets_no_text(error: str) -> None:
    assert translated(error) == (
        f"<error type='cancel' code='404'><item-not-found xmlns='{STANZAS}'/></error>"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<body>ü &lt; <![CDATA[<error>]]></body>", "<x xmlns='jabber:x:encrypted'>abc</x>"),
        ("<error xmlns='urn:x'><error code='1'/></error>\n", ""),
        ("<query xmlns='jabber:iq:oob'><url>http://a?b='c'</url></query>", " <error code='405'/>"),
    ],
)
def test_what_stands_around_the_error_stays_byte_for_byte(before: str, after: str) -> None:
    assert "<item-not-found " in translated("<error code='404'>No</error>", before, after)


def test_type_and_other_attributes_and_children_stay() -> None:
    error = "<error by='x&amp;y' type='wait' code='404'>No<why xmlns='urn:x'><a/></why></error>"
    assert translated(error) == (
        f"<error type='wait' by='x&amp;y' code='404'><item-not-found xmlns='{STANZAS}'/>"
        f"<text xmlns='{STANZAS}'>No</text>" + '<why xmlns="urn:x"><a/></why></error>'
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<body>hi</body>",
        "<error/>",
        "<error code='999'/>",
        "<error code='-404'/>",
        "<error type='cancel'/>",
        "<error xmlns='urn:x' code='404'/>",
        f"<error code='404' type='wait'><gone xmlns='{STANZAS}'/></error>",
        f"<error code='404'><text xmlns='{STANZAS}'>no</text></error>",
    ],
)
def test_whatever_else_stays_as_it_is(content: str) -> None:
    given = stanza(content)
    assert with_condition(given) is given


@pytest.mark.parametrize("kind", StanzaKind)
def test_stanza_keeps_what_routing_knows_of_it(kind: StanzaKind) -> None:
    given = stanza("<error code='404'/>", kind)
    made = with_condition(given)
    assert (made.kind, made.to, made.type, made.id) == (kind, given.to, "error", "1")
    assert etree.fromstring(made.data)[0][0].tag == f"{{{STANZAS}}}item-not-found"


@pytest.mark.parametrize("condition", StanzaCondition)
def test_every_condition_is_sent_with_a_code_that_is_understood(condition: StanzaCondition) -> None:
    error = etree.fromstring(build_error(stanza(""), StanzaError(condition)).data)[0]
    assert error.get("code") in MEANING_OF_CODE
