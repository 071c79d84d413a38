"""When records leave the log, what is done where they cannot, and who ends what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from actors.ledger import logged_parcel
from actors.ledger_keeper import SAVE_SECONDS, SETTLE_SECONDS, STOP_SECONDS, Tick
from protocols.jid import parse_jid
from store.log import SEQ_MAX, StanzaNumber
from store.memory.faults import Fault
from store.sessions import SessionRecord
from store.writes import SaveSession, SettleRecords
from supervision.reply import Reply
from supervision.runtime import Point
from tests.actors.house import House
from tests.actors.house_world import BEGINNING_MS
from tests.actors.managed_client import ManagedClient, managed

if TYPE_CHECKING:
    from supervision.slot import Slot

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ORCHARD, BALCONY = f"{ROMEO}/orchard", f"{JULIET}/balcony"
LONG = 3 * SAVE_SECONDS


def chat(text: object) -> str:
    return f"<message to='{BALCONY}' type='chat'><body>{text}</body></message>"


def kept(house: House) -> list[int]:
    return [record.seq for record in house.store.pending(JULIET, 0, SEQ_MAX, 10**6)]


def keeper(house: House) -> Slot[Any]:
    (slot,) = [slot for slot in house.slots("") if slot.spec.id == "ledger_keeper"]
    return slot


async def acknowledged(house: House, count: int = 1) -> tuple[ManagedClient, ManagedClient]:
    """Messages that their recipient has acknowledged, just now; their sender has asked for nothing."""
    romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
    for number in range(count):
        romeo.send(chat(number))
    await juliet.hears()
    juliet.acknowledge()
    await house.settle()
    return romeo, juliet


# -- settling


async def test_settle_not_before_the_sender_s_counter_has_passed_it(autojump_clock: MockClock) -> None:
    """Until then the record is what says that the sender's message was handled."""
    async with House().open() as house:
        romeo, _juliet = await acknowledged(house)
        commits: list[tuple[int, list[int]]] = []
        commit = house.store.commit

        def note(batch: Any) -> Any:
            outcomes = commit(batch)
            (record,) = house.store.session_records([romeo.sm_id or ""])
            commits.append((record.received, kept(house)))
            return outcomes

        house.store.commit = note  # type: ignore[method-assign] # to see the order
        await trio.sleep(LONG)
        assert commits == [(1, [1]), (1, [])]
        assert house.server.ledger_of(parse_jid(JULIET)).is_idle


async def test_settle_at_once_where_the_counter_has_passed_already(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        romeo.send("<presence type='unavailable'/>" + chat(1))
        await juliet.hears()
        romeo.ask()
        assert (await romeo.acks())[-1] == 2
        juliet.acknowledge()
        await trio.sleep(2 * SETTLE_SECONDS)
        assert kept(house) == []


async def test_settle_waits_for_a_sender_whose_session_waits_in_the_database(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        ledger = house.server.ledger_of(parse_jid(JULIET))
        house.server.streams.leave("somebody's", parse_jid(ORCHARD), 2)
        parcel = logged_parcel(ledger, 1, 0, StanzaNumber("somebody's", 3))
        ledger.acknowledged(parcel)
        await trio.sleep(LONG)
        assert ledger.done == [parcel]
        house.server.streams._stored.clear()
        await trio.sleep(LONG)
        assert ledger.done == []
        assert not ledger.is_owed(1)


async def test_settle_a_sender_that_has_ended_needs_nothing_any_more(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, _juliet = await acknowledged(house)
        romeo.client.log_out()
        await trio.sleep(2 * SETTLE_SECONDS)
        assert kept(house) == []


async def test_settle_many_some_at_a_time(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.ledger_keeper.SETTLED_RECORDS_MAX", 3)
    async with House().open() as house:
        romeo, _juliet = await acknowledged(house, 7)
        settled = note_settled(house)
        romeo.client.log_out()
        await trio.sleep(2 * SETTLE_SECONDS)
        await house.settle()
        assert settled == [(JULIET, 1, 2, 3), (JULIET, 4, 5, 6), (JULIET, 7)]
        assert kept(house) == []


async def test_settle_one_account_after_another(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is owed much does not keep the others waiting."""
    monkeypatch.setattr("actors.ledger_keeper.SETTLED_RECORDS_MAX", 3)
    async with House().open() as house:
        settled = note_settled(house)
        for account, count in (("first", 5), ("second", 2), ("third", 2)):
            ledger = house.server.ledger_of(parse_jid(f"{account}@localhost"))
            for seq in range(1, count + 1):
                ledger.take_off(seq, 0, None)
        await trio.sleep(SETTLE_SECONDS)
        await house.settle()
        assert settled == [
            ("first@localhost", 1, 2, 3),
            ("second@localhost", 1, 2),
            ("third@localhost", 1),
            ("first@localhost", 4, 5),
            ("third@localhost", 2),
        ]


def note_settled(house: House) -> list[tuple[object, ...]]:
    """What is taken out from here on: the account and the numbers of each."""
    settled: list[tuple[object, ...]] = []
    commit = house.store.commit

    def note(batch: Any) -> Any:
        settled.extend((write.owner, *write.seqs) for write in batch if isinstance(write, SettleRecords))
        return commit(batch)

    house.store.commit = note  # type: ignore[method-assign] # to see what is asked of it
    return settled


async def test_settle_nothing_while_the_database_is_away(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, _juliet = await acknowledged(house)
        house.faults = lambda _operation: Fault.AWAY
        romeo.ask()
        await trio.sleep(LONG)
        assert kept_at_rest(house) == [1]
        assert not any(
            isinstance(entry.write, SettleRecords)
            for entry in (*house.server.store.batches.waiting, *house.server.store.batches.batch)
        )
        house.faults = None
        await trio.sleep(LONG)
        assert kept(house) == []


def kept_at_rest(house: House) -> list[int]:
    """The same where the store answers nobody."""
    return list(house.store._log[JULIET])


async def test_settle_that_finds_no_room_is_tried_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with House().open() as house:
        romeo, _juliet = await acknowledged(house)
        batcher = house.server.store._batcher
        assert batcher is not None
        batcher.slot.mailbox.is_accepting = False
        romeo.client.log_out()
        await trio.sleep(5 * SETTLE_SECONDS)
        assert kept(house) == [1]
        batcher.slot.mailbox.is_accepting = True
        await trio.sleep(2 * SETTLE_SECONDS)
        assert kept(house) == []


async def test_settle_at_an_orderly_stop_all_that_is_ripe(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.ledger_keeper.SETTLED_RECORDS_MAX", 3)
    house = House()
    async with house.open():
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        romeo.send("<presence/>" + "".join(chat(number) for number in range(7)))
        romeo.ask()
        assert (await romeo.acks())[-1] == 8
        await juliet.hears()
        juliet.acknowledge()
        await house.settle()
        assert kept(house) == [1, 2, 3, 4, 5, 6, 7]
    assert kept(house) == []


async def test_settle_at_an_orderly_stop_no_longer_than_there_is_time(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House()
    async with house.open():
        ledger = house.server.ledger_of(parse_jid(JULIET))
        ledger.take_off(1, 0, None)
        monkeypatch.setattr(house.server.store, "log", lambda _write: Reply[Any]())
        begun = trio.current_time()
    assert trio.current_time() - begun >= STOP_SECONDS, "it has waited"
    assert not house.forgive(), "and was not killed"


async def test_ledger_with_nothing_to_do_is_forgotten_with_its_account(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await acknowledged(house)
        await trio.sleep(LONG)
        assert JULIET in house.server.ledgers, "she is there"
        romeo.client.log_out()
        juliet.client.log_out()
        await trio.sleep(200)
        assert house.server.directory.users == {}
        assert house.server.ledgers == {}


# -- a database that is away


async def test_away_for_long_what_waits_is_delivered_all_the_same(autojump_clock: MockClock) -> None:
    """For its commit, or for a number: Juliet's account has none yet."""
    async with House(limits={"store_away_seconds": 5.0}).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        romeo.send(f"<message to='{ORCHARD}' type='chat'><body>to myself</body></message>")
        romeo.send(chat("for Juliet"))
        await trio.sleep(4)
        assert (await romeo.texts(), await juliet.texts()) == ([], [])
        await trio.sleep(4)
        assert (await romeo.texts(), await juliet.texts()) == (["to myself"], ["for Juliet"])
        house.faults = None
        await trio.sleep(10)
        assert kept(house) == [1]
        romeo.ask()
        assert (await romeo.acks())[-1] == 2


async def test_start_waits_until_it_is_known_whose_session_waits(autojump_clock: MockClock) -> None:
    house = House()
    faults = [Fault.AWAY] * 3
    house.faults = lambda operation: faults.pop() if operation == "sessions" and faults else None
    record = SessionRecord(sm_id="sm", jid=BALCONY, resume_seconds=300.0)
    house.store.commit([SaveSession(record)])
    async with house.open():
        assert faults == []
        assert house.server.streams.is_read
        assert house.server.streams.exists("sm")


# -- sessions whose time is over


async def test_over_sessions_end_some_at_a_time(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.ledger_keeper.COME_BACK_MAX", 2)
    accounts = [f"user{number}@localhost" for number in range(5)]
    house = House(accounts)
    for account in accounts:
        record = SessionRecord(
            sm_id=account, jid=f"{account}/x", resume_seconds=10.0, hibernated_ms=BEGINNING_MS
        )
        house.store.commit([SaveSession(record)])
    async with house.open():
        await trio.sleep(9)
        assert len(house.store.sessions()) == 5
        seen = []
        for _ in range(6):
            await trio.sleep(SETTLE_SECONDS)
            seen.append(len(house.store.sessions()))
        assert sorted({5, *seen}, reverse=True) == [5, 3, 1, 0]


# -- death


@pytest.mark.parametrize("point", [Point.BEFORE_DECIDE, Point.IN_APPLY])
async def test_round_that_fails_is_followed_by_another(autojump_clock: MockClock, point: Point) -> None:
    async with House().open() as house:
        faults = [ZeroDivisionError("a fault"), ZeroDivisionError("another")]

        def probe(at: Point, _slot: Slot[Any], message: object) -> None:
            if at is point and isinstance(message, Tick) and faults:
                raise faults.pop()

        house.runtime.probe = probe
        _romeo, _juliet = await acknowledged(house)
        await trio.sleep(LONG)
        await house.settle()
        assert (faults, kept(house)) == ([], [])
        assert len(keeper(house).timers or ()) == 1, "one round at a time"
        assert house.forgive()


async def test_kill_goes_on(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        _romeo, _juliet = await acknowledged(house)
        for _ in range(3):
            assert house.tree is not None
            keeper(house).kill()
            await house.settle()
        await trio.sleep(LONG)
        await house.settle()
        assert kept(house) == []
        assert len(keeper(house).timers or ()) == 1, "one round at a time"
        house.forgive()
