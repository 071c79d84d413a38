"""The document of a session that cannot be written, just now or for good, and what becomes of who waits."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.session_saving import SAVE_AGAIN_SECONDS, SessionNotSaved
from actors.store_access import StoreAccess
from store.errors import StoreUnavailable
from store.memory.faults import Fault
from store.writes import SaveSession, Write
from supervision.reply import Reply
from tests.actors.house import House
from tests.actors.managed_client import ManagedClient, died, managed
from tests.actors.managed_house import (
    BALCONY,
    FAILED,
    JULIET,
    ORCHARD,
    RESUMED,
    WINDOW,
    after,
    chat,
    couple,
    friends,
    kept,
    log,
    slow,
)

ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
TOO_SMALL = 10
"""No document has so few bytes."""


class Limit:
    """How large a session's document may be, for as long as a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def set(self) -> None:
        self._monkeypatch.setattr("store.writes.SESSION_BYTES_MAX", TOO_SMALL)

    def lift(self) -> None:
        self._monkeypatch.undo()


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    return Limit(monkeypatch)


async def begun(house: House) -> ManagedClient:
    """Juliet has asked for her stream to be managed, and there is no answer yet."""
    juliet = ManagedClient(house, await house.log_in(BALCONY))
    juliet.send(f"{ENABLE}<presence/>")
    return juliet


async def answer(client: ManagedClient) -> tuple[str, str]:
    """With which element, holding which, the server has answered."""
    (outcome,) = await client.nonzas()
    return outcome.tag, outcome[0].tag.partition("}")[2]


def notes(house: House) -> list[SessionNotSaved]:
    return [note for note in house.notes if isinstance(note, SessionNotSaved)]


def away(operation: str) -> Fault | None:
    """Whoever wants to log in can be looked up."""
    return Fault.AWAY if operation in {"commit", "ping"} else None


# -- when the stream is to be managed


async def test_enable_document_that_never_can_be_written_is_an_error_and_the_client_goes_on(
    autojump_clock: MockClock, limit: Limit
) -> None:
    async with friends().open() as house:
        romeo = await managed(house, ORCHARD)
        limit.set()
        juliet = await begun(house)
        assert await answer(juliet) == (FAILED, "internal-server-error")
        assert len(notes(house)) == 1
        romeo.send(chat(BALCONY, "1") + chat(JULIET, "2"))
        assert await juliet.texts() == ["1", "2"]
        juliet.send(chat(ORCHARD, "3"))
        assert await romeo.texts() == ["3"]
        limit.lift()
        await trio.sleep(30)
        assert kept(house) == []
        assert len(house.store.sessions()) == 1, "Romeo's"
        assert juliet.client.is_open


async def test_enable_while_the_database_is_away_waits_and_is_an_error(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 5.0}).open() as house:
        romeo = await managed(house, ORCHARD)
        house.faults = away
        juliet = await begun(house)
        romeo.send(chat(BALCONY, "meanwhile"))
        await trio.sleep(4)
        assert (await juliet.nonzas(), await juliet.texts()) == ([], [])
        await trio.sleep(2)
        assert await answer(juliet) == (FAILED, "resource-constraint")
        assert "meanwhile" in await juliet.texts(), "it waits for nothing any more"
        house.faults = None
        await trio.sleep(30)
        assert len(house.store.sessions()) == 1, "Romeo's: what was written late has gone again"
        assert log(house) == []
        assert house.server.books.in_flight == {}
        romeo.ask()
        assert (await romeo.acks())[-1] == 1


async def test_enable_when_the_database_has_been_away_for_long_is_an_error_at_once(
    autojump_clock: MockClock,
) -> None:
    async with friends(limits={"store_away_seconds": 5.0}).open() as house:
        romeo = await managed(house, ORCHARD)
        house.faults = away
        romeo.send(chat(JULIET, "so that somebody notices"))
        await trio.sleep(20)
        juliet = await begun(house)
        assert await answer(juliet) == (FAILED, "resource-constraint")


async def test_enable_in_time_is_confirmed_and_stays_so(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 5.0}).open() as house:
        with slow(house, 4.0):
            juliet = await begun(house)
            await trio.sleep(4.5)
            (enabled,) = await juliet.nonzas()
            assert enabled.get("id") is not None
            await trio.sleep(20)
        assert FAILED not in {each.tag for each in await juliet.nonzas()}
        assert juliet.client.is_open


async def test_enable_what_a_client_that_is_gone_meanwhile_was_owed_is_stored(
    autojump_clock: MockClock, limit: Limit
) -> None:
    async with friends(limits={"store_away_seconds": 5.0}).open() as house:
        romeo = await managed(house, ORCHARD)
        house.faults = away
        juliet = await begun(house)
        romeo.send(chat(BALCONY, "1"))
        await trio.sleep(1)
        juliet.hang_up()
        house.faults = None
        await trio.sleep(30)
        assert kept(house) == ["1"]


# -- later


class Desk:
    """A database that has no room for sessions' documents, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.tries = 0
        write_it = StoreAccess.log

        def log_or_not(access: StoreAccess, write: Write) -> Reply[Any]:
            if not isinstance(write, SaveSession):
                return write_it(access, write)
            self.tries += 1
            if self.tries > times:
                return write_it(access, write)
            reply: Reply[Any] = Reply()
            reply.fail(StoreUnavailable("too much waits to be written"))
            return reply

        monkeypatch.setattr(StoreAccess, "log", log_or_not)


async def test_no_room_for_the_document_it_is_tried_again_in_a_while(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with friends().open() as house:
        desk = Desk(monkeypatch, 3)
        juliet = await begun(house)
        assert await juliet.nonzas() == []
        assert desk.tries == 1
        await trio.sleep(3.5 * SAVE_AGAIN_SECONDS)
        (enabled,) = await juliet.nonzas()
        assert enabled.get("id") is not None
        assert desk.tries == 4


async def test_no_room_for_a_counter_the_client_is_told_when_there_is(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with friends().open() as house:
        romeo, _juliet = await couple(house)
        desk = Desk(monkeypatch, 2)
        romeo.send("<presence><show>away</show></presence>")
        romeo.ask()
        assert await romeo.acks() == [1]
        await trio.sleep(2.5 * SAVE_AGAIN_SECONDS)
        assert await romeo.acks() == [2]
        assert desk.tries == 3


async def test_no_room_for_a_mark_the_resumption_waits_for_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        store = died(house, romeo, juliet)
    async with after(store).open() as house:
        Desk(monkeypatch, 2)
        await juliet.begin_to_resume(house)
        await trio.sleep(2.5 * SAVE_AGAIN_SECONDS)
        assert (await juliet.outcome()).tag == RESUMED


async def test_document_that_became_too_large_costs_acknowledgements_and_nothing_more(
    autojump_clock: MockClock, limit: Limit
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        limit.set()
        romeo.send("<presence/>")
        romeo.ask()
        assert await romeo.acks() == [1]
        assert len(notes(house)) == 1, "it is not tried all the time"
        romeo.send(chat(BALCONY, "1"))
        assert await juliet.texts() == ["1"]
        limit.lift()
        romeo.ask()
        await trio.sleep(1)
        assert (await romeo.acks())[-1] == 3


async def test_document_that_became_too_large_offline_messages_are_delivered_all_the_same(
    autojump_clock: MockClock, limit: Limit
) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        romeo.send(chat(JULIET, "1"))
        await house.settle()
        juliet = await managed(house, BALCONY)
        limit.set()
        juliet.send("<presence/>")
        assert await juliet.texts() == ["1"]
        limit.lift()
        juliet.acknowledge()
        await trio.sleep(30)
        assert kept(house) == []


async def test_mark_that_never_can_be_written_ends_the_session_and_gives_back_what_it_was_owed(
    autojump_clock: MockClock, limit: Limit
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        romeo.send(chat(BALCONY, "1"))
        await house.settle()
        store = died(house, romeo)
    async with after(store).open() as house:
        limit.set()
        outcome = await juliet.resume(house)
        assert (outcome.tag, outcome[0].tag.partition("}")[2]) == (FAILED, "internal-server-error")
        assert outcome.get("h") == "1"
        limit.lift()
        window = await managed(house, WINDOW)
        window.send("<presence/>")
        assert await window.texts() == ["1"]


async def test_resume_again_before_the_mark_is_journaled_waits_for_it_as_well(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        store = died(house, romeo, juliet)
    async with after(store).open() as house:
        other = ManagedClient(house, juliet.client)
        other.sm_id, handled = juliet.sm_id, juliet.handled
        await juliet.begin_to_resume(house)
        await house.settle()
        juliet.forget_connection()
        store_is_slow = 3.0
        with slow(house, store_is_slow):
            await other.begin_to_resume(house, h=handled)
            await trio.sleep(3 * store_is_slow)
        assert (await other.outcome()).tag == RESUMED
