"""XMPP Ping (XEP-0199): the server and every account say that they are there."""

from collections.abc import Sequence
from typing import Final

from actors.module import GET, AccountIq, Asker, Context, DomainIq, Module, Request, Xep
from actors.presence_effects import Answer
from protocols.namespaces import PING
from protocols.stanza import PayloadName

_PING: Final = PayloadName(PING, "ping")


async def pong(_context: Context, _request: Request) -> Sequence[Answer]:
    """An empty result (§4.2)."""
    return (Answer(),)


MODULE: Final = Module(
    name="ping",
    summary="Answers pings, so that clients and servers can tell whether a connection lives.",
    xeps=(Xep("0199", "2.0.1"),),
    features=(PING,),
    account_features=(PING,),
    iqs=(DomainIq(_PING, GET, pong, to_services=True), AccountIq(_PING, GET, Asker.SUBSCRIBERS, pong)),
)
