"""What clients say about their privacy lists and block lists, and a house in which three know each other."""

from __future__ import annotations

from typing import Any

from tests.actors.house import House
from tests.actors.managed_house import JULIET, ROMEO

PARIS = "paris@localhost"
HALL = f"{PARIS}/hall"


def verona(**fields: Any) -> House:
    """Juliet and Romeo see each other's presence, Paris is a stranger."""
    house = House((ROMEO, JULIET, PARIS), **fields)
    house.befriend(ROMEO, JULIET)
    return house


def lists(content: str, type: str = "set") -> str:
    """A request about privacy lists."""
    return f"<iq type='{type}' id='l'><query xmlns='jabber:iq:privacy'>{content}</query></iq>"


def new_list(name: str, *items: str) -> str:
    """A request that makes a list of these items, each as its attributes and what is in it."""
    made = "".join(
        f"<item {attributes} order='{order}'>{content}</item>"
        for order, (attributes, _, content) in enumerate((item.partition("|") for item in items), 1)
    )
    return lists(f"<list name='{name}'>{made}</list>")


def deny(value: str, *kinds: str, type: str = "jid") -> str:
    """An item that denies what comes from somebody."""
    return f"type='{type}' value='{value}' action='deny'|" + "".join(f"<{kind}/>" for kind in kinds)


def choose(what: str, name: str | None = None) -> str:
    """A request that makes a list the active or the default one, or declines that."""
    said = "" if name is None else f" name='{name}'"
    return lists(f"<{what}{said}/>")


def blocking(name: str, *addresses: str, type: str = "set") -> str:
    """A request about the block list."""
    items = "".join(f"<item jid='{each}'/>" for each in addresses)
    return f"<iq type='{type}' id='b'><{name} xmlns='urn:xmpp:blocking'>{items}</{name}></iq>"


BLOCKLIST = blocking("blocklist", type="get")


def block(*addresses: str) -> str:
    """A request that blocks somebody."""
    return blocking("block", *addresses)


def unblock(*addresses: str) -> str:
    """A request that blocks somebody no longer, or nobody."""
    return blocking("unblock", *addresses)
