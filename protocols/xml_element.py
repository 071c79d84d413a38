"""The inside of a stanza as an element tree, for those who must look into it.

lxml keeps every distinct element, attribute and namespace name, every prefix and every short run of blanks
between two tags that it ever parses in a table of the process, for ever. A peer that makes up names could
fill the memory with them. So lxml only sees an element if everything in it that it would keep is known
already or fits a budget; an element beyond that is built by the standard library's expat, which keeps
nothing. Both offer what `Element` says, and modules use no more than that.

Used by `stanza`; the composition root makes the one `NameBudget` of the process.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Protocol, cast, final
from xml.etree import ElementTree

from lxml import etree

from protocols.namespaces import XML
from protocols.xml_text import escape_attribute, escape_text

# A name longer than this is never given to lxml, so that the budget bounds bytes too: with 20,000 names
# 5 MB. The longest namespaces in use have some 70 bytes.
NAME_BYTES_MAX: Final = 256

# Start tags (name, attributes) and runs of blanks between tags. On well-formed XML without comments,
# processing instructions and DTD, which is all that a stream lets through, this finds every one of them.
# It may also find text of a CDATA section that looks like one, which costs budget and nothing else: no match
# reaches past a `<`, so that nothing after the section can hide in it.
_TAG_OR_BLANK: Final = re.compile(
    rb"<([^\s/>!]++)((?:\s++[^\s=<]++\s*+=\s*+(?:'[^'<]*+'|\"[^\"<]*+\"))*+)|>(\s++)(?=<)"
)
_ATTRIBUTE: Final = re.compile(rb"\s([^\s=]++)\s*+=\s*+(?:'([^']*+)'|\"([^\"]*+)\")")


class Element(Protocol):
    """What modules may use of an element, whichever library built it; names are `{namespace}name`."""

    @property
    def tag(self) -> str:
        """The name."""

    @property
    def text(self) -> str | None:
        """The character data before the first child."""

    @property
    def tail(self) -> str | None:
        """The character data after the end tag."""

    @property
    def attrib(self) -> Mapping[str, str]:
        """The attributes."""

    def get(self, key: str, /) -> str | None:
        """Return the value of an attribute."""

    def find(self, path: str, /) -> "Element | None":
        """Return the first child with this name, or the first element on this path."""

    def findall(self, path: str, /) -> "list[Element]":
        """Return all children with this name, or all elements on this path."""

    def findtext(self, path: str, /) -> str | None:
        """Return the text of the first child with this name, '' if it is empty."""

    def iter(self, tag: str | None = None, /) -> "Iterator[Element]":
        """Go through this element and all in it, in document order; only those of a name if given."""

    def __iter__(self) -> "Iterator[Element]": ...

    def __len__(self) -> int: ...


@final
class NameBudget:
    """Which names lxml may see: those declared, and the first `names_max` others that come along."""

    __slots__ = ("_known", "_names_left", "_parser")

    def __init__(self, declared: frozenset[str], names_max: int) -> None:
        """Take the names known beforehand.

        Args:
            declared: Element and attribute names, prefixes and namespaces that modules work with, so
                that they stay quick to read however many names peers have made up.
            names_max: How many distinct others are let through.
        """
        self._known = {name.encode() for name in declared}
        self._names_left = names_max
        # The encoding is said here lest lxml guess it. Nothing is fetched and nothing is expanded; ids
        # are not collected because nobody looks them up.
        self._parser = etree.XMLParser(
            encoding="utf-8", resolve_entities=False, no_network=True, collect_ids=False
        )

    @property
    def names_left(self) -> int:
        """How many names not yet seen still fit."""
        return self._names_left

    def build(self, data: bytes) -> Element:
        """Return the element that `data` spells, which has been checked to be well-formed."""
        if self._admits(data):
            try:
                return cast(Element, etree.fromstring(data, self._parser))
            except etree.XMLSyntaxError:
                # The libraries differ in rare points (names of XML 1.0's fifth edition, lxml's own caps);
                # the stream was checked with expat, so expat has the last word.
                pass
        return build_without_budget(data)

    def _admits(self, data: bytes) -> bool:
        new = _names_in(data) - self._known
        if not new:
            return True
        if len(new) > self._names_left or max(map(len, new)) > NAME_BYTES_MAX:
            return False
        self._known |= new
        self._names_left -= len(new)
        return True


def build_without_budget(data: bytes) -> Element:
    """Return the element that `data` spells, built by expat, which keeps no names."""
    return cast(Element, ElementTree.fromstring(data))  # noqa: S314 - checked: no DTD, no entities


def _names_in(data: bytes) -> set[bytes]:
    """Return everything in a well-formed element that lxml's table would keep, or more."""
    tags = _TAG_OR_BLANK.findall(data)
    names = {tag for tag, _, _ in tags}
    names.update([blank for _, _, blank in tags])
    names.discard(b"")
    for name, single, double in _ATTRIBUTE.findall(b"".join([attributes for _, attributes, _ in tags])):
        names.add(name)
        if name.startswith(b"xmlns"):
            names.add(single or double)
    return names


def element_bytes(element: Element, namespace: str = "") -> bytes:
    """Return what spells an element and all in it, for a place where `namespace` is the default one.

    Elements without a prefix, whatever prefixes they came with; attributes in a namespace get one.
    """
    return "".join(_written(element, namespace)).encode()


def _written(element: Element, inherited: str) -> Iterator[str]:
    namespace, name = _parted(element.tag)
    declared = "" if namespace == inherited else f' xmlns="{escape_attribute(namespace)}"'
    attributes = "".join(
        _written_attribute(number, key, value) for number, (key, value) in enumerate(element.attrib.items())
    )
    if not len(element) and not element.text:
        yield f"<{name}{declared}{attributes}/>"
        return
    yield f"<{name}{declared}{attributes}>{escape_text(element.text or '')}"
    for child in element:
        yield from _written(child, namespace)
        yield escape_text(child.tail or "")
    yield f"</{name}>"


def _written_attribute(number: int, key: str, value: str) -> str:
    namespace, name = _parted(key)
    written = escape_attribute(value)
    if not namespace:
        return f' {name}="{written}"'
    if namespace == XML:
        return f' xml:{name}="{written}"'
    return f' xmlns:n{number}="{escape_attribute(namespace)}" n{number}:{name}="{written}"'


def _parted(name: str) -> tuple[str, str]:
    """Namespace and local part of `{namespace}name`."""
    if not name.startswith("{"):
        return "", name
    namespace, _, local = name[1:].rpartition("}")
    return namespace, local
