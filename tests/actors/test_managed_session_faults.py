"""Managed streams without durability, without a database, and in the hands of actors that die."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.session_messages import Deliver, FromClient, NonzaFromClient
from actors.settings import Durability, Settings
from store.memory.faults import Fault
from supervision.runtime import KillHere, Point
from supervision.slot import Slot
from tests.actors.house import House
from tests.actors.managed_client import appear, managed
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, chat, log, slow

MEMORY = Settings(durability=Durability.MEMORY)


# -- durability in memory


async def test_memory_acknowledges_at_once_and_writes_nothing(autojump_clock: MockClock) -> None:
    async with House(settings=MEMORY).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await appear(house, BALCONY)
        with slow(house):
            romeo.send(chat(BALCONY, "1") + chat(JULIET, "2"))
            romeo.ask()
            assert await romeo.acks() == [2]
            assert await juliet.texts() == ["1", "2"]
            await trio.sleep(10)
        assert (log(house), house.store.sessions()) == ([], [])


async def test_memory_offline_messages_are_handed_over_once(autojump_clock: MockClock) -> None:
    async with House(settings=MEMORY).open() as house:
        romeo = await managed(house, ORCHARD)
        romeo.send(chat(JULIET, "1"))
        await house.settle()
        juliet = await managed(house, BALCONY)
        juliet.send("<presence/>")
        assert await juliet.texts() == ["1"]
        await trio.sleep(5)
        assert log(house) == []


# -- the database away


async def test_database_away_for_a_while_is_waited_for(autojump_clock: MockClock) -> None:
    async with House(limits={"store_away_seconds": 5.0}).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        romeo.send(chat(BALCONY, "1"))
        romeo.ask()
        await trio.sleep(4)
        assert (await juliet.texts(), await romeo.acks()) == ([], [0])
        house.faults = None
        await trio.sleep(2)
        assert (await juliet.texts(), await romeo.acks()) == (["1"], [1])


async def test_database_away_for_long_delivery_goes_on_and_nothing_is_acknowledged(
    autojump_clock: MockClock,
) -> None:
    async with House(limits={"store_away_seconds": 5.0}).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        romeo.send(chat(BALCONY, "1"))
        await trio.sleep(10)
        romeo.send(chat(BALCONY, "2"))
        romeo.ask()
        assert (await juliet.texts(), await romeo.acks()) == (["1", "2"], [0])
        juliet.acknowledge()
        await trio.sleep(60)
        assert await romeo.acks() == []
        house.faults = None
        await trio.sleep(10)
        assert (await romeo.acks())[-1] == 2
        assert log(house) == [], "nobody needs them any more"


async def test_database_away_ledger_is_full_messages_are_refused_for_now(autojump_clock: MockClock) -> None:
    limits = {"store_away_seconds": 1.0, "ledger_bytes_max": 10_000}
    async with House(limits=limits).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        for number in range(20):
            romeo.send(chat(BALCONY, f"{number} {'x' * 1_000}"))
            await trio.sleep(1)
        heard, refused = await juliet.texts(), await romeo.hears()
        assert len(heard) + len(refused) == 20
        assert 0 < len(heard) < 20
        assert all("resource-constraint" in each and 'type="wait"' in each for each in refused)
        house.faults = None
        await trio.sleep(10)
        romeo.ask()
        assert (await romeo.acks())[-1] == 20
        romeo.send(chat(BALCONY, "behind"))
        assert await juliet.texts() == ["behind"]


async def test_ledger_is_full_a_message_that_no_resource_gets_is_refused_once(
    autojump_clock: MockClock,
) -> None:
    async with House(limits={"store_away_seconds": 1.0, "ledger_bytes_max": 10_000}).open() as house:
        romeo = await managed(house, ORCHARD)
        juliet = [await appear(house, f"{JULIET}/{name}") for name in ("balcony", "window")]
        house.faults = lambda _operation: Fault.AWAY
        for number in range(30):
            romeo.send(chat(JULIET, f"{number} {'x' * 1_000}"))
            await trio.sleep(1)
        heard, refused = [await each.texts() for each in juliet], await romeo.hears()
        assert heard[0] == heard[1]
        assert refused
        assert len(heard[0]) + len(refused) == 30


async def test_ledger_is_full_a_message_that_some_resource_gets_is_not_refused(
    autojump_clock: MockClock,
) -> None:
    async with House(limits={"store_away_seconds": 1.0, "ledger_bytes_max": 10_000}).open() as house:
        romeo, plain = await managed(house, ORCHARD), await house.appear(f"{JULIET}/plain")
        juliet = await appear(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        for number in range(30):
            romeo.send(chat(JULIET, f"{number} {'x' * 1_000}"))
            await trio.sleep(1)
        assert len(await juliet.texts()) < 30
        assert len([each for each in await plain.hears() if "<body>" in each]) == 30
        assert await romeo.hears() == []


# -- death

_IN_HAND = (Point.BEFORE_DECIDE, Point.AFTER_DECIDE, Point.IN_APPLY)


@pytest.mark.parametrize(
    ("kind", "point"),
    [
        *((kind, point) for kind in (Deliver, NonzaFromClient) for point in _IN_HAND),
        (FromClient, Point.BEFORE_DECIDE),
        (FromClient, Point.AFTER_DECIDE),  # one whose effects failed is set aside, see below
    ],
)
async def test_kill_with_something_in_hand_loses_doubles_and_miscounts_nothing(
    autojump_clock: MockClock, point: Point, kind: type
) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        kills = [KillHere("chaos")]

        def probe(at: Point, slot: Slot[Any], message: object) -> None:
            is_meant = slot.path.startswith("/sessions/") and isinstance(message, kind)
            if at is point and is_meant and kills:
                raise kills.pop()

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "1") + chat(BALCONY, "2"))
        romeo.ask()
        romeo.send(chat(BALCONY, "3"))
        await trio.sleep(5)
        romeo.ask()
        assert (await romeo.acks())[-1] == 3
        assert await juliet.texts() == ["1", "2", "3"]
        assert kills == []
        house.forgive()


async def test_kill_when_a_gate_opens_delays_and_nothing_more(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        kills = [KillHere("chaos")]

        def probe(at: Point, _slot: Slot[Any], _message: object) -> None:
            if at is Point.ANSWERED and kills:
                raise kills.pop()

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "1") + chat(BALCONY, "2"))
        await trio.sleep(5)
        assert await juliet.texts() == ["1", "2"]
        assert kills == []
        assert house.forgive()


@pytest.mark.parametrize("point", _IN_HAND)
async def test_set_aside_stanza_counts_once_and_is_answered_once(
    autojump_clock: MockClock, point: Point
) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)

        def probe(at: Point, slot: Slot[Any], message: object) -> None:
            if at is point and isinstance(message, FromClient) and b"poison" in message[0].data:
                raise ZeroDivisionError("poison")

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "before") + chat(BALCONY, "poison") + chat(BALCONY, "behind"))
        romeo.ask()
        assert await juliet.texts() == ["before", "behind"]
        (answer,) = await romeo.hears()
        assert "internal-server-error" in answer
        assert (await romeo.acks())[-1] == 3
        house.forgive()


async def test_set_aside_stanza_for_the_client_is_delivered_and_numbered_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)

        def probe(at: Point, slot: Slot[Any], message: object) -> None:
            if at is Point.AFTER_DECIDE and isinstance(message, Deliver) and b"poison" in message[0].data:
                raise ZeroDivisionError("poison")

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "before") + chat(BALCONY, "poison") + chat(BALCONY, "behind"))
        assert await juliet.texts() == ["before", "poison", "behind"]
        assert [record.outbound[0].number for record in log(house)] == [1, 2, 3]
        house.forgive()
