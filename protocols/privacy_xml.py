"""Privacy lists and block lists as clients write and read them (XEP-0016 §2.1, XEP-0191 §3)."""

from collections.abc import Iterable
from typing import Final

from protocols.conditions import StanzaCondition
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import BLOCKING, PRIVACY
from protocols.privacy_lists import ItemType, Kind, PrivacyItem, PrivacyList
from protocols.xml_element import Element
from protocols.xml_text import escape_attribute

NAME_CHARACTERS_MAX: Final = 255
"""Of a list; clients have a line for it."""
GROUP_CHARACTERS_MAX: Final = 1_023
"""Of a group, as in the roster."""
ORDER_MOST: Final = 2**32 - 1
"""The highest order there is: an unsigned int of XML Schema (§8)."""

_ORDER_DIGITS: Final = 10
_ITEM: Final = f"{{{PRIVACY}}}item"
_BLOCKED_ITEM: Final = f"{{{BLOCKING}}}item"
_KINDS: Final = {f"{{{PRIVACY}}}{kind.value}": kind for kind in Kind}
_ACTIONS: Final = {"allow": True, "deny": False}
_SUBSCRIPTIONS: Final = frozenset({"none", "to", "from", "both"})


def list_name(element: Element) -> str | None:
    """The name that an element says; None if it says none.

    Raises:
        StanzaError: It is empty, or too long.
    """
    name = element.get("name")
    if name is None:
        return None
    if not name:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a list has a name")
    if len(name) > NAME_CHARACTERS_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the name is too long")
    return name


def read_list(name: str, element: Element) -> PrivacyList:
    """The list that a client has written.

    Raises:
        StanzaError: It is none.
    """
    items = sorted(map(_read_item, element), key=lambda item: item.order)
    if len({item.order for item in items}) != len(items):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "two items have one order")
    return PrivacyList(name, tuple(items))


def _read_item(element: Element) -> PrivacyItem:
    action, kinds = element.get("action"), [_KINDS.get(child.tag) for child in element]
    if element.tag != _ITEM or action not in _ACTIONS or None in kinds:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "an item allows or denies, all or certain stanzas")
    type_, value = _read_value(element)
    found = frozenset(kind for kind in kinds if kind is not None)
    return PrivacyItem(_read_order(element), _ACTIONS[action], type_, value, found)


def _read_order(element: Element) -> int:
    order = element.get("order") or ""
    if not (
        order.isascii() and order.isdecimal() and len(order) <= _ORDER_DIGITS and int(order) <= ORDER_MOST
    ):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "an item's order is a number from zero")
    return int(order)


def _read_value(element: Element) -> tuple[ItemType, str]:
    type_, value = element.get("type"), element.get("value")
    match type_:
        case None if value is None:
            return ItemType.ANYBODY, ""
        case "jid":
            return ItemType.JID, _address(value)
        case "group" if value:
            if len(value) > GROUP_CHARACTERS_MAX:
                raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the group's name is too long")
            return ItemType.GROUP, value
        case "subscription" if value in _SUBSCRIPTIONS:
            return ItemType.SUBSCRIPTION, value
        case _:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "an item is of a known type, with a value of that")


def _address(text: str | None) -> str:
    try:
        return parse_jid(text or "").full
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.JID_MALFORMED, str(error)) from error


def list_xml(privacy_list: PrivacyList) -> str:
    """The list as clients read it."""
    items = "".join(map(_item_xml, privacy_list.items))
    return f"<list name='{escape_attribute(privacy_list.name)}'>{items}</list>"


def _item_xml(item: PrivacyItem) -> str:
    about = ""
    if item.type is not ItemType.ANYBODY:
        about = f" type='{item.type.value}' value='{escape_attribute(item.value)}'"
    action = "allow" if item.is_allowed else "deny"
    start = f"<item{about} action='{action}' order='{item.order}'"
    kinds = "".join(f"<{kind.value}/>" for kind in Kind if kind in item.kinds)
    return f"{start}>{kinds}</item>" if kinds else f"{start}/>"


# -- the block list


def read_blocked(element: Element) -> list[str]:
    """The addresses of a `<block/>` or `<unblock/>`, each once; what else an item has is not for this.

    Raises:
        StanzaError: It has something else in it, or what is no address.
    """
    if any(child.tag != _BLOCKED_ITEM for child in element):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "that holds items with addresses, and nothing else")
    return list(dict.fromkeys(_address(child.get("jid")) for child in element))


def blocked_xml(name: str, addresses: Iterable[str]) -> bytes:
    """A block list, or a change of it: `<blocklist/>`, `<block/>` or `<unblock/>` with these addresses."""
    items = "".join(f"<item jid='{escape_attribute(each)}'/>" for each in addresses)
    start = f"<{name} xmlns='{BLOCKING}'"
    return (f"{start}>{items}</{name}>" if items else f"{start}/>").encode()
