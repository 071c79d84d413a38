"""XMPP Ping (XEP-0199): the server and every account say that they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import GET, AccountContext, AccountIq, DomainContext, DomainIq, Module, Request, Scope, Xep
from actors.presence_effects import Answer
from protocols.namespaces import PING
from protocols.stanza import PayloadName

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAYLOAD: Final = PayloadName(PING, "ping")


async def ping_domain(_context: DomainContext, _request: Request) -> bytes:
    """An empty result (XEP-0199 §4.2)."""
    return b""


async def ping_account(_context: AccountContext, _request: Request) -> Sequence[Answer]:
    """The same for an account (§4.2, with the account as the responding entity)."""
    return (Answer(),)


MODULE: Final = Module(
    name="ping",
    summary="Answers pings, so that clients and servers can tell whether a connection lives.",
    xeps=(Xep("0199", "2.0.1"),),
    features=(PING,),
    account_features=(PING,),
    domain_iqs=(DomainIq(_PAYLOAD, GET, ping_domain),),
    account_iqs=(AccountIq(_PAYLOAD, GET, Scope.OWNER, ping_account),),
)
