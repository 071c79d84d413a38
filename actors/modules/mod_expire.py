"""Messages that are of no use after a while (XEP-0023): one that has waited for too long is dropped.

Its sender says for how many seconds it is good; they are counted down by those that it waited here. Neither
sender nor recipient is told (§3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import Module, OnLate, Xep
from protocols.namespaces import EXPIRE
from protocols.splice import attribute, with_attributes, without_attribute
from protocols.stanza import with_children_changed

if TYPE_CHECKING:
    from actors.module import Context
    from actors.offline_queue import Waiting
    from protocols.stanza import Stanza

_EXPIRE: Final = f"{{{EXPIRE}}}x"
_NAMESPACE: Final = EXPIRE.encode()
_DIGITS_MAX: Final = 20  # of the largest number that the standard's schema allows
_SECOND_MS: Final = 1000


def reduce(context: Context, waiting: Waiting) -> Stanza | None:
    """The message with what is left of its time; None if that is over."""
    stanza = waiting.stanza
    if _NAMESPACE not in stanza.data:
        return stanza
    said = [_seconds(each.get("seconds")) for each in stanza.element.findall(_EXPIRE)]
    seconds = [each for each in said if each is not None]
    if not seconds:
        return stanza
    waited = max(0, context.now_ms() - waiting.at_ms) // _SECOND_MS
    if waited >= min(seconds):
        return None
    left = min(seconds) - waited
    return with_children_changed(stanza, _EXPIRE, lambda _child, data: _with_seconds(data, left))


def _seconds(text: str | None) -> int | None:
    """What is no number of seconds says nothing."""
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX
    return int(text or "") if is_number else None


def _with_seconds(data: bytes, left: int) -> bytes:
    bare = without_attribute(without_attribute(data, b"seconds"), b"stored")
    return with_attributes(bare, attribute("seconds", str(left)))


MODULE: Final = Module(
    name="expire",
    summary="Drops messages that have waited for longer than their senders said they are good for.",
    xeps=(Xep("0023", "1.3", "in the offline queue"),),
    hooks=(OnLate(reduce, priority=-10),),
)
