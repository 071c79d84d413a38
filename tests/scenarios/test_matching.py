"""What counts as what was expected, and what is said where it does not."""

import pytest
from lxml import etree

from tests.scenarios.matching import MismatchError, fill, match_element, match_text, shown


def test_fill_puts_in_what_is_known() -> None:
    assert fill("<to>{juliet.bare}</to>{domain}", {"juliet.bare": "j@x", "domain": "x"}) == "<to>j@x</to>x"


def test_fill_repeats() -> None:
    assert fill("{2*<a/>}{0*b}", {}) == "<a/><a/>"


@pytest.mark.parametrize("text", ["{nobody}", "{=juliet}", "{any}"])
def test_fill_says_what_is_not_known(text: str) -> None:
    with pytest.raises(MismatchError, match="nothing is known"):
        fill(text, {"juliet": "j@x"})


@pytest.mark.parametrize(
    ("expected", "actual", "matches"),
    [
        ("", "", True),
        ("a.c", "abc", False),
        ("{any}", "what\never", True),
        ("{any}", "", False),
        ("to {juliet}!", "to j@x!", True),
        ("to {juliet}!", "to k@x!", False),
        ("{any}@x", "j@x", True),
        ("{3*ab}!", "ababab!", True),
        ("{3*ab}!", "abab!", False),
    ],
)
def test_match_text(expected: str, actual: str, matches: bool) -> None:
    assert match_text(expected, actual, {"juliet": "j@x"}) is matches


def test_match_text_takes_names() -> None:
    values: dict[str, str] = {}
    assert match_text("{=first}-{=second}", "1-2", values)
    assert values == {"first": "1", "second": "2"}
    assert match_text("{second}{first}", "21", values)
    assert not match_text("{=first}-", "3", values)
    assert values["first"] == "1"


MESSAGE = "<message id='1' to='x'><body>hi</body><active xmlns='urn:x'/></message>"


@pytest.mark.parametrize(
    "expected",
    [
        MESSAGE,
        "<message to='x' id='{any}'>\n  <body>hi</body>\n  <active xmlns='urn:x'/>\n</message>",
        "<message><!-- more --></message>",
        "<message id='1'><!-- more --><active xmlns='urn:x'/></message>",
    ],
)
def test_match_element(expected: str) -> None:
    match_element(etree.fromstring(expected), etree.fromstring(MESSAGE), {})


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("<iq/>", "message came where iq was expected"),
        ("<message id='1'><body>hi</body><active xmlns='urn:x'/></message>", "came with to as well"),
        ("<message id='2' to='x'><!-- more --></message>", "id='1' in place of '2'"),
        ("<message type='chat'><!-- more --></message>", "came without type='chat'"),
        ("<message id='1' to='x'><body>hi</body></message>", "has also <active"),
        (MESSAGE.replace("</message>", "<x/></message>"), "lacks <x/>"),
        (MESSAGE.replace("hi", "ho"), "body says 'hi' in place of 'ho'"),
        (MESSAGE.replace("urn:x", "urn:y"), "{urn:x}active came where {urn:y}active"),
        ("<message><!-- more --><active xmlns='urn:x'/><body>hi</body></message>", "there is no <body>"),
        ("<message>hi<!-- more --></message>", "says '' in place of 'hi'"),
    ],
)
def test_match_element_tells_what_differs(expected: str, words: str) -> None:
    with pytest.raises(MismatchError) as raised:
        match_element(etree.fromstring(expected), etree.fromstring(MESSAGE), {})
    assert words in str(raised.value)


def test_shown_is_as_one_writes_it() -> None:
    stream = etree.fromstring("<s xmlns='jabber:client'><message to='x'><body>a</body></message>tail</s>")
    assert shown(stream[0]) == '<message to="x"><body>a</body></message>'
