"""Messages for accounts with nobody there (XEP-0160): kept in the log, delivered with their delay (XEP-0203).

They are delivered to the first resource of non-negative priority, before anybody can route to it, and only
then taken off the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.module import AccountContext, Module, Xep
from actors.presence_effects import KeepMessage, NotePending, PresenceEffect, SendToSession, Settle
from actors.world import timestamp
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.namespaces import OFFLINE, XML
from protocols.stanza import Stanza, StanzaKind, with_delay
from store.writes import SettleRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from store.log import LogRecord
    from supervision.ref import Ref

_HINTS: Final = "urn:xmpp:hints"
_NO_STORE: Final = f"{{{_HINTS}}}no-store"
_PASSING: Final = frozenset({"http://jabber.org/protocol/chatstates", _HINTS})
_LANG: Final = f"{{{XML}}}lang"


async def keep(context: AccountContext, stanza: Stanza) -> Sequence[PresenceEffect] | None:
    """Keep a message that no session can take, if it is of a kind to be kept."""
    if not is_worth_keeping(stanza):
        return ()
    count = context.pending_count
    if count is None:
        count = len(await context.pending(context.limits.offline_messages_max))
    if count >= context.limits.offline_messages_max:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "the recipient's offline queue is full")
    return (NotePending(count), KeepMessage(stanza))


async def hand_over(context: AccountContext, session: Ref[Any]) -> Sequence[PresenceEffect]:
    """Deliver what waits to a resource that can take it, oldest first."""
    if context.pending_count == 0:
        return ()
    records = await context.pending(context.limits.offline_messages_max)
    delivered = [SendToSession(session, _delayed(context, record)) for record in records]
    settled = [Settle(write) for write in _settlements(context, records)]
    return (*delivered, *settled, NotePending(0))


def is_worth_keeping(stanza: Stanza) -> bool:
    """Whether there is more in it than the state of a chat that is over by then (XEP-0160, XEP-0334)."""
    children = [child.tag.partition("}")[0][1:] for child in stanza.element]
    if _HINTS in children and stanza.element.find(_NO_STORE) is not None:
        return False
    return any(namespace not in _PASSING for namespace in children)


def _settlements(context: AccountContext, records: Sequence[LogRecord]) -> list[SettleRecords]:
    if not records:
        return []
    return [SettleRecords(context.user.bare_jid, tuple(record.seq for record in records), keep=False)]


def _delayed(context: AccountContext, record: LogRecord) -> Stanza:
    """The message as it was accepted, and since when it waits."""
    kept = Stanza(StanzaKind.MESSAGE, context.jid, parse_jid(record.peer), "", None, None, record.data)
    element = kept.element
    to = element.get("to")
    stanza = Stanza(
        StanzaKind.MESSAGE,
        context.jid if to is None else parse_jid(to),
        kept.sender,
        element.get("type") or "",
        element.get("id"),
        element.get(_LANG),
        record.data,
    )
    return with_delay(stanza, context.domain.full, timestamp(record.at_ms))


MODULE: Final = Module(
    name="offline",
    summary="Keeps messages for accounts with nobody there, and delivers them when somebody comes.",
    xeps=(Xep("0160", "1.0.1"), Xep("0203", "2.0")),
    features=(OFFLINE,),
    undelivered=keep,
    available=hand_over,
)
