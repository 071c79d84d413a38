"""What there is to be discovered, and what it says of itself: the one answer behind every protocol that asks.

Service discovery tells it (XEP-0030), and its forerunners browse (XEP-0011) and agents (XEP-0094).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from actors.account_items import AccountItems
from actors.module import DomainIq, Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import AccountContext, Context
    from protocols.jid import JID

PUBLISHED: Final = "disco-items"
"""The kind of what accounts keep for others to discover (XEP-0030 as it was up to version 2.0)."""


@final
class Entity(NamedTuple):
    """Something with an address.

    Attributes:
        jid: Its address.
        identities: What it is.
        features: What it can do, sorted, each once.
        name: What people call it, if anything.
        node: Which part of what has the address it is, if not all of it.
    """

    jid: str
    identities: tuple[Identity, ...] = ()
    features: tuple[str, ...] = ()
    name: str = ""
    node: str = ""


def host_entity(context: Context) -> Entity:
    """What is asked: the server itself, or one of its services."""
    asked = context.host.full
    return next((each for each in services(context) if each.jid == asked), None) or domain_entity(context)


def domain_entity(context: Context) -> Entity:
    """The server itself."""
    identities = tuple(each for module in context.modules for each in module.identities)
    features = {each for module in context.modules for each in module.features}
    return Entity(context.domain.full, identities, tuple(sorted(features)), _name(identities))


def host_items(context: Context) -> Sequence[Entity]:
    """What there is below what is asked: the services, below the server itself."""
    return services(context) if context.host == context.domain else ()


def services(context: Context) -> Sequence[Entity]:
    """What the server hosts beside its accounts; each can do what the server does for all of them as well."""
    shared = {
        iq.payload.namespace
        for module in context.modules
        for iq in module.iqs
        if isinstance(iq, DomainIq) and iq.to_services
    }
    return [
        Entity(
            address.full,
            each.identities,
            tuple(sorted(shared.union(each.features))),
            _name(each.identities),
        )
        for module in context.modules
        for each in module.services
        if (address := each.address(context.domain)) is not None
    ]


def account_entity(context: AccountContext) -> Entity:
    """An account."""
    identities = tuple(each for module in context.modules for each in module.account_identities)
    if context.is_guest:
        identities = (Identity("account", "anonymous"),)  # XEP-0175 §5
    features = {each for module in context.modules for each in module.account_features}
    return Entity(context.jid.bare, identities, tuple(sorted(features)))


def _name(identities: Sequence[Identity]) -> str:
    return next((each.name for each in identities if each.name), "")


async def account_items(context: AccountContext) -> Sequence[Entity]:
    """The available resources of an account, and what it has published; for modules that use `AccountItems`.

    Raises:
        StoreUnavailable: the database is away.
    """
    kept = await context.use(AccountItems).read(PUBLISHED)
    return [*_resources(context), *(_published(key, name) for key, name in kept.items())]


def _resources(context: AccountContext) -> Sequence[Entity]:
    """The available resources of an account; what they are, they tell by themselves."""
    return [Entity(f"{context.jid.bare}/{resource}") for resource in context.priorities]


def published_key(jid: JID, node: str) -> str:
    """Under which key an account keeps what it publishes of this address and node; its data is the name."""
    return f"{jid.full}\n{node}"  # no address has a line end in it


def _published(key: str, name: bytes) -> Entity:
    jid, _, node = key.partition("\n")
    return Entity(jid, name=name.decode(), node=node)
