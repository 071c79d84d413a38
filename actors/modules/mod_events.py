"""Events of a message (XEP-0022), of which one is the server's: that it waits for somebody who is not there.

The others are between clients, and pass. That nobody is there is told only to those who may see the account's
presence, unless the configuration says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.module import Module, OnKept, OnLate, Xep
from actors.presence_effects import Send
from actors.presence_rules import is_subscriber
from actors.settings import setting
from protocols.namespaces import EVENT
from protocols.splice import child_ends
from protocols.stanza import build_message, with_children_changed
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import AccountContext, Context
    from actors.offline_queue import Waiting
    from actors.presence_effects import HookEffect
    from protocols.stanza import Stanza
    from protocols.xml_element import Element

_NAMESPACE: Final = EVENT.encode()
_EVENT: Final = f"{{{EVENT}}}x"
_OFFLINE: Final = f"{{{EVENT}}}offline"
_ID: Final = f"{{{EVENT}}}id"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsOptions:
    """Who is told."""

    strangers: bool = setting(
        False, "Whether those are told as well who may not see the presence of whom they write to."
    )


async def tell_kept(context: AccountContext, stanza: Stanza) -> Sequence[HookEffect]:
    """Tell the sender that a message waits, if it has asked for that (§3.2)."""
    sender = stanza.sender
    if sender is None or _NAMESPACE not in stanza.data or not any(map(_asks, stanza.element)):
        return ()
    may_see = sender.bare == context.jid.bare or is_subscriber(context.user, sender.bare)
    if not may_see and not context.options(EventsOptions).strangers:
        return ()
    id_ = escape_text(stanza.id or "")
    event = f"<x xmlns='{EVENT}'><offline/><id>{id_}</id></x>".encode()
    return (Send(build_message(to=sender, sender=stanza.to, content=event)),)


def without_request(_context: Context, waiting: Waiting) -> Stanza:
    """The message without the wish to be told that it waits, which no client can grant any more (§3)."""
    stanza = waiting.stanza
    if _NAMESPACE not in stanza.data:
        return stanza
    return with_children_changed(stanza, _EVENT, _without_offline)


def _asks(child: Element) -> bool:
    """Whether it wants to be told; what has an `<id/>` tells something itself."""
    return child.tag == _EVENT and child.find(_OFFLINE) is not None and child.find(_ID) is None


def _without_offline(event: Element, data: bytes) -> bytes:
    if not _asks(event):
        return data
    position, parts = 0, []
    for child, (begin, end) in zip(event, child_ends(data), strict=True):
        if child.tag == _OFFLINE:
            parts.append(data[position:begin])
            position = end
    return b"".join((*parts, data[position:]))


MODULE: Final = Module(
    name="events",
    summary="Tells the sender of a message that asks for it that the message waits.",
    xeps=(Xep("0022", "1.4", "the event that a message waits; the others pass"),),
    hooks=(OnKept(tell_kept), OnLate(without_request)),
    options=EventsOptions,
)
