"""Agent information (XEP-0094): what disco tells, for the first clients.

Service discovery took its place. `jabber:iq:agent`, older still, asks one service for what it is itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.discovery import host_entity, services
from actors.module import GET_SET, DomainIq, Module, Xep
from actors.presence_effects import Answer
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import AGENT, AGENTS, REGISTER, SEARCH
from protocols.stanza import PayloadName
from protocols.xml_text import escape_attribute, escape_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.discovery import Entity
    from actors.module import Context, Identity, Request

_KINDS: Final = {"server": "jabber", "directory": "jud", "conference": "public"}
"""What `<service/>` says of a category; of a gateway it says to where that leads, which is its type (§2)."""
_FLAGS: Final = {REGISTER: "<register/>", SEARCH: "<search/>"}
_KIND_FLAGS: Final = {"gateway": "<transport/>", "conference": "<groupchat/>"}


async def tell_agents(context: Context, request: Request) -> Sequence[Answer]:
    """What the server hosts (§3)."""
    _refuse_set(request)
    agents = "".join(
        f"<agent jid='{escape_attribute(each.jid)}'>{_described(each)}</agent>" for each in services(context)
    )
    return (Answer(f"<query xmlns='{AGENTS}'>{agents}</query>".encode()),)


async def tell_agent(context: Context, request: Request) -> Sequence[Answer]:
    """What the server itself is, or a service."""
    _refuse_set(request)
    return (Answer(f"<query xmlns='{AGENT}'>{_described(host_entity(context))}</query>".encode()),)


def _refuse_set(request: Request) -> None:
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)


def _described(entity: Entity) -> str:
    """Name, kind and flags, in the schema's order (§7)."""
    kinds = [each for each in entity.identities if each.category in _KINDS or each.category in _KIND_FLAGS]
    return "".join(
        [
            f"<name>{escape_text(entity.name)}</name>" if entity.name else "",
            *(_KIND_FLAGS.get(each.category, "") for each in kinds[:1]),
            *(f"<service>{escape_text(_kind(each))}</service>" for each in kinds[:1]),
            *(flag for feature, flag in _FLAGS.items() if feature in entity.features),
        ]
    )


def _kind(identity: Identity) -> str:
    return _KINDS.get(identity.category, identity.type)


MODULE: Final = Module(
    name="agents",
    summary="Tells clients older than browse and service discovery what the server hosts.",
    xeps=(Xep("0094", "0.3"),),
    features=(AGENT, AGENTS),
    iqs=(
        DomainIq(PayloadName(AGENTS, "query"), GET_SET, tell_agents),
        DomainIq(PayloadName(AGENT, "query"), GET_SET, tell_agent, to_services=True),
    ),
)
