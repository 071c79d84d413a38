"""Elements of clients' own making that an account keeps, as the modules for them name and bound them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.settings import count, setting
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protocols.xml_element import Element

NAME_MAX: Final = 1024
"""Characters of namespace and name together, which are the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOptions:
    """How much an account may keep."""

    bytes_max: int = setting(65_536, "Bytes that an account may keep in all.", least=1, most=1_048_576)
    elements_max: int = count(100, "Elements that an account may keep.", most=10_000)


def check_name(
    element: Element, reserved: tuple[str, ...], condition: StanzaCondition, text: str | None = None
) -> None:
    """Whether a client may keep an element of this name.

    Args:
        element: The element.
        reserved: Beginnings of namespaces that are not the client's own.
        condition: With which one in those, or in none at all, is refused.
        text: What is said besides.

    Raises:
        StanzaError: it may not.
    """
    namespace = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    if not namespace or namespace.startswith(reserved):
        raise StanzaError(condition, text)
    if len(element.tag) > NAME_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "that name is too long")


def check_room(options: KeptOptions, kept: Mapping[str, bytes]) -> None:
    """Whether an account may keep all this.

    Raises:
        StanzaError: it is too much.
    """
    if len(kept) > options.elements_max or sum(map(len, kept.values())) > options.bytes_max:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "your storage is full")
