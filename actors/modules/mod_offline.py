"""Messages for accounts with nobody there (XEP-0160): kept in the log, delivered with their delay (XEP-0203).

They are delivered to the first resource of non-negative priority, before anybody can route to it, and only
then taken off the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import AccountContext, Module, OnAvailable, OnLate, OnUndelivered, Xep
from actors.offline_queue import FETCHED, KEPT_TYPES, OfflineQueue
from actors.presence_effects import DropWaiting, HandOver, KeepMessage, NotePending
from actors.presence_state import NOTHING_PENDING, PendingSize
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import CHAT_STATES, CLIENT, DELAY, HINTS, OFFLINE
from protocols.stanza import with_delay
from protocols.timestamp import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import Context
    from actors.offline_queue import Waiting
    from actors.presence_effects import AccountEffect
    from protocols.stanza import Stanza

_STORE: Final = f"{{{HINTS}}}store"
_NO_STORE: Final = f"{{{HINTS}}}no-store"
_DELAY: Final = f"{{{DELAY}}}delay"
_THREAD: Final = f"{{{CLIENT}}}thread"


async def keep(context: AccountContext, stanza: Stanza) -> Sequence[AccountEffect] | None:
    """Keep a message that no session can take, if it is of a kind to be kept."""
    if not is_worth_keeping(stanza):
        return None
    size, limits = await _size(context.use(OfflineQueue)), context.limits
    if size.messages >= limits.offline_messages_max or size.bytes + stanza.size > limits.offline_bytes_max:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE, "the recipient's offline queue is full")
    return (NotePending(size), KeepMessage(stanza))


async def hand_over(context: AccountContext, resource: str) -> Sequence[AccountEffect]:
    """Deliver what waits to a resource that can take it, oldest first."""
    queue = context.use(OfflineQueue)
    if queue.size == NOTHING_PENDING or any(FETCHED in notes for notes in context.notes.values()):
        return ()
    waiting = await queue.read()
    if not waiting:
        return (NotePending(NOTHING_PENDING),)
    late = [queue.late(each) if is_for_anybody(each.stanza) else None for each in waiting]
    rest = tuple(each for each, shown in zip(waiting, late, strict=True) if shown is None)
    return (
        HandOver(resource, tuple(each for each in late if each is not None)),
        *((DropWaiting(rest),) if rest else ()),
    )


def is_for_anybody(stanza: Stanza) -> bool:
    """Whether what a session had in hand when it ended means anything to another resource."""
    return stanza.type in KEPT_TYPES and is_worth_keeping(stanza)


def is_worth_keeping(stanza: Stanza) -> bool:
    """Whether there is more in it than the state of a chat (XEP-0160 §3), or a hint says so (XEP-0334 §4)."""
    names = [child.tag for child in stanza.element]
    if _NO_STORE in names or _STORE in names:
        return _NO_STORE not in names
    return not all(
        name == _THREAD or name.startswith((f"{{{CHAT_STATES}}}", f"{{{HINTS}}}")) for name in names
    )


async def _size(queue: OfflineQueue) -> PendingSize:
    if queue.size is not None:
        return queue.size
    waiting = await queue.read()
    return PendingSize(len(waiting), sum(each.stanza.size for each in waiting))


def delayed(context: Context, waiting: Waiting) -> Stanza:
    """The message with since when it waits, unless this server has said so already, when it waited before."""
    stanza, by = waiting.stanza, context.domain.full
    if any(delay.get("from") == by for delay in stanza.element.findall(_DELAY)):
        return stanza
    return with_delay(stanza, by, timestamp(waiting.at_ms))


MODULE: Final = Module(
    name="offline",
    summary="Keeps messages for accounts with nobody there, and delivers them when somebody comes.",
    xeps=(
        Xep("0160", "1.0.1"),
        Xep("0203", "2.0"),
        Xep("0334", "0.4.0", "store and no-store", is_partial=True),
    ),
    features=(OFFLINE,),
    hooks=(OnUndelivered(keep), OnLate(delayed), OnAvailable(hand_over)),
    uses=(OfflineQueue,),
)
