"""A stream cut into what a script speaks of: headers, the elements at its top, and its end."""

from __future__ import annotations

import re
from collections import deque
from copy import deepcopy
from typing import TYPE_CHECKING, Final, final

from lxml import etree

from tests.scenarios.matching import END, STREAMS

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

HEADER: Final = f"{{{STREAMS}}}stream"
_INSIDE: Final = f"<stream:stream xmlns='jabber:client' xmlns:stream='{STREAMS}'>"
_HEADER: Final = re.compile(r"(?:<\?xml [^>]*\?>)?\s*(<stream:stream\b[^>]*>)")
_END: Final = re.compile(r"</stream:stream\s*>")


@final
class Wire:
    """What has come on one connection, cut as it comes.

    Attributes:
        elements: What has not been taken yet.
        stream_id: The id of the last stream.
    """

    def __init__(self, *, is_inside: bool = False) -> None:
        self.elements: deque[Element] = deque()
        self.stream_id = ""
        self._parser = _new_parser()
        self._depth = 0
        if is_inside:
            self.feed(_INSIDE.encode())
            self.elements.clear()

    def restart(self) -> None:
        """Another stream begins on the same connection."""
        self._parser, self._depth = _new_parser(), 0

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._parser.feed(data)
        for event, element in self._parser.read_events():
            assert isinstance(element, etree._Element), "neither comments nor namespaces were asked for"
            if event == "start":
                self._begin(element)
            else:
                self._end(element)

    def _begin(self, element: Element) -> None:
        self._depth += 1
        if self._depth == 1:
            self.stream_id = str(element.get("id", ""))
            self.elements.append(_header(element))

    def _end(self, element: Element) -> None:
        self._depth -= 1
        if self._depth == 1:
            self.elements.append(deepcopy(element))
            element.clear()
        elif self._depth == 0:
            self.elements.append(etree.Element(END))


def _new_parser() -> etree.XMLPullParser:
    return etree.XMLPullParser(("start", "end"), resolve_entities=False)


def _header(element: Element) -> Element:
    """A stream's header without what is in the stream."""
    header = etree.Element(element.tag)
    header.attrib.update(element.attrib)
    return header


def parse_expected(text: str) -> list[Element]:
    """What a script expects, cut in the same way.

    Raises:
        etree.XMLSyntaxError: It is not well-formed.
    """
    expected: list[Element] = []
    header = _HEADER.match(text)
    if header is not None:
        tag = (
            header[1]
            if "xmlns:stream" in header[1]
            else header[1].replace(">", f" xmlns:stream='{STREAMS}'>", 1)
        )
        expected.append(etree.fromstring(re.sub(r"/?>$", "/>", tag)))
        text = text[header.end() :]
    has_end = _END.search(text) is not None
    root = etree.fromstring(f"{_INSIDE}{_END.sub('', text)}</stream:stream>")
    expected += list(root.iterchildren(etree.Element))
    if has_end:
        expected.append(etree.Element(END))
    return expected
