"""Whether what came is what was expected: texts with places that vary, and elements of such texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element as Element

_PLACE: Final = re.compile(r"\{(=?)([a-z][a-z0-9_.]*)\}")
_REPEATED: Final = re.compile(r"\{(\d{1,6})\*([^{}]+)\}")

STREAMS: Final = "http://etherx.jabber.org/streams"
END: Final = f"{{{STREAMS}}}end"
"""The name by which the end of a stream stands among its elements."""

MORE: Final = "more"
"""What a comment in an expected element says if it may have more attributes and children than are written."""


class MismatchError(Exception):
    """Something else came than was expected; says what differs."""


def spread(text: str) -> str:
    """The text with `{3*ab}` written out: `ababab`."""
    return _REPEATED.sub(lambda found: int(found[1]) * found[2], text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with `{name}` replaced by its value.

    Raises:
        MismatchError: There is no such value.
    """

    def value(found: re.Match[str]) -> str:
        name = found[2]
        if found[1] or name not in values:
            raise MismatchError(f"nothing is known by the name {found[0]}")
        return values[name]

    return _PLACE.sub(value, spread(text))


def match_text(expected: str, actual: str, values: dict[str, str]) -> bool:
    """Whether a text is as expected: `{any}` is anything but nothing, `{=name}` too, and takes its name.

    What takes a name is added to the values.
    """
    pattern, taken, end = "", [], 0
    expected = spread(expected)
    for place in _PLACE.finditer(expected):
        pattern += re.escape(expected[end : place.start()])
        end = place.end()
        name = place[2]
        if name == "any" and not place[1]:
            pattern += "(?:.+)"
        elif place[1]:
            taken.append(name)
            pattern += "(.+)"
        elif name in values:
            pattern += re.escape(values[name])
        else:
            raise MismatchError(f"nothing is known by the name {place[0]}")
    found = re.fullmatch(pattern + re.escape(expected[end:]), actual, re.DOTALL)
    if found is None:
        return False
    values.update(zip(taken, found.groups(), strict=True))
    return True


def match_element(expected: Element, actual: Element, values: dict[str, str]) -> None:
    """See to it that an element is as expected: its name, its attributes, its texts, its children in order.

    Raises:
        MismatchError: It is not; values may have been taken from what did match.
    """
    if expected.tag != actual.tag:
        raise MismatchError(f"{actual.tag} came where {expected.tag} was expected")
    has_more = any(_says_more(each) for each in expected.iterchildren(etree.Comment))
    _match_attributes(expected, actual, has_more, values)
    children = list(expected.iterchildren(etree.Element))
    texts = _texts(expected)
    if texts or not has_more:
        _match_texts(expected, texts, _texts(actual), values)
    if has_more:
        _match_some(children, list(actual.iterchildren(etree.Element)), values)
    else:
        _match_all(expected, children, list(actual.iterchildren(etree.Element)), values)


def _says_more(comment: Element) -> bool:
    return (comment.text or "").strip() == MORE


def _texts(element: Element) -> str:
    """What it says between its children; what only separates them is nothing."""
    parts = [element.text, *(child.tail for child in element)]
    return "".join(part for part in parts if part and (part.strip() or len(element) == 0))


def _match_attributes(expected: Element, actual: Element, has_more: bool, values: dict[str, str]) -> None:
    names = {str(name): str(value) for name, value in expected.attrib.items()}
    came = {str(name): str(value) for name, value in actual.attrib.items()}
    for name, value in names.items():
        if name not in came:
            raise MismatchError(f"{expected.tag} came without {name}='{value}'")
        if not match_text(value, came[name], values):
            raise MismatchError(f"{expected.tag} came with {name}='{came[name]}' in place of '{value}'")
    extra = came.keys() - names.keys()
    if extra and not has_more:
        raise MismatchError(f"{expected.tag} came with {', '.join(sorted(extra))} as well")


def _match_texts(element: Element, expected: str, actual: str, values: dict[str, str]) -> None:
    if not match_text(expected, actual, values):
        raise MismatchError(f"{element.tag} says {actual!r} in place of {expected!r}")


def _match_all(
    element: Element, expected: list[Element], actual: list[Element], values: dict[str, str]
) -> None:
    for one, other in zip(expected, actual, strict=False):
        match_element(one, other, values)
    if len(expected) != len(actual):
        longer, word = (expected, "lacks") if len(expected) > len(actual) else (actual, "has also")
        beyond = longer[min(len(expected), len(actual))]
        raise MismatchError(f"{element.tag} {word} {shown(beyond)}")


def _match_some(expected: list[Element], actual: list[Element], values: dict[str, str]) -> None:
    """Each in turn, others in between."""
    left = iter(actual)
    for one in expected:
        if not any(_matches(one, other, values) for other in left):
            raise MismatchError(f"there is no {shown(one)}")


def _matches(expected: Element, actual: Element, values: dict[str, str]) -> bool:
    try:
        match_element(expected, actual, values)
    except MismatchError:
        return False
    return True


def shown(element: Element) -> str:
    """An element as one writes it, without the namespaces it inherits in a stream."""
    if element.tag == END:
        return "</stream:stream>"
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    return text.replace(' xmlns="jabber:client"', "").replace(
        ' xmlns:stream="http://etherx.jabber.org/streams"', ""
    )
