"""Service discovery (XEP-0030): what the server and its accounts are, can do, and have.

All of it is what the modules that run declare, and what accounts have published of themselves. Accounts tell
only those who may see their presence: for others it is as if there were no such account, so that nobody can
find out who has one (§8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.discovery import PUBLISHED, account_entity, account_items, host_entity, host_items, published_key
from actors.module import GET, SET, AccountContext, AccountIq, Asker, Context, DomainIq, Identity, Module, Xep
from actors.presence_effects import Answer, ForgetItem, KeepItem
from actors.settings import count
from protocols.conditions import StanzaCondition
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import DISCO_INFO, DISCO_ITEMS, DISCO_PUBLISH
from protocols.stanza import PayloadName
from protocols.xml_text import escape_attribute
from store.writes import ITEM_KEY_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from actors.discovery import Entity
    from actors.module import Request
    from actors.presence_effects import AccountEffect
    from protocols.xml_element import Element

_INFO: Final = PayloadName(DISCO_INFO, "query")
_ITEMS: Final = PayloadName(DISCO_ITEMS, "query")
_ITEM: Final = f"{{{DISCO_ITEMS}}}item"

NAME_CHARACTERS_MAX: Final = 1_023
"""Of what is published; longer than any screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoOptions:
    """How much accounts may publish."""

    published_max: int = count(50, "Items that an account may publish.", most=1_000)


async def tell_host_info(context: Context, request: Request) -> Sequence[Answer]:
    """What the server or a service is and can do (§3)."""
    _refuse_node(request)
    return (_info(host_entity(context)),)


async def tell_account_info(context: AccountContext, request: Request) -> Sequence[Answer]:
    """What an account is and can do (§3.1)."""
    _refuse_node(request)
    return (_info(account_entity(context)),)


async def tell_host_items(context: Context, request: Request) -> Sequence[Answer]:
    """The services of this server (§4); a service has nothing below it unless it says so itself."""
    _refuse_node(request)
    return (_items(host_items(context)),)


async def tell_account_items(context: AccountContext, request: Request) -> Sequence[Answer]:
    """The available resources of an account (§4.1), and what it has published."""
    _refuse_node(request)
    return (_items(await account_items(context)),)


async def publish_items(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Items that the account tells of from now on, or no longer; it need not be there for that.

    This was in XEP-0030 up to version 2.0; what came after it is personal eventing.
    """
    _refuse_node(request)
    changes = dict(_change(element) for element in request.payload)
    if not changes:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "name what is to be published")
    kept = await context.use(AccountItems).read(PUBLISHED)
    will_be = {*kept, *(key for key, name in changes.items() if name is not None)}
    will_be -= {key for key, name in changes.items() if name is None}
    if len(will_be) > max(len(kept), context.options(DiscoOptions).published_max):
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "you have published too much")
    return (*(_effect(key, name) for key, name in changes.items()), Answer())


def _change(element: Element) -> tuple[str, str | None]:
    """The key of what is to be published and its name; None if it is to be taken back."""
    action, address = element.get("action"), element.get("jid")
    if element.tag != _ITEM or action not in {"update", "remove"} or address is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "an item has an action and a jid")
    try:
        jid = parse_jid(address)
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.JID_MALFORMED) from error
    name, key = element.get("name") or "", published_key(jid, element.get("node") or "")
    if len(name) > NAME_CHARACTERS_MAX or len(key) > ITEM_KEY_CHARACTERS_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "that name, or address with node, is too long")
    return key, name if action == "update" else None


def _effect(key: str, name: str | None) -> AccountEffect:
    return ForgetItem(PUBLISHED, key) if name is None else KeepItem(PUBLISHED, key, name.encode())


def _refuse_node(request: Request) -> None:
    """Nothing here has nodes (§7)."""
    if request.payload.get("node") is not None:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)


def _info(entity: Entity) -> Answer:
    shown = [
        *(_identity(identity) for identity in entity.identities),
        *(f"<feature var='{escape_attribute(feature)}'/>" for feature in entity.features),
    ]
    return Answer(f"<query xmlns='{DISCO_INFO}'>{''.join(shown)}</query>".encode())


def _identity(identity: Identity) -> str:
    name = f" name='{escape_attribute(identity.name)}'" if identity.name else ""
    return f"<identity category='{identity.category}' type='{identity.type}'{name}/>"


def _items(entities: Iterable[Entity]) -> Answer:
    items = "".join(map(_item, entities))
    return Answer(f"<query xmlns='{DISCO_ITEMS}'>{items}</query>".encode())


def _item(entity: Entity) -> str:
    shown = {"jid": entity.jid, "node": entity.node, "name": entity.name}
    attributes = "".join(f" {key}='{escape_attribute(text)}'" for key, text in shown.items() if text)
    return f"<item{attributes}/>"


MODULE: Final = Module(
    name="disco",
    summary="Tells what the server and its accounts can do, from what the modules that run declare.",
    xeps=(Xep("0030", "2.5.0"),),
    features=(DISCO_INFO, DISCO_ITEMS),
    account_features=(DISCO_INFO, DISCO_ITEMS, DISCO_PUBLISH),
    identities=(Identity("server", "im", "Trouper"),),
    account_identities=(Identity("account", "registered"),),
    iqs=(
        DomainIq(_INFO, GET, tell_host_info, to_services=True),
        DomainIq(_ITEMS, GET, tell_host_items, to_services=True),
        AccountIq(_INFO, GET, Asker.SUBSCRIBERS, tell_account_info),
        AccountIq(_ITEMS, GET, Asker.SUBSCRIBERS, tell_account_items),
        AccountIq(_ITEMS, SET, Asker.OWNER, publish_items),
    ),
    options=DiscoOptions,
    uses=(AccountItems,),
)
