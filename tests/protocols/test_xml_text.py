"""Tests of `protocols.xml_text`."""

import pytest

from protocols.xml_text import escape_attribute, escape_text


@pytest.mark.parametrize("text", ["", "plain", "ünïcode \U0001f600", "'quotes\" and\ttabs\n"])
def test_escape_text_without_markup_returns_it_as_it_is(text: str) -> None:
    assert escape_text(text) is text


def test_escape_text_with_markup_escapes_it() -> None:
    assert escape_text("a<b>&]]>\r") == "a&lt;b&gt;&amp;]]&gt;&#xD;"


@pytest.mark.parametrize("text", ["", "plain", "ünïcode \U0001f600"])
def test_escape_attribute_without_markup_returns_it_as_it_is(text: str) -> None:
    assert escape_attribute(text) is text


def test_escape_attribute_with_markup_quotes_or_white_space_escapes_them() -> None:
    assert escape_attribute("<a href='x\"&>\t\n\r") == "&lt;a href=&apos;x&quot;&amp;&gt;&#x9;&#xA;&#xD;"


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_escape_of_what_xml_cannot_carry_replaces_it(character: str) -> None:
    """One such character in our output would end the peer's stream."""
    assert escape_text(f"a{character}b") == "a\ufffdb"
    assert escape_attribute(f"a{character}b") == "a\ufffdb"
