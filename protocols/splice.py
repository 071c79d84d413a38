"""Changing a few bytes of an element without taking it apart: attributes and children put in or cut out.

Used by `stanza` (the server's `from`, `to` and delay stamps, RFC 6120 §8.1) and `xml_frame`. Every function
takes one whole, well-formed element, as the stream has checked it; on anything else they mean nothing.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from xml.parsers import expat

from protocols.xml_text import escape_attribute

_TAG: Final = re.compile(rb"<[^'\">]++(?:'[^']*+'[^'\">]*+|\"[^\"]*+\"[^'\">]*+)*+>")
_NAME: Final = re.compile(rb"<([^\s/>]++)")
_ATTRIBUTE: Final = re.compile(rb"\s++([^\s=/>]++)\s*+=\s*+(?:'([^']*+)'|\"([^\"]*+)\")")
_DEFAULT_NAMESPACE: Final = re.compile(
    rb"<[^\s/>]++(?:\s++(?!xmlns[\s=])[^\s=/>]++\s*+=\s*+(?:'[^']*+'|\"[^\"]*+\"))*+\s++xmlns[\s=]"
)

_CHILD: Final = 2  # how deep a child is below nothing

# Attributes remembered: one for each address that many stanzas are stamped with, some 300 bytes each. Long
# values are not remembered, lest a peer that makes up addresses fill the memory with them.
_REMEMBERED_MAX: Final = 16_384
_REMEMBERED_CHARACTERS_MAX: Final = 256


class Span(NamedTuple):
    """Where an attribute stands: with the blanks before it, and its value as written."""

    start: int
    end: int
    value: bytes


def attribute(name: str, value: str) -> bytes:
    """Return an attribute as bytes, with a blank before it."""
    if len(value) <= _REMEMBERED_CHARACTERS_MAX:
        return _remembered_attribute(name, value)
    return new_attribute(name, value)


def new_attribute(name: str, value: str) -> bytes:
    """Return an attribute as `attribute` does, for a value that will hardly come again."""
    return f" {name}='{escape_attribute(value)}'".encode()


_remembered_attribute = lru_cache(_REMEMBERED_MAX)(new_attribute)


def name_end(data: bytes) -> int:
    """Return the offset behind the element's name, where an attribute can be put in."""
    found = _NAME.match(data)
    assert found is not None, "not an element"
    return found.end()


def tag_end(data: bytes, start: int = 0) -> int:
    """Return the offset behind the tag that begins at `start`."""
    found = _TAG.match(data, start)
    assert found is not None, "not a tag"
    return found.end()


def find_attribute(data: bytes, name: bytes) -> Span | None:
    """Return where the element has the attribute of this name (with prefix, as written)."""
    position = name_end(data)
    while (found := _ATTRIBUTE.match(data, position)) is not None:
        if found[1] == name:
            return Span(found.start(), found.end(), found[2] if found[2] is not None else found[3])
        position = found.end()
    return None


def without_attribute(data: bytes, name: bytes) -> bytes:
    """Return the element with the attribute cut out, if it has it."""
    span = find_attribute(data, name)
    return data if span is None else data[: span.start] + data[span.end :]


def with_attributes(data: bytes, attributes: bytes) -> bytes:
    """Return the element with these attributes, each with a blank before it, put in behind its name."""
    end = name_end(data)
    return data[:end] + attributes + data[end:]


def with_child(data: bytes, child: bytes) -> bytes:
    """Return the element with another child after all it holds."""
    if data.endswith(b"/>"):
        return b"%b>%b</%b>" % (data[:-2], child, data[1 : name_end(data)])
    end = data.rindex(b"</")
    return data[:end] + child + data[end:]


def child_ends(data: bytes) -> list[tuple[int, int]]:
    """Return where each child of the element begins and ends, in order."""
    ends: list[tuple[int, int]] = []
    parser = expat.ParserCreate("utf-8")
    depth = begin = 0

    def started(_name: str, _attributes: object) -> None:
        nonlocal depth, begin
        depth += 1
        if depth == _CHILD:
            begin = parser.CurrentByteIndex

    def ended(_name: str) -> None:
        nonlocal depth
        if depth == _CHILD:
            first = tag_end(data, begin)
            is_one_tag = data[first - 2] == ord("/")
            ends.append((begin, first if is_one_tag else tag_end(data, parser.CurrentByteIndex)))
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.Parse(data, True)
    return ends


def with_default_namespace(data: bytes, namespace: str) -> bytes:
    """Return the element with this default namespace declared, unless it declares one itself."""
    if _DEFAULT_NAMESPACE.match(data) is not None:
        return data
    return with_attributes(data, attribute("xmlns", namespace))
