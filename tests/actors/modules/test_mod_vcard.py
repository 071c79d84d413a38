"""XEP-0054: one sets one's own card, within bounds, and everybody sees it, even while one is not there."""

import pytest

from actors.cards import CardOptions
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import Client, said

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
CARD = "<FN>Romeo &amp; co</FN><N><GIVEN>Romeo</GIVEN></N><PHOTO><BINVAL>AAAA</BINVAL></PHOTO>"


def vcard(content: str = "", type: str = "get", to: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='{type}' id='v'{address}><vCard xmlns='vcard-temp'>{content}</vCard></iq>"


def told(client: Client, content: str, sender: str) -> list[str]:
    return said(
        f"<iq type='result' id='v' from='{sender}' to='{client.jid}'>"
        f"<vCard xmlns='vcard-temp'>{content}</vCard></iq>"
    )


async def test_card_is_shown_to_oneself_and_to_others_while_one_is_not_there() -> None:
    house = House()
    async with house.open():
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert 'type="result"' in await romeo.ask(vcard(CARD, "set"))
        assert [await romeo.ask(vcard())] == told(romeo, CARD, ROMEO)
    async with house.open():
        juliet = await house.log_in(f"{JULIET}/balcony")
        assert [await juliet.ask(vcard(to=ROMEO))] == told(juliet, CARD, ROMEO)


async def test_card_there_is_none_of_is_empty_to_oneself_and_no_account_to_others() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert [await romeo.ask(vcard())] == told(romeo, "", ROMEO)
        of_nobody = await romeo.ask(vcard(to="nobody@localhost"))
        assert "<service-unavailable " in of_nobody
        assert await romeo.ask(vcard(to=JULIET)) == of_nobody.replace("nobody@", "juliet@")


async def test_card_is_taken_back_by_an_empty_one() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await romeo.ask(vcard(CARD, "set"))
        assert house.store._items
        await romeo.ask(vcard("", "set"))
        assert house.store._items == {}


@pytest.mark.parametrize(("to", "condition"), [(JULIET, "forbidden"), ("localhost", "not-allowed")])
async def test_card_of_somebody_else_cannot_be_set(to: str, condition: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert f"<{condition} " in await romeo.ask(vcard(CARD, "set", to))
        assert house.store._items == {}


@pytest.mark.parametrize("host", ["localhost", "localhost/x"])
async def test_card_of_the_server_says_who_it_is(host: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        content = "<FN>localhost</FN><JABBERID>localhost</JABBERID>"
        assert [await romeo.ask(vcard(to=host))] == told(romeo, content, host)


async def test_card_has_a_largest_size() -> None:
    largest = '<vCard xmlns="vcard-temp"><FN>12</FN></vCard>'
    options = {"vcard": CardOptions(bytes_max=len(largest))}
    async with House(options=options).open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert 'type="result"' in await romeo.ask(vcard("<FN>12</FN>", "set"))
        assert "<not-acceptable " in await romeo.ask(vcard("<FN>123</FN>", "set"))
        assert [await romeo.ask(vcard())] == told(romeo, "<FN>12</FN>", ROMEO)


@pytest.mark.parametrize("type", ["get", "set"])
async def test_card_waits_for_the_database(type: str) -> None:
    """Row S-159."""
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        house.faults = lambda _operation: Fault.AWAY
        assert 'type="wait"' in await romeo.ask(vcard(CARD, type))


async def test_card_whose_name_is_another_is_none() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        misspelt = "<iq type='set' id='v'><vcard xmlns='vcard-temp'><FN>a</FN></vcard></iq>"
        assert "<service-unavailable " in await romeo.ask(misspelt)
        assert house.store._items == {}
