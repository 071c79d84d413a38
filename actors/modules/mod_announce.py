"""Announcements by those who run the server: to whoever is there, or of the day, to everybody once.

They are messages to the server at `announce/online`, `announce/motd` and `announce/motd/delete`, as the
servers of before ad-hoc commands took them (XEP-0133 §4.23 to §4.26 has commands for the same).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.domain_items import DomainItems
from actors.module import Module, OnAvailable, OnServerMessage, Xep
from actors.presence_effects import ForgetItem, HaveAllLook, KeepItem, Send, SendToAvailable
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.stanza import readdressed
from protocols.stored_stanza import read_stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import AccountContext, Context
    from actors.presence_effects import AccountEffect, ServerEffect
    from protocols.stanza import Stanza

MOTD: Final = "motd"
"""The kind of what the domain keeps, the message, and of what accounts keep, when they were told which."""

_PLACE: Final = "announce"


def announce(context: Context, stanza: Stanza) -> Sequence[ServerEffect] | None:
    """What somebody has to say to everybody, if he may."""
    place = "" if stanza.to is None else stanza.to.resourcepart or ""
    if context.host != context.domain or place.partition("/")[0] != _PLACE or stanza.type == "error":
        return None
    if stanza.sender is None or stanza.sender.bare not in context.admins:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "only those who run the server may announce anything")
    if place == "announce/motd/delete":
        return (ForgetItem(MOTD, ""),)
    if not len(stanza.element):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "there is nothing in it")
    match place:
        case "announce/online":
            return (SendToAvailable(stanza),)
        case "announce/motd":
            return (KeepItem(MOTD, "", _written(context.new_token(), stanza.data)), HaveAllLook())
        case _:
            raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "announce/online or announce/motd")


async def tell(context: AccountContext, resource: str) -> Sequence[AccountEffect]:
    """The message of the day, to an account that has not been told it yet."""
    message = (await context.use(DomainItems).read(MOTD)).get("")
    if message is None:
        return ()
    name, data = _read(message)
    told = (await context.use(AccountItems).read(MOTD)).get("")
    if told is not None and _read(told)[0] == name:
        return ()
    to = context.jid.with_resource(resource)
    at = str(context.now_ms()).encode()
    return (
        KeepItem(MOTD, "", _written(name, at)),
        Send(readdressed(read_stored(data), context.domain, to)),
    )


def _written(name: str, data: bytes) -> bytes:
    return b"%b %b" % (name.encode(), data)


def _read(item: bytes) -> tuple[str, bytes]:
    """Which message, and itself, or when it was told."""
    name, _, data = item.partition(b" ")
    return name.decode(), data


MODULE: Final = Module(
    name="announce",
    summary="Lets those who run the server tell something to everybody.",
    xeps=(Xep("0133", "1.3.1", "announcements and the message of the day, by messages", is_partial=True),),
    hooks=(OnServerMessage(announce), OnAvailable(tell, priority=10)),
    uses=(AccountItems, DomainItems),
)
