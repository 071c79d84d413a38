"""Public XML storage as Jabber 1.4 had it: users keep things in namespaces of their own, contacts read them.

It was never a standard. A client sets any element in a namespace that means nothing to servers; whoever may
see its user's presence gets it from the account, also while the user is away. Persistent data by personal
eventing followed it (XEP-0222).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.kept_elements import KeptOptions, check_name, check_room
from actors.module import GET, SET, AccountContext, AccountIq, Asker, Module, Request
from actors.presence_effects import AccountEffect, Answer, KeepItem
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.xml_element import element_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

KIND: Final = "public"
_RESERVED: Final = (
    "jabber:",
    "http://jabber.org/",
    "http://etherx.jabber.org/",
    "urn:ietf:",
    "urn:xmpp:",
    "vcard-temp",
)
"""Namespaces of standards, known here or not: a request in one is no thing to be kept."""


async def fetch(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Give what is kept under the payload's name; as if nobody knew the name where nothing is."""
    check_name(request.payload, _RESERVED, StanzaCondition.SERVICE_UNAVAILABLE)
    found = (await context.use(AccountItems).read(KIND)).get(request.payload.tag)
    if found is None:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    return (Answer(found),)


async def keep(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Keep the payload in place of an earlier one of its name."""
    check_name(request.payload, _RESERVED, StanzaCondition.SERVICE_UNAVAILABLE)
    data = element_bytes(request.payload)
    kept = await context.use(AccountItems).read(KIND)
    check_room(context.options(KeptOptions), {**kept, request.payload.tag: data})
    return (KeepItem(KIND, request.payload.tag, data), Answer())


MODULE: Final = Module(
    name="public_storage",
    summary="Lets clients of the Jabber 1.4 days keep elements that their contacts may read.",
    iqs=(
        AccountIq(None, GET, Asker.SUBSCRIBERS, fetch),
        AccountIq(None, SET, Asker.OWNER, keep),
    ),
    options=KeptOptions,
    uses=(AccountItems,),
    on_by_default=False,
)
