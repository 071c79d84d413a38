"""XEP-0292: a card set in one form is shown in both, to everybody, within bounds."""

import pytest

from actors.cards import CardOptions
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import Client, said

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
VCARD4 = "urn:ietf:params:xml:ns:vcard-4.0"
CARD = "<fn><text>Romeo</text></fn><lang><language-tag>it</language-tag></lang>"


def vcard(content: str = "", type: str = "get", to: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='{type}' id='v'{address}><vcard xmlns='{VCARD4}'>{content}</vcard></iq>"


def vcard_temp(content: str = "", type: str = "get") -> str:
    return f"<iq type='{type}' id='v'><vCard xmlns='vcard-temp'>{content}</vCard></iq>"


def told(client: Client, content: str, sender: str) -> list[str]:
    card = f"<vcard xmlns='{VCARD4}'>{content}</vcard>"
    return said(f"<iq type='result' id='v' from='{sender}' to='{client.jid}'>{card}</iq>")


async def test_card_is_kept_in_both_forms_whichever_is_set() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert 'type="result"' in await romeo.ask(vcard(CARD, "set"))
        assert [await romeo.ask(vcard())] == told(romeo, CARD, ROMEO)
        assert "<FN>Romeo</FN></vCard>" in await romeo.ask(vcard_temp())
        await romeo.ask(vcard_temp("<FN>R</FN><MAILER>m</MAILER>", "set"))
        assert [await romeo.ask(vcard())] == told(romeo, CARD.replace("Romeo", "R"), ROMEO)
        await romeo.ask(vcard("<fn><text>Romeo</text></fn>", "set"))
        assert "<FN>Romeo</FN><MAILER>m</MAILER></vCard>" in await romeo.ask(vcard_temp())


async def test_card_is_shown_to_others_while_one_is_not_there() -> None:
    house = House()
    async with house.open():
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await romeo.ask(vcard(CARD, "set"))
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


@pytest.mark.parametrize(("to", "condition"), [(JULIET, "forbidden"), ("localhost", "not-allowed")])
async def test_card_of_somebody_else_cannot_be_set(to: str, condition: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert f"<{condition} " in await romeo.ask(vcard(CARD, "set", to))
        assert house.store._items == {}


async def test_card_of_the_server_says_what_it_is() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        content = (
            "<fn><text>localhost</text></fn><impp><uri>xmpp:localhost</uri></impp>"
            "<kind><text>application</text></kind>"
        )
        assert [await romeo.ask(vcard(to="localhost"))] == told(romeo, content, "localhost")


async def test_card_has_a_largest_size() -> None:
    largest = f'<vcard xmlns="{VCARD4}"><fn><text>12</text></fn></vcard>'
    async with House(options={"vcard4": CardOptions(bytes_max=len(largest))}).open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert 'type="result"' in await romeo.ask(vcard("<fn><text>12</text></fn>", "set"))
        assert "<not-acceptable " in await romeo.ask(vcard("<fn><text>123</text></fn>", "set"))


@pytest.mark.parametrize("type", ["get", "set"])
async def test_card_waits_for_the_database(type: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        house.faults = lambda _operation: Fault.AWAY
        assert 'type="wait"' in await romeo.ask(vcard(CARD, type))
