"""When a stanza was said, as it was written before XMPP (XEP-0091), beside how it is written now (XEP-0203).

For clients of streams without a version, which know no other; for all where the configuration says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.module import Module, OnOutput, Xep
from actors.settings import setting
from protocols.namespaces import DELAY, LEGACY_DELAY
from protocols.session_bits import SessionBits
from protocols.splice import new_attribute, with_child
from protocols.stanza import with_data
from protocols.timestamp import to_legacy
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.module import Context
    from protocols.stanza import Stanza
    from protocols.xml_element import Element

_NAMESPACE: Final = DELAY.encode()
_DELAY: Final = f"{{{DELAY}}}delay"
_LEGACY: Final = f"{{{LEGACY_DELAY}}}x"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyDelayOptions:
    """Who gets them."""

    everybody: bool = setting(False, "Whether clients of today get them as well.")


def change_output(context: Context, bits: SessionBits) -> Callable[[Stanza], Stanza] | None:
    """Who wants them, and how they are added."""
    is_wanted = SessionBits.UNVERSIONED in bits or context.options(LegacyDelayOptions).everybody
    return with_legacy_delay if is_wanted else None


def with_legacy_delay(stanza: Stanza) -> Stanza:
    """The stanza with its first delay in both forms, unless it has the old one (XEP-0091 §2: only one)."""
    if _NAMESPACE not in stanza.data or stanza.element.find(_LEGACY) is not None:
        return stanza
    written = (_written(delay) for delay in stanza.element.findall(_DELAY))
    old = next((each for each in written if each is not None), None)
    return stanza if old is None else with_data(stanza, with_child(stanza.data, old))


def _written(delay: Element) -> bytes | None:
    stamp, by = to_legacy(delay.get("stamp") or ""), delay.get("from")
    if stamp is None:
        return None
    attributes = b"" if by is None else new_attribute("from", by)
    reason = escape_text(delay.text or "").encode()
    return b"<x xmlns='%b'%b%b>%b</x>" % (
        LEGACY_DELAY.encode(),
        attributes,
        new_attribute("stamp", stamp),
        reason,
    )


MODULE: Final = Module(
    name="legacy_delay",
    summary="Tells clients of before XMPP when a stanza was said, as they can read it.",
    xeps=(Xep("0091", "1.4"),),
    hooks=(OnOutput(change_output),),
    options=LegacyDelayOptions,
)
