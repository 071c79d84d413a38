"""Announcements: who may make them, who hears them, and the message of the day once for each account."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.settings import Admin, Settings
from store.memory.faults import Fault
from tests.actors.house import House
from tests.actors.house_client import Client, said
from tests.actors.managed_client import appear as appear_managed
from tests.actors.managed_client import died
from tests.actors.managed_house import after, slow

ACCOUNTS = ("escalus@localhost", "romeo@localhost", "juliet@localhost")
PRINCE, ME, HER = "escalus@localhost/verona", "romeo@localhost/orchard", "juliet@localhost/balcony"
SETTINGS = replace(Settings(), admins=(Admin.parse("escalus@localhost"),))


def house(**fields: Any) -> House:
    return House(ACCOUNTS, settings=SETTINGS, **fields)


def message(place: str, text: str = "Rebellious subjects!", type: str = "normal") -> str:
    body = f"<body>{text}</body>" if text else ""
    return f"<message to='localhost{place}' id='m' type='{type}'>{body}</message>"


def heard_as(to: str, text: str = "Rebellious subjects!") -> list[str]:
    return said(f"<message from='localhost' to='{to}' id='m' type='normal'><body>{text}</body></message>")


async def messages(client: Client) -> list[str]:
    return [text for text in await client.hears() if text.startswith("<message")]


# -- who may


@pytest.mark.parametrize("place", ["", "/online", "/motd", "/motd/delete"])
async def test_announcement_by_anybody_else_is_not_allowed(place: str) -> None:
    async with house().open() as verona:
        romeo, juliet = await verona.appear(ME), await verona.appear(HER)
        romeo.send(message(f"/announce{place}"))
        (answer,) = await romeo.hears()
        assert "<not-allowed " in answer
        assert 'code="405"' in answer
        assert await juliet.hears() == []
        assert verona.store.items("localhost", "motd") == []


@pytest.mark.parametrize(
    ("place", "text", "condition"),
    [
        ("/announce", "x", "item-not-found"),
        ("/announce/all", "x", "item-not-found"),
        ("/announce/online", "", "bad-request"),
        ("/announce/motd", "", "bad-request"),
        ("/announcement", "x", "service-unavailable"),
        ("", "x", "service-unavailable"),
    ],
)
async def test_announcement_that_is_none_is_refused(place: str, text: str, condition: str) -> None:
    async with house().open() as verona:
        prince, juliet = await verona.appear(PRINCE), await verona.appear(HER)
        prince.send(message(place, text))
        (answer,) = await prince.hears()
        assert f"<{condition} " in answer
        prince.send(message(place, text, type="error"))
        assert await prince.hears() == await juliet.hears() == []


# -- to whoever is there


async def test_announcement_reaches_every_resource_that_is_there_in_the_servers_name() -> None:
    async with house().open() as verona:
        prince = await verona.appear(PRINCE)
        there = [await verona.appear(jid) for jid in (ME, HER, "juliet@localhost/chamber")]
        juliet_hidden = await verona.log_in("juliet@localhost/hidden")
        shy = await verona.appear("romeo@localhost/shy", "<priority>-1</priority>")
        for client in there:
            await client.hears()
        prince.send(message("/announce/online"))
        for client in (prince, *there, shy):
            assert await messages(client) == heard_as(str(client.jid))
        assert await messages(juliet_hidden) == []


async def test_announcement_is_safe_before_who_made_it_is_told_so(autojump_clock: MockClock) -> None:
    """Everything dies: whoever was there gets it nevertheless."""
    async with house().open() as verona:
        prince, juliet = await appear_managed(verona, PRINCE), await appear_managed(verona, HER)
        with slow(verona):
            prince.send(message("/announce/online"))
            prince.ask()
            assert await prince.acks() == [1]
        await trio.sleep(10)
        assert (await prince.acks())[-1] == 2
        store = died(verona, prince)
        assert len(await juliet.texts()) == 1
        juliet.forget_connection()
    async with after(store, settings=SETTINGS).open() as later:
        await juliet.resume(later, h=1)
        assert await juliet.texts() == ["Rebellious subjects!"]


# -- of the day


async def test_message_of_the_day_is_told_each_account_once_also_after_a_restart() -> None:
    verona = house()
    async with verona.open():
        prince, romeo = await verona.appear(PRINCE), await verona.appear(ME)
        prince.send(message("/announce/motd"))
        assert await messages(romeo) == heard_as(ME)
        assert await messages(prince) == heard_as(PRINCE)
        romeo.send("<presence type='unavailable'/>")
        romeo.send("<presence/>")
        again = await verona.appear("romeo@localhost/again")
        assert await messages(romeo) == await messages(again) == []
    later = House((), settings=SETTINGS, store=verona.store)
    async with later.open():
        romeo, juliet = await later.log_in(ME), await later.log_in(HER)
        for client in (romeo, juliet):
            client.send("<presence><priority>-1</priority></presence>")
        assert await messages(romeo) == await messages(juliet) == []
        for client in (romeo, juliet):
            client.send("<presence/>")
        assert await messages(romeo) == []
        assert await messages(juliet) == heard_as(HER)
        (told,) = later.store.items("juliet@localhost", "motd")
        assert told.data.split()[1].isdigit(), "when it was told"


async def test_message_of_the_day_takes_the_place_of_another_until_it_is_deleted() -> None:
    async with house().open() as verona:
        prince = await verona.appear(PRINCE)
        for text in ("one", "two"):
            prince.send(message("/announce/motd", text))
            assert await messages(prince) == heard_as(PRINCE, text)
        romeo = await verona.log_in(ME)
        romeo.send("<presence/>")
        assert await messages(romeo) == heard_as(ME, "two")
        prince.send(message("/announce/motd/delete", ""))
        juliet = await verona.log_in(HER)
        juliet.send("<presence/>")
        assert await messages(juliet) == await messages(prince) == []
        assert verona.store.items("localhost", "motd") == []


async def test_message_of_the_day_while_the_database_is_away_is_refused_for_now(
    autojump_clock: MockClock,
) -> None:
    async with house(limits={"store_away_seconds": 0.1}).open() as verona:
        prince, romeo = await verona.appear(PRINCE), await verona.appear(ME)
        verona.faults = lambda operation: Fault.AWAY if operation == "commit" else None
        prince.send(message("/announce/motd"))
        await trio.sleep(30)
        (answer,) = await prince.hears()
        assert 'type="wait"' in answer
        verona.faults = None
        await trio.sleep(30)
        assert await romeo.hears() == []
        prince.send(message("/announce/motd"))
        await trio.sleep(1)
        assert await messages(romeo) == heard_as(ME)


async def test_message_of_the_day_that_is_kept_is_told_when_the_database_is_back(
    autojump_clock: MockClock,
) -> None:
    async with house().open() as verona:
        prince = await verona.appear(PRINCE)
        prince.send(message("/announce/motd"))
        await verona.settle()
        verona.faults = lambda operation: Fault.AWAY if operation == "items" else None
        romeo = await verona.log_in(ME)
        romeo.send("<presence/>")
        await trio.sleep(3)
        assert await romeo.hears() == []
        verona.faults = None
        await trio.sleep(3)
        assert await messages(romeo) == heard_as(ME)
