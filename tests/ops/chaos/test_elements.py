"""Tests of `ops.chaos.elements`: what a client reads, however it is cut."""

import pytest

from ops.chaos.elements import ELEMENT_BYTES_MAX, ElementReader, NotXMPP

HEADER = b"<stream:stream xmlns:stream='s' xmlns='jabber:client'>"
MESSAGE = b"<message id='1'><body>a&amp;b</body><x y='z'/></message>"


def test_feed_gives_elements_at_the_top_of_the_stream() -> None:
    (message,) = ElementReader().feed(HEADER + MESSAGE)
    assert (message.name, message.attributes) == ("message", {"id": "1"})
    assert [(child.name, child.text) for child in message.children] == [("body", "a&b"), ("x", "")]


def test_feed_gives_the_same_however_it_is_cut() -> None:
    reader = ElementReader()
    found = [each for byte in HEADER + MESSAGE * 2 for each in reader.feed(bytes([byte]))]
    assert found == ElementReader().feed(HEADER + MESSAGE * 2)
    assert len(found) == 2


def test_feed_drops_prefixes() -> None:
    (features,) = ElementReader().feed(HEADER + b"<stream:features><sm xmlns='n'/></stream:features>")
    assert features.name == "features"
    assert features.find("sm") is not None
    assert features.find("features") is None


def test_feed_tells_the_end_of_the_stream() -> None:
    reader = ElementReader()
    reader.feed(HEADER)
    assert not reader.is_over
    assert reader.feed(b"</stream:stream>") == []
    assert reader.is_over


def test_restart_begins_anew() -> None:
    reader = ElementReader()
    reader.feed(HEADER + b"<half")
    reader.restart()
    assert len(reader.feed(HEADER + MESSAGE)) == 1


def test_feed_framed_gives_each_document() -> None:
    reader = ElementReader(is_framed=True)
    for _ in range(2):
        (message,) = reader.feed(MESSAGE)
        assert message.children[0].text == "a&b"


@pytest.mark.parametrize("is_framed", [True, False])
def test_feed_refuses_what_is_no_xml(is_framed: bool) -> None:
    with pytest.raises(NotXMPP, match="this is no XML"):
        ElementReader(is_framed=is_framed).feed(b"<a></b>")


def test_feed_refuses_an_element_without_end() -> None:
    reader = ElementReader()
    reader.feed(HEADER + b"<message>")
    with pytest.raises(NotXMPP, match="more than"):
        reader.feed(b"x" * ELEMENT_BYTES_MAX)
    assert len(reader.feed(b"</message>")) == 1


def test_feed_takes_more_than_the_bound_in_many_elements() -> None:
    reader = ElementReader()
    reader.feed(HEADER)
    for _ in range(3):
        assert len(reader.feed(b"<message>" + b"x" * (ELEMENT_BYTES_MAX // 2) + b"</message>")) == 1
