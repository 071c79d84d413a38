"""What there is to be discovered, and what it says of itself: the one answer behind every protocol that asks.

Service discovery tells it (XEP-0030), and its forerunners browse (XEP-0011) and agents (XEP-0094).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import AccountContext, Context, Identity


@final
class Entity(NamedTuple):
    """Something with an address.

    Attributes:
        jid: Its address.
        identities: What it is.
        features: What it can do, sorted, each once.
    """

    jid: str
    identities: tuple[Identity, ...] = ()
    features: tuple[str, ...] = ()


def domain_entity(context: Context) -> Entity:
    """The server itself."""
    identities = tuple(each for module in context.modules for each in module.identities)
    features = {each for module in context.modules for each in module.features}
    return Entity(context.domain.full, identities, tuple(sorted(features)))


def services(context: Context) -> Sequence[Entity]:
    """What the server hosts beside its accounts."""
    return [
        Entity(f"{each.label}.{context.domain.full}", each.identities, tuple(sorted(set(each.features))))
        for module in context.modules
        for each in module.services
    ]


def account_entity(context: AccountContext) -> Entity:
    """An account."""
    identities = tuple(each for module in context.modules for each in module.account_identities)
    features = {each for module in context.modules for each in module.account_features}
    return Entity(context.jid.bare, identities, tuple(sorted(features)))


def resources(context: AccountContext) -> Sequence[Entity]:
    """The available resources of an account; what they are, they tell by themselves."""
    return [Entity(f"{context.jid.bare}/{resource}") for resource in context.priorities]
