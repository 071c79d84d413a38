"""Somebody's business card in two forms that say the same: vcard-temp (XEP-0054) and vCard4 (XEP-0292).

Whichever form is set, the other follows: it gets what both can say, and keeps what it alone can. What the
setting leaves as it was is left in the other form to the letter, with all its parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from protocols.namespaces import VCARD4, VCARD_TEMP
from protocols.vcard_rules import to_temp, to_vcard4
from protocols.xml_element import build_without_budget, element_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protocols.xml_element import Element

EMPTY_TEMP: Final = f'<vCard xmlns="{VCARD_TEMP}"/>'.encode()
EMPTY_VCARD4: Final = f'<vcard xmlns="{VCARD4}"/>'.encode()


@final
class Card(NamedTuple):
    """Both forms of one card, each as the element that spells it; without anything where it says nothing."""

    temp: bytes = EMPTY_TEMP
    vcard4: bytes = EMPTY_VCARD4


@final
class _Form(NamedTuple):
    """One of the forms: its root, and what its properties become in the other."""

    root: str
    namespace: str
    converted: Callable[[Element], str]

    def spelt(self, properties: Sequence[str]) -> bytes:
        start = f'<{self.root} xmlns="{self.namespace}"'
        return (
            f"{start}>{''.join(properties)}</{self.root}>".encode() if properties else f"{start}/>".encode()
        )


_TEMP: Final = _Form("vCard", VCARD_TEMP, to_vcard4)
_FOUR: Final = _Form("vcard", VCARD4, to_temp)


def with_temp(card: Card, element: Element) -> Card:
    """The card whose vcard-temp is this from now on."""
    temp = element_bytes(element) if len(element) else EMPTY_TEMP
    return Card(temp, _followed(element, _TEMP, card.vcard4, _FOUR))


def with_vcard4(card: Card, element: Element) -> Card:
    """The card whose vCard4 is this from now on."""
    vcard4 = element_bytes(element) if len(element) else EMPTY_VCARD4
    return Card(_followed(element, _FOUR, card.temp, _TEMP), vcard4)


def _followed(lead: Element, form: _Form, other: bytes, other_form: _Form) -> bytes:
    """The other form, after the leading one has been set.

    Whether a property was left as it was is seen by what it becomes: that makes up for blanks, order and
    prefixes.
    """
    there, alone = _known(other, form, other_form)
    said = [converted for child in lead if (converted := form.converted(child))]
    kept = [there[each].pop(0) if there.get(each) else each for each in said]
    return other_form.spelt([*kept, *alone])


def _known(other: bytes, form: _Form, other_form: _Form) -> tuple[dict[str, list[str]], list[str]]:
    """What the other form says so far: by what it would be, once more converted; and what it alone can."""
    shared: list[tuple[str, str]] = []
    alone: list[str] = []
    for child in build_without_budget(other):
        spelt = element_bytes(child, other_form.namespace).decode()
        converted = other_form.converted(child)
        if converted:
            shared.append((converted, spelt))
        else:
            alone.append(spelt)
    there: dict[str, list[str]] = {}
    again = build_without_budget(form.spelt([converted for converted, _ in shared]))
    for child, (_, spelt) in zip(again, shared, strict=True):
        there.setdefault(form.converted(child), []).append(spelt)
    return there, alone


# -- as it is kept


def packed(card: Card) -> bytes:
    """The card in one piece: the length of the first form, and both."""
    return b"".join((b"%d:" % len(card.temp), *card))


def unpacked(data: bytes) -> Card:
    """The card in a piece that `packed` made."""
    length, _, both = data.partition(b":")
    return Card(both[: int(length)], both[int(length) :])
