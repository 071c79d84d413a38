"""XEP-0012: uptime and absence are told in seconds, an account's only to those who may see its presence."""

import re

import pytest
from trio.testing import MockClock

from tests.actors.house import House
from tests.actors.house_client import Client, said
from tests.actors.house_world import BEGINNING_MS

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
HOUR = 3600


def query(to: str, type: str = "get", content: str = "") -> str:
    return f"<iq type='{type}' id='l' to='{to}'><query xmlns='jabber:iq:last'>{content}</query></iq>"


async def seconds(client: Client, to: str) -> int:
    (found,) = re.findall(' seconds="([0-9]+)"', await client.ask(query(to)))
    return int(found)


def friends(**fields: object) -> House:
    house = House(accounts=[ROMEO])
    house.make_account(JULIET, **fields)
    house.befriend(ROMEO, JULIET)
    return house


async def test_last_of_the_domain_is_for_how_long_it_has_been_running(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        before = await seconds(romeo, "localhost")
        autojump_clock.jump(HOUR)
        assert before + HOUR <= await seconds(romeo, "localhost") < before + HOUR + 10


async def test_last_is_never_less_than_zero() -> None:
    """The clock may be set back."""
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        house.server.started_ms += HOUR * 1000
        assert await seconds(romeo, "localhost") == 0


async def test_last_of_an_account_is_since_when_and_with_what_words_its_user_left(
    autojump_clock: MockClock,
) -> None:
    async with friends(last_logout_ms=BEGINNING_MS - HOUR * 1000, last_status="<Home>").open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        answer = await romeo.ask(query(JULIET))
        (told,) = re.findall('seconds="([0-9]+)"', answer)
        assert HOUR <= int(told) < HOUR + 100
        assert [answer] == said(
            f"<iq type='result' id='l' from='{JULIET}' to='{ROMEO}/orchard'>"
            f"<query xmlns='jabber:iq:last' seconds='{told}'>&lt;Home></query></iq>"
        )


async def test_last_of_an_account_is_nothing_while_its_user_is_there() -> None:
    async with friends(last_logout_ms=BEGINNING_MS - HOUR * 1000, last_status="Home").open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        juliet = await house.appear(f"{JULIET}/balcony")
        assert 'seconds="0"></query>' in await romeo.ask(query(JULIET))
        assert await seconds(juliet, JULIET) == 0


async def test_last_does_not_tell_of_who_has_not_been_seen() -> None:
    async with friends(last_logout_ms=BEGINNING_MS - HOUR * 1000).open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await house.log_in(f"{JULIET}/balcony")
        assert await seconds(romeo, JULIET) >= HOUR


async def test_last_of_an_account_begins_when_its_last_resource_goes() -> None:
    async with friends().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        juliet = await house.appear(f"{JULIET}/balcony")
        juliet.send("<presence type='unavailable'><status>Heading Home</status></presence>")
        await house.settle()
        answer = await romeo.ask(query(JULIET))
        assert ">Heading Home</query>" in answer


async def test_last_of_nobody_who_ever_was_there_is_not_found() -> None:
    async with friends().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        assert "<item-not-found " in await romeo.ask(query(JULIET))


@pytest.mark.parametrize("type", ["get", "set"])
async def test_last_is_forbidden_to_strangers(type: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await house.appear(f"{JULIET}/balcony")
        assert "<forbidden " in await romeo.ask(query(JULIET, type))


async def test_last_of_a_stranger_s_resource_is_not_told_whether_or_not_it_is_there() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        juliet = await house.appear(f"{JULIET}/balcony")
        there = await romeo.ask(query(f"{JULIET}/balcony"))
        assert "<service-unavailable " in there
        assert there == (await romeo.ask(query(f"{JULIET}/nowhere"))).replace("nowhere", "balcony")
        assert await juliet.hears() == []


@pytest.mark.parametrize("to", ["localhost", JULIET, ROMEO])
async def test_last_cannot_be_set(to: str) -> None:
    async with friends().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        before = house.account(JULIET)
        assert "<not-allowed " in await romeo.ask(query(to, "set", "Home"))
        assert house.account(JULIET) == before


async def test_last_of_a_client_is_its_own_to_tell() -> None:
    async with friends().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        juliet = await house.appear(f"{JULIET}/balcony")
        romeo.send(query(f"{JULIET}/balcony"))
        (request,) = await juliet.hears()
        assert 'xmlns="jabber:iq:last"' in request
