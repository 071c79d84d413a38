"""Jabber Browsing (XEP-0011), the forerunner of service discovery: what disco tells, told as a tree.

Accounts tell only those who may see their presence. What is asked of a full address goes to that client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.discovery import account_entity, account_items, host_entity, host_items
from actors.module import GET_SET, AccountContext, AccountIq, Asker, Context, DomainIq, Identity, Module, Xep
from actors.presence_effects import Answer
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import BROWSE
from protocols.stanza import PayloadName
from protocols.xml_text import escape_attribute, escape_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.discovery import Entity
    from actors.module import Request

_BROWSE: Final = PayloadName(BROWSE, "query")
_OLD_TYPES: Final = {
    ("server", "im"): ("service", "jabber"),
    ("directory", "user"): ("service", "jud"),
    ("conference", "text"): ("conference", "public"),
}
"""What disco's identities were called here, where that is another name (§2)."""
_OLD_CATEGORIES: Final = {"gateway": "service", "client": "user", "headline": "headline"}
"""The same of whole categories; any other is not one of the official list, which an `x-` says."""
_CLIENT: Final = Identity("client", "client")
_ACCOUNT: Final = " category='user'"


async def browse_host(context: Context, request: Request) -> Sequence[Answer]:
    """The server, its namespaces, and what it hosts (§4); or a service and its namespaces."""
    _refuse_set(request)
    host = host_entity(context)
    return (_tree(host, _seen(host), host_items(context)),)


async def browse_account(context: AccountContext, request: Request) -> Sequence[Answer]:
    """An account, its namespaces, its available resources, and what it has published (§3.3)."""
    _refuse_set(request)
    name = f" name='{escape_attribute(context.jid.localpart or '')}'"
    items = await account_items(context)
    return (_tree(account_entity(context), _ACCOUNT + name, [_as_client(context, each) for each in items]),)


def _as_client(context: AccountContext, entity: Entity) -> Entity:
    """A resource of the account is somebody's client; what else was published may be anything."""
    own = f"{context.jid.bare}/"
    return entity._replace(identities=(_CLIENT,)) if entity.jid.startswith(own) else entity


def _refuse_set(request: Request) -> None:
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)


def _tree(entity: Entity, seen: str, children: Sequence[Entity]) -> Answer:
    start = f"<query xmlns='{BROWSE}' jid='{escape_attribute(entity.jid)}'{seen}>"
    below = "".join(
        f"<item jid='{escape_attribute(child.jid)}'{_seen(child)}>{_namespaces(child)}</item>"
        for child in children
    )
    return Answer(f"{start}{_namespaces(entity)}{below}</query>".encode())


def _namespaces(entity: Entity) -> str:
    return "".join(f"<ns>{escape_text(feature)}</ns>" for feature in entity.features)


def _seen(entity: Entity) -> str:
    """The attributes that say what something is: one category and type, that of its first identity."""
    name = f" name='{escape_attribute(entity.name)}'" if entity.name else ""
    if not entity.identities:
        return name
    first = entity.identities[0]
    category, type_ = _OLD_TYPES.get(first[:2]) or (
        _OLD_CATEGORIES.get(first.category, f"x-{first.category}"),
        first.type,
    )
    return f" category='{escape_attribute(category)}' type='{escape_attribute(type_)}'{name}"


MODULE: Final = Module(
    name="browse",
    summary="Lets clients older than service discovery browse the server and its accounts.",
    xeps=(Xep("0011", "1.3.1"),),
    features=(BROWSE,),
    account_features=(BROWSE,),
    iqs=(
        DomainIq(_BROWSE, GET_SET, browse_host, to_services=True),
        AccountIq(_BROWSE, GET_SET, Asker.SUBSCRIBERS, browse_account),
    ),
    uses=(AccountItems,),
)
