"""Flexible retrieval of what waits (XEP-0013): a client looks at it, and takes of it what it likes.

From its first question a session is handed nothing of the queue, nor is any other of its account for as long
as it lives. What it is shown stays in the queue until it removes that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import GET, SET, AccountIq, Asker, Module, OnUndelivered, Xep
from actors.modules.mod_offline import is_for_anybody
from actors.offline_queue import FETCHED, OfflineQueue
from actors.presence_effects import Answer, DropWaiting, KeepNote, NotePending, Show
from actors.presence_state import PendingSize
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import DATA_FORMS, DISCO_INFO, DISCO_ITEMS, OFFLINE_RETRIEVAL
from protocols.splice import with_child
from protocols.stanza import PayloadName, readdressed, with_data
from protocols.xml_text import escape_attribute
from store.log import SEQ_DIGITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.module import AccountContext, Request
    from actors.offline_queue import Waiting
    from actors.presence_effects import AccountEffect
    from protocols.stanza import Stanza

_NAMESPACE: Final = OFFLINE_RETRIEVAL.encode()
_OFFLINE: Final = f"{{{OFFLINE_RETRIEVAL}}}offline"
_ITEM: Final = f"{{{OFFLINE_RETRIEVAL}}}item"
_FETCH: Final = f"{{{OFFLINE_RETRIEVAL}}}fetch"
_PURGE: Final = f"{{{OFFLINE_RETRIEVAL}}}purge"
_HOLD: Final = KeepNote(FETCHED, "")


async def tell_number(context: AccountContext, _request: Request) -> Sequence[AccountEffect]:
    """How much waits (§2.2)."""
    number = len(await _shown(context))
    form = (
        f"<x xmlns='{DATA_FORMS}' type='result'><field var='FORM_TYPE' type='hidden'>"
        f"<value>{OFFLINE_RETRIEVAL}</value></field>"
        f"<field var='number_of_messages'><value>{number}</value></field></x>"
    )
    info = (
        f"<query xmlns='{DISCO_INFO}' node='{OFFLINE_RETRIEVAL}'>"
        "<identity category='automation' type='message-list'/>"
        f"<feature var='{OFFLINE_RETRIEVAL}'/>{form}</query>"
    )
    return (_HOLD, Answer(info.encode()))


async def tell_headers(context: AccountContext, _request: Request) -> Sequence[AccountEffect]:
    """Who has sent what waits, oldest first (§2.3)."""
    items = "".join(
        f"<item jid='{escape_attribute(context.jid.bare)}' node='{node}' "
        f"name='{escape_attribute('' if each.stanza.sender is None else each.stanza.sender.full)}'/>"
        for node, each in (await _shown(context)).items()
    )
    query = f"<query xmlns='{DISCO_ITEMS}' node='{OFFLINE_RETRIEVAL}'>{items}</query>"
    return (_HOLD, Answer(query.encode()))


async def view(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Show some of it (§2.4), or all (§2.6); it stays."""
    shown = await _shown(context)
    nodes = list(shown) if _is_only(request, _FETCH) else _nodes(request, "view")
    _check_nodes(nodes, shown)
    return (_HOLD, *(Show(_copy(shown[node], node, request)) for node in nodes), Answer())


async def remove(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Take some of it off the queue (§2.5), or all (§2.7)."""
    waiting = {_node(each): each for each in await context.use(OfflineQueue).read()}
    nodes = list(waiting) if _is_only(request, _PURGE) else _nodes(request, "remove")
    _check_nodes(nodes, waiting)
    gone = tuple(waiting[node] for node in dict.fromkeys(nodes))
    left = [each for node, each in waiting.items() if node not in nodes]
    size = PendingSize(len(left), sum(each.stanza.size for each in left))
    return (DropWaiting(gone), NotePending(size), Answer())


async def drop_copy(context: AccountContext, stanza: Stanza) -> Sequence[AccountEffect] | None:
    """A copy that its client never acknowledged goes nowhere, for the message itself still waits."""
    mark = stanza.element.find(_OFFLINE) if _NAMESPACE in stanza.data else None
    item = None if mark is None else mark.find(_ITEM)
    if item is None:
        return None
    waiting = {_node(each): each.stanza for each in await context.use(OfflineQueue).read()}
    original = waiting.get(item.get("node") or "")
    is_copy = original is not None and (original.sender, original.id) == (stanza.sender, stanza.id)
    return () if is_copy else None


async def _shown(context: AccountContext) -> Mapping[str, Waiting]:
    """What waits, as a client is to see it, by node."""
    queue = context.use(OfflineQueue)
    late = [queue.late(each) for each in await queue.read() if is_for_anybody(each.stanza)]
    return {_node(each): each for each in late if each is not None}


def _node(waiting: Waiting) -> str:
    """Sorts as the messages came (§2.3)."""
    return f"{waiting.seq:0{SEQ_DIGITS}}"


def _is_only(request: Request, name: str) -> bool:
    return [each.tag for each in request.payload] == [name]


def _nodes(request: Request, action: str) -> list[str]:
    items = list(request.payload)
    if not items or any(each.tag != _ITEM or each.get("action") != action for each in items):
        raise StanzaError(StanzaCondition.BAD_REQUEST, f"name items to {action}")
    nodes = [each.get("node") or "" for each in items]
    if not all(nodes):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "an item has a node")
    return list(dict.fromkeys(nodes))


def _check_nodes(nodes: Sequence[str], known: Mapping[str, Waiting]) -> None:
    if any(node not in known for node in nodes):
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "no such message waits")


def _copy(waiting: Waiting, node: str, request: Request) -> Stanza:
    stanza, asker = waiting.stanza, request.asker
    assert stanza.sender is not None
    mark = f"<offline xmlns='{OFFLINE_RETRIEVAL}'><item node='{node}'/></offline>".encode()
    copy = readdressed(stanza, stanza.sender, asker)
    return with_data(copy, with_child(copy.data, mark))


MODULE: Final = Module(
    name="offline_retrieval",
    summary="Lets clients look at what waits for them, and take of it what they like.",
    xeps=(Xep("0013", "1.3"),),
    features=(OFFLINE_RETRIEVAL,),
    iqs=(
        AccountIq(PayloadName(DISCO_INFO, "query"), GET, Asker.OWNER, tell_number, node=OFFLINE_RETRIEVAL),
        AccountIq(PayloadName(DISCO_ITEMS, "query"), GET, Asker.OWNER, tell_headers, node=OFFLINE_RETRIEVAL),
        AccountIq(PayloadName(OFFLINE_RETRIEVAL, "offline"), GET, Asker.OWNER, view),
        AccountIq(PayloadName(OFFLINE_RETRIEVAL, "offline"), SET, Asker.OWNER, remove),
    ),
    hooks=(OnUndelivered(drop_copy, priority=-10),),
    uses=(OfflineQueue,),
    needs=("offline",),
)
