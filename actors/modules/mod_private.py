"""Private XML storage (XEP-0049): clients keep elements of their own making with their accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.kept_elements import KeptOptions, check_name, check_room
from actors.module import GET_SET, AccountContext, AccountIq, Asker, Module, Request, Xep
from actors.presence_effects import AccountEffect, Answer, KeepItem
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import PRIVATE
from protocols.stanza import PayloadName
from protocols.xml_element import element_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protocols.xml_element import Element

KIND: Final = "private"
_RESERVED: Final = ("jabber:", "http://etherx.jabber.org/", "vcard-temp")
"""Namespaces that mean something to servers (§2.3); clients may not hide their own things in them."""


async def manage_private(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Give an element back, or keep some (§2)."""
    elements = list(request.payload)
    if not elements:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "name the element to be kept or fetched")
    for element in elements:
        check_name(element, _RESERVED, StanzaCondition.NOT_ACCEPTABLE, "choose a namespace of your own")
    kept = await context.use(AccountItems).read(KIND)
    if request.is_set:
        return _keep(context.options(KeptOptions), kept, elements)
    if len(elements) > 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "one element at a time is fetched")
    found = kept.get(elements[0].tag)
    data = element_bytes(elements[0], PRIVATE) if found is None else found
    return (Answer(b"".join((b"<query xmlns='", PRIVATE.encode(), b"'>", data, b"</query>"))),)


def _keep(
    options: KeptOptions, kept: Mapping[str, bytes], elements: Sequence[Element]
) -> Sequence[AccountEffect]:
    new = {element.tag: element_bytes(element, PRIVATE) for element in elements}
    check_room(options, {**kept, **new})
    return (*(KeepItem(KIND, key, data) for key, data in new.items()), Answer())


MODULE: Final = Module(
    name="private",
    summary="Lets clients keep elements of their own making with their accounts.",
    xeps=(Xep("0049", "1.2"),),
    features=(PRIVATE,),
    iqs=(AccountIq(PayloadName(PRIVATE, "query"), GET_SET, Asker.OWNER, manage_private),),
    options=KeptOptions,
    uses=(AccountItems,),
)
