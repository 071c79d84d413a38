"""Errors as clients older than RFC 3920 send them: a code, and perhaps words; no type and no condition.

Whoever receives them by way of this server gets type and condition as well (XEP-0086 §3).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from xml.parsers import expat

from protocols import splice
from protocols.conditions import ErrorType
from protocols.namespaces import CLIENT, STANZAS
from protocols.stanza import Stanza, with_data
from protocols.xml_element import Element, element_bytes
from protocols.xml_text import escape_attribute, escape_text


class Meaning(NamedTuple):
    """What a code means.

    Attributes:
        condition: The name of the condition's element; RFC 6120 has all but `payment-required`.
        type: What its sender can do about it.
    """

    condition: str
    type: ErrorType


MEANING_OF_CODE: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "302": Meaning("redirect", ErrorType.MODIFY),
        "400": Meaning("bad-request", ErrorType.MODIFY),
        "401": Meaning("not-authorized", ErrorType.AUTH),
        "402": Meaning("payment-required", ErrorType.AUTH),
        "403": Meaning("forbidden", ErrorType.AUTH),
        "404": Meaning("item-not-found", ErrorType.CANCEL),
        "405": Meaning("not-allowed", ErrorType.CANCEL),
        "406": Meaning("not-acceptable", ErrorType.MODIFY),
        "407": Meaning("registration-required", ErrorType.AUTH),
        "408": Meaning("remote-server-timeout", ErrorType.WAIT),
        "409": Meaning("conflict", ErrorType.CANCEL),
        "500": Meaning("internal-server-error", ErrorType.WAIT),
        "501": Meaning("feature-not-implemented", ErrorType.CANCEL),
        "502": Meaning("service-unavailable", ErrorType.WAIT),
        "503": Meaning("service-unavailable", ErrorType.CANCEL),
        "504": Meaning("remote-server-timeout", ErrorType.WAIT),
        "510": Meaning("service-unavailable", ErrorType.CANCEL),
    }
)
"""XEP-0086, table 2."""

_ERROR: Final = f"{{{CLIENT}}}error"
_CHILD: Final = 2  # the depth of an element's children, where it is 1 itself
_CONDITIONS: Final = f"{{{STANZAS}}}"


def with_condition(stanza: Stanza) -> Stanza:
    """Return an error that has nothing but one of those codes with the condition and type that this means.

    All others stay as they are: those that have a condition, and those that nobody can understand.
    """
    children = list(stanza.element)
    index = next((at for at, child in enumerate(children) if child.tag == _ERROR), None)
    if index is None or any(child.tag.startswith(_CONDITIONS) for child in children[index]):
        return stanza
    error = children[index]
    meaning = MEANING_OF_CODE.get(error.get("code") or "")
    if meaning is None:
        return stanza
    start, end = _span_of_child(stanza.data, index)
    data = stanza.data
    return with_data(stanza, data[:start] + _translated(error, meaning) + data[end:])


def _translated(error: Element, meaning: Meaning) -> bytes:
    """The words, which stood in the element itself, go where RFC 6120 §8.3.2 has them."""
    attributes = {"type": meaning.type.value, **error.attrib}
    words = (error.text or "").strip()
    text = f"<text xmlns='{STANZAS}'>{escape_text(words)}</text>" if words else ""
    shown = "".join(
        f" {key}='{escape_attribute(value)}'" for key, value in attributes.items() if key[0] != "{"
    )
    rest = b"".join(element_bytes(child, CLIENT) for child in error)
    head = f"<error{shown}><{meaning.condition} xmlns='{STANZAS}'/>{text}".encode()
    return b"%b%b</error>" % (head, rest)


def _span_of_child(data: bytes, index: int) -> tuple[int, int]:
    """Where the child of this index stands in an element that has one."""
    parser = expat.ParserCreate("utf-8")
    depth, seen, start, end = 0, -1, 0, 0

    def opened(_name: str, _attributes: Mapping[str, str]) -> None:
        nonlocal depth, seen, start
        depth += 1
        if depth == _CHILD:
            seen += 1
            if seen == index:
                start = parser.CurrentByteIndex

    def closed(_name: str) -> None:
        nonlocal depth, end
        if depth == _CHILD and seen == index:
            start_tag_end = splice.tag_end(data, start)
            is_empty = data.startswith(b"/", start_tag_end - 2)
            end = start_tag_end if is_empty else splice.tag_end(data, parser.CurrentByteIndex)
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.Parse(data, True)
    return start, end
