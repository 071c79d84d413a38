"""Public XML storage as Jabber 1.4 had it: users keep things in namespaces of their own, contacts read them.

It was never a standard. A client sets any element in a namespace that means nothing to servers; whoever may
see its user's presence gets it from the account, also while the user is away. Persistent data by personal
eventing followed it (XEP-0222).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.module import GET, SET, AccountContext, AccountIq, Asker, Module, Request
from actors.presence_effects import AccountEffect, Answer, KeepItem
from actors.settings import count, setting
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.xml_element import element_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protocols.xml_element import Element

KIND: Final = "public"
_NAME_MAX: Final = 1024  # characters of namespace and name together, which are the key
_RESERVED: Final = (
    "jabber:",
    "http://jabber.org/",
    "http://etherx.jabber.org/",
    "urn:ietf:",
    "urn:xmpp:",
    "vcard-temp",
)
"""Namespaces of standards, known here or not: a request in one is no thing to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicStorageOptions:
    """How much an account may keep for others."""

    bytes_max: int = setting(65_536, "Bytes that an account may keep in all.", least=1, most=1_048_576)
    elements_max: int = count(100, "Elements that an account may keep.", most=10_000)


async def fetch(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Give what is kept under the payload's name; as if nobody knew the name where nothing is."""
    _check_name(request.payload)
    found = (await context.use(AccountItems).read(KIND)).get(request.payload.tag)
    if found is None:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    return (Answer(found),)


async def keep(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Keep the payload in place of an earlier one of its name."""
    _check_name(request.payload)
    data = element_bytes(request.payload)
    kept = await context.use(AccountItems).read(KIND)
    _check_size(context.options(PublicStorageOptions), {**kept, request.payload.tag: data})
    return (KeepItem(KIND, request.payload.tag, data), Answer())


def _check_name(element: Element) -> None:
    namespace = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    if not namespace or namespace.startswith(_RESERVED):
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    if len(element.tag) > _NAME_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "that name is too long")


def _check_size(options: PublicStorageOptions, kept: Mapping[str, bytes]) -> None:
    if len(kept) > options.elements_max or sum(map(len, kept.values())) > options.bytes_max:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "your public storage is full")


MODULE: Final = Module(
    name="public_storage",
    summary="Lets clients of the Jabber 1.4 days keep elements that their contacts may read.",
    iqs=(
        AccountIq(None, GET, Asker.SUBSCRIBERS, fetch),
        AccountIq(None, SET, Asker.OWNER, keep),
    ),
    options=PublicStorageOptions,
    uses=(AccountItems,),
    on_by_default=False,
)
