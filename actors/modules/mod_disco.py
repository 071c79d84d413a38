"""Service discovery (XEP-0030): what the server and its accounts are, can do, and have.

All of it is what the modules that run declare. Accounts tell only those who may see their presence: for
others it is as if there were no such account, so that nobody can find out who has one (§8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.discovery import account_entity, domain_entity, resources, services
from actors.module import GET, AccountContext, AccountIq, Asker, Context, DomainIq, Identity, Module, Xep
from actors.presence_effects import Answer
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import DISCO_INFO, DISCO_ITEMS
from protocols.stanza import PayloadName
from protocols.xml_text import escape_attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from actors.discovery import Entity
    from actors.module import Request

_INFO: Final = PayloadName(DISCO_INFO, "query")
_ITEMS: Final = PayloadName(DISCO_ITEMS, "query")


async def tell_domain_info(context: Context, request: Request) -> Sequence[Answer]:
    """What the server is and can do (§3)."""
    _refuse_node(request)
    return (_info(domain_entity(context)),)


async def tell_account_info(context: AccountContext, request: Request) -> Sequence[Answer]:
    """What an account is and can do (§3.1)."""
    _refuse_node(request)
    return (_info(account_entity(context)),)


async def tell_domain_items(context: Context, request: Request) -> Sequence[Answer]:
    """The services of this server (§4)."""
    _refuse_node(request)
    return (_items(services(context)),)


async def tell_account_items(context: AccountContext, request: Request) -> Sequence[Answer]:
    """The available resources of an account (§4.1)."""
    _refuse_node(request)
    return (_items(resources(context)),)


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
    name = next((each.name for each in entity.identities if each.name), "")
    named = f" name='{escape_attribute(name)}'" if name else ""
    return f"<item jid='{escape_attribute(entity.jid)}'{named}/>"


MODULE: Final = Module(
    name="disco",
    summary="Tells what the server and its accounts can do, from what the modules that run declare.",
    xeps=(Xep("0030", "2.5.0"),),
    features=(DISCO_INFO, DISCO_ITEMS),
    account_features=(DISCO_INFO, DISCO_ITEMS),
    identities=(Identity("server", "im", "Trouper"),),
    account_identities=(Identity("account", "registered"),),
    iqs=(
        DomainIq(_INFO, GET, tell_domain_info),
        DomainIq(_ITEMS, GET, tell_domain_items),
        AccountIq(_INFO, GET, Asker.SUBSCRIBERS, tell_account_info),
        AccountIq(_ITEMS, GET, Asker.SUBSCRIBERS, tell_account_items),
    ),
)
