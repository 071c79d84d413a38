"""What a client reads: the elements at the top of a stream, as small values. The client's own, on expat.

Only what a client of the harness must understand is kept: names, attributes, text.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, final
from xml.parsers import expat

ELEMENT_BYTES_MAX: Final = 1_000_000
"""Of one element; a server that sends more to a client that chats is at fault."""
_STREAM: Final = 1


class Element(NamedTuple):
    """An element: its name without a namespace, and what is in it."""

    name: str
    attributes: Mapping[str, str]
    text: str
    children: tuple["Element", ...]

    def find(self, *names: str) -> "Element | None":
        """The first below that has one of these names, at any depth."""
        return next((each for each in self.walk() if each.name in names and each is not self), None)

    def walk(self) -> Iterator["Element"]:
        """This one and all below."""
        yield self
        for child in self.children:
            yield from child.walk()


class NotXMPP(Exception):
    """What came is no XML, or is not of this world."""


class _Open(NamedTuple):
    name: str
    attributes: Mapping[str, str]
    text: list[str]
    children: list[Element]


@final
class ElementReader:
    """Takes bytes, gives elements.

    Args:
        is_framed: Whether each element is a document of its own, as over WebSocket (RFC 7395), or all are
            children of one stream.
    """

    def __init__(self, *, is_framed: bool = False) -> None:
        self._is_framed = is_framed
        self.restart()

    def restart(self) -> None:
        """A new stream begins."""
        self._open: list[_Open] = []
        self._ready: list[Element] = []
        self._bytes = 0
        self.is_over = False
        parser = self._parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def feed(self, data: bytes) -> list[Element]:
        """What `data` has completed. The end of the stream is told by `is_over`.

        Raises:
            NotXMPP: It is no XML, or too much of it.
        """
        if self._is_framed:
            self.restart()
        self._bytes += len(data)
        try:
            self._parser.Parse(data, self._is_framed)
        except expat.ExpatError as error:
            raise NotXMPP(f"this is no XML: {error}: {data[:200]!r}") from error
        if self._ready:
            self._bytes = 0
        elif self._bytes > ELEMENT_BYTES_MAX:
            raise NotXMPP(f"an element has more than {ELEMENT_BYTES_MAX} bytes")
        ready, self._ready = self._ready, []
        return ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(_Open(name.rpartition(":")[2], attributes, [], []))

    def _end(self, _name: str) -> None:
        done = self._open.pop()
        level = len(self._open) + self._is_framed
        if level < _STREAM:
            self.is_over = True
            return
        element = Element(done.name, done.attributes, "".join(done.text), tuple(done.children))
        if level == _STREAM:
            self._ready.append(element)
        else:
            self._open[-1].children.append(element)

    def _characters(self, text: str) -> None:
        if len(self._open) + self._is_framed > _STREAM:
            self._open[-1].text.append(text)
