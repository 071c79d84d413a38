"""Cards have bounds, in their parts and in both forms together, as one may need many more words."""

import pytest

from actors.cards import CardOptions
from protocols.vcard import unpacked
from tests.actors.house import House

BYTES_MAX = 1_000
NUMBER = "<TEL><HOME/><WORK/><NUMBER>1</NUMBER></TEL>"


@pytest.mark.parametrize(("numbers", "is_taken"), [(18, True), (22, False)])
async def test_card_that_needs_too_many_words_in_the_other_form_is_refused(
    numbers: int, is_taken: bool
) -> None:
    options = dict.fromkeys(("vcard", "vcard4"), CardOptions(bytes_max=BYTES_MAX))
    async with House(options=options).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        alone = f"<kind><text>{'k' * 900}</text></kind>"
        await romeo.ask(
            f"<iq type='set' id='4'><vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>{alone}</vcard></iq>"
        )
        before = dict(house.store._items)
        answer = await romeo.ask(
            f"<iq type='set' id='t'><vCard xmlns='vcard-temp'>{NUMBER * numbers}</vCard></iq>"
        )
        assert ("<not-acceptable " in answer) is not is_taken
        assert (house.store._items == before) is not is_taken
        (kept,) = house.store._items.values()
        assert alone.encode() in unpacked(kept.data).vcard4


@pytest.mark.parametrize(
    "form", ["<vCard xmlns='vcard-temp'>", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>"]
)
@pytest.mark.parametrize(("elements", "is_taken"), [(4, True), (5, False)])
async def test_card_has_so_many_elements_at_most(form: str, elements: int, is_taken: bool) -> None:
    options = dict.fromkeys(("vcard", "vcard4"), CardOptions(elements_max=4))
    async with House(options=options).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        card = f"{form}<a><b/>{'<c/>' * (elements - 3)}</a></{form[1:6]}>"
        answer = await romeo.ask(f"<iq type='set' id='c'>{card}</iq>")
        assert ("<not-acceptable " in answer) is not is_taken
        assert bool(house.store._items) is is_taken
