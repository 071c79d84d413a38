"""Private XML storage (XEP-0049): clients keep elements of their own making with their accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.module import GET_SET, AccountContext, AccountIq, Asker, Module, Request, Xep
from actors.presence_effects import AccountEffect, Answer, KeepItem
from actors.settings import count, setting
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import PRIVATE
from protocols.stanza import PayloadName
from protocols.xml_element import element_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protocols.xml_element import Element

KIND: Final = "private"
_NAME_MAX: Final = 1024  # characters of namespace and name together, which are the key
_RESERVED: Final = ("jabber:", "http://etherx.jabber.org/", "vcard-temp")
"""Namespaces that mean something to servers (§2.3); clients may not hide their own things in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateOptions:
    """How much an account may keep."""

    bytes_max: int = setting(65_536, "Bytes that an account may keep in all.", least=1, most=1_048_576)
    elements_max: int = count(100, "Elements that an account may keep.", most=10_000)


async def manage_private(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Give an element back, or keep some (§2)."""
    elements = list(request.payload)
    if not elements:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "name the element to be kept or fetched")
    for element in elements:
        _check_name(element)
    kept = await context.use(AccountItems).read(KIND)
    if request.is_set:
        return _keep(context.options(PrivateOptions), kept, elements)
    if len(elements) > 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "one element at a time is fetched")
    found = kept.get(elements[0].tag)
    data = element_bytes(elements[0], PRIVATE) if found is None else found
    return (Answer(b"".join((b"<query xmlns='", PRIVATE.encode(), b"'>", data, b"</query>"))),)


def _check_name(element: Element) -> None:
    namespace = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    if not namespace or namespace.startswith(_RESERVED):
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "choose a namespace of your own")
    if len(element.tag) > _NAME_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "that name is too long")


def _keep(
    options: PrivateOptions, kept: Mapping[str, bytes], elements: Sequence[Element]
) -> Sequence[AccountEffect]:
    new = {element.tag: element_bytes(element, PRIVATE) for element in elements}
    will_be = {**kept, **new}
    if len(will_be) > options.elements_max or sum(map(len, will_be.values())) > options.bytes_max:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "your private storage is full")
    return (*(KeepItem(KIND, key, data) for key, data in new.items()), Answer())


MODULE: Final = Module(
    name="private",
    summary="Lets clients keep elements of their own making with their accounts.",
    xeps=(Xep("0049", "1.2"),),
    features=(PRIVATE,),
    iqs=(AccountIq(PayloadName(PRIVATE, "query"), GET_SET, Asker.OWNER, manage_private),),
    options=PrivateOptions,
    uses=(AccountItems,),
)
