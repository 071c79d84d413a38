"""What clients announce while the database is away: it is kept, and carried out when the database answers."""

import pytest
import trio
from trio.testing import MockClock

from actors.presence_messages import Announce, Planned
from actors.presence_state import PresenceState
from store.memory.faults import Fault
from supervision.runtime import Point
from supervision.slot import Slot
from tests.actors.house import House
from tests.actors.house_client import Client
from tests.actors.managed_client import ManagedClient, managed
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, chat, friends

UNAVAILABLE = "<presence type='unavailable'/>"


def away(_operation: str) -> Fault | None:
    return Fault.AWAY


async def couple_without_presence(house: House) -> tuple[Client, Client]:
    """Romeo is there; Juliet has logged in, and now nobody can read her document."""
    romeo, juliet = await house.appear(ORCHARD), await house.log_in(BALCONY)
    await romeo.hears()
    state_of(house).forget_document()
    house.faults = away
    return romeo, juliet


def state_of(house: House) -> PresenceState:
    actor = house.server.directory.entry(JULIET).presence
    assert actor is not None
    assert isinstance(actor.slot.state, PresenceState)
    return actor.slot.state


async def presences(client: Client | ManagedClient) -> list[str]:
    return [each for each in await client.hears() if each.startswith("<presence")]


async def test_first_presence_is_carried_out_when_the_database_answers(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await couple_without_presence(house)
        juliet.send("<presence><status>here</status></presence>")
        await trio.sleep(30)
        assert (await romeo.hears(), await juliet.hears()) == ([], []), "neither told nor refused"
        house.faults = None
        await trio.sleep(5)
        (heard,) = await presences(romeo)
        assert "here" in heard
        assert len([each for each in await presences(juliet) if f'from="{ORCHARD}"' in each]) == 1
        romeo.send(chat(JULIET, "you are here"))
        assert "you are here" in "".join(await juliet.hears())
        assert state_of(house).kept == {}


async def test_first_presence_brings_the_offline_queue_then(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo = await house.appear(ORCHARD)
        romeo.send(chat(JULIET, "while you were away"))
        await house.settle()
        juliet = await managed(house, BALCONY)
        state_of(house).forget_document()
        house.faults = away
        juliet.send("<presence/>")
        await trio.sleep(10)
        house.faults = None
        await trio.sleep(5)
        assert await juliet.texts() == ["while you were away"]


async def test_presence_kept_is_the_latest_and_told_once(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await couple_without_presence(house)
        for number in range(20):
            juliet.send(f"<presence><status>{number}</status></presence>")
            await trio.sleep(0.3)
        house.faults = None
        await trio.sleep(10)
        (heard,) = await presences(romeo)
        assert "<status>19<" in heard


@pytest.mark.parametrize("end", [UNAVAILABLE, "</stream:stream>"])
async def test_presence_kept_is_forgotten_with_what_it_said(autojump_clock: MockClock, end: str) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await couple_without_presence(house)
        juliet.send("<presence/>" + end)
        await trio.sleep(10)
        assert state_of(house).kept == {}
        house.faults = None
        await trio.sleep(10)
        assert await presences(romeo) == []


async def test_presence_said_anew_when_the_database_answers_is_what_counts(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await couple_without_presence(house)
        juliet.send("<presence><status>old</status></presence>")
        await trio.sleep(9.5)  # between two tries
        house.faults = None
        juliet.send("<presence><status>new</status></presence>")
        await trio.sleep(10)
        (heard,) = await presences(romeo)
        assert "new" in heard


async def test_presence_kept_that_kills_is_answered(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        _romeo, juliet = await couple_without_presence(house)

        def probe(at: Point, _slot: Slot[object], message: object) -> None:
            is_meant = isinstance(message, Planned) and isinstance(message.message, Announce)
            if at is Point.BEFORE_DECIDE and is_meant:
                raise ZeroDivisionError("poison")

        juliet.send("<presence id='p'/>")
        await house.settle()
        house.runtime.probe = probe
        await trio.sleep(10)
        house.faults = None
        await trio.sleep(10)
        (answer,) = await presences(juliet)
        assert "internal-server-error" in answer
        assert state_of(house).kept == {}
        house.forgive()


async def test_presence_of_two_resources_is_kept_for_each(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        window = await house.log_in(f"{JULIET}/window")
        romeo, juliet = await couple_without_presence(house)
        juliet.send("<presence/>")
        window.send("<presence/>")
        await trio.sleep(10)
        house.faults = None
        await trio.sleep(10)
        senders = {each.partition('from="')[2].partition('"')[0] for each in await presences(romeo)}
        assert senders == {BALCONY, f"{JULIET}/window"}
        assert ROMEO not in senders
