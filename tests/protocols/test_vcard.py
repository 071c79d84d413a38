"""Whichever form of a card is set, the other says the same as far as it can, and keeps what is its own."""

import pytest

from protocols.vcard import EMPTY_TEMP, EMPTY_VCARD4, Card, packed, unpacked, with_temp, with_vcard4
from protocols.xml_element import Element, build_without_budget, element_bytes


def temp(properties: str) -> Element:
    return build_without_budget(f"<vCard xmlns='vcard-temp'>{properties}</vCard>".encode())


def four(properties: str) -> Element:
    return build_without_budget(
        f"<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{properties}</vcard>".encode()
    )


def spelt(form: bytes) -> bytes:
    """In the one spelling in which forms are compared."""
    return element_bytes(build_without_budget(form))


FULL_NAME = (
    "<fn><parameters><language><language-tag>en</language-tag></language></parameters><text>A</text></fn>"
)


def test_vcard4_follows_vcard_temp_and_keeps_what_is_its_own() -> None:
    card = with_vcard4(Card(), four("<fn><text>A</text></fn><kind><text>group</text></kind>"))
    card = with_temp(card, temp("<FN>B</FN><MAILER>m</MAILER>"))
    assert spelt(card.vcard4) == element_bytes(four("<fn><text>B</text></fn><kind><text>group</text></kind>"))
    assert card.temp == element_bytes(temp("<FN>B</FN><MAILER>m</MAILER>"))


def test_vcard_temp_follows_vcard4_and_keeps_what_is_its_own() -> None:
    card = with_temp(Card(), temp("<FN>A</FN><MAILER>m</MAILER>"))
    card = with_vcard4(card, four("<fn><text>B</text></fn><lang/>"))
    assert spelt(card.temp) == element_bytes(temp("<FN>B</FN><MAILER>m</MAILER>"))
    assert card.vcard4 == element_bytes(four("<fn><text>B</text></fn><lang/>"))


def test_what_was_left_as_it_was_keeps_its_parameters() -> None:
    card = with_vcard4(Card(), four(FULL_NAME + "<note><text>x</text></note><note><text>x</text></note>"))
    changed = with_temp(card, temp("<DESC>x</DESC><NICKNAME>n</NICKNAME><FN> A </FN>"))
    expected = four(f"<note><text>x</text></note><nickname><text>n</text></nickname>{FULL_NAME}")
    assert spelt(changed.vcard4) == element_bytes(expected)


@pytest.mark.parametrize("properties", ["", " ", "<FN>A</FN><MAILER>m</MAILER>"])
def test_card_that_is_taken_back_is_an_empty_one(properties: str) -> None:
    assert with_temp(with_temp(Card(), temp(properties)), temp("\n")) == Card()
    assert with_vcard4(with_vcard4(Card(), four("<lang/><fn><text>A</text></fn>")), four(" ")) == Card()


@pytest.mark.parametrize("card", [Card(), Card(b"1:2", b""), Card(b"", b"3:4")])
def test_card_comes_back_as_it_was_packed(card: Card) -> None:
    assert unpacked(packed(card)) == card


def test_empty_forms_are_spelt_as_elements() -> None:
    assert (build_without_budget(EMPTY_TEMP).tag, build_without_budget(EMPTY_VCARD4).tag) == (
        "{vcard-temp}vCard",
        "{urn:ietf:params:xml:ns:vcard-4.0}vcard",
    )
