"""Which messages are written into an account's log, when they may be delivered, and when they leave it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.fates import FateLog
from actors.ledger import GATE, SEQ_LOW, Books, Ledger, Parcel, RecordRefusedError, logged_parcel
from actors.receipt import Receipt
from protocols.jid import parse_jid
from protocols.stanza import Stanza, build_message
from protocols.stream_queue import Incoming
from store.log import Direction, LogRecord, OutboundNumber, StanzaNumber
from store.memory.faults import Fault
from store.writes import InsertRecord
from supervision.mailbox import Mailbox
from tests.actors.batcher_desk import OWNER, Desk
from tests.store.samples import make_record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLACE, OTHER_PLACE = OutboundNumber("balcony", 0, 1), OutboundNumber("window", 2, 5)
AWAY_SECONDS = 5.0


class Clerk:
    """A ledger, what it asks for, and the sender of what is put into it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.notes: list[object] = []
        self.refills = 0
        self.growths = 0
        self.incoming = Incoming(is_journaled=True)
        self.tokens = 0
        books = Books(
            desk.access,
            FateLog(0, lambda: 0),
            AWAY_SECONDS,
            self.notes.append,
            lambda: 1_000,
            self._new_token,
            {},
        )
        self.ledger = Ledger(OWNER, books, self._refill, self._grown)

    def _grown(self) -> None:
        self.growths += 1

    def _new_token(self) -> str:
        self.tokens += 1
        return f"id-{self.tokens}"

    def _refill(self) -> None:
        self.refills += 1

    @property
    def log(self) -> list[LogRecord]:
        return list(self.desk.store._log[OWNER].values())

    def message(self, text: str = "hi") -> Stanza:
        """A message from a managed sender, which has just been received and stamped."""
        stanza = build_message(
            to=parse_jid(OWNER),
            sender=parse_jid("romeo@example.net/orchard"),
            content=f"<body>{text}</body>".encode(),
        )
        stanza.receipt = Receipt("orchard", self.incoming.receive(), self.incoming, lambda: None)
        return stanza

    def deliver(self, stanza: Stanza, place: OutboundNumber = PLACE) -> tuple[Parcel, Mailbox[Any]]:
        """Have it for one session, whose mailbox is returned; its sender has nothing more to do with it."""
        parcel, reader = Parcel(stanza, 1), Mailbox[Any]()
        parcel.place(self.ledger, place, reader)
        if stanza.receipt is not None:
            stanza.receipt.release()
        return parcel, reader


@asynccontextmanager
async def opened(limit: int = 1_000) -> AsyncIterator[Clerk]:
    """A clerk with so many numbers, and a database that answers when told to."""
    async with Desk().open() as desk:
        clerk = Clerk(desk)
        clerk.ledger.reserved(1, limit)
        yield clerk


# -- into the log


async def test_parcel_is_logged_as_it_was_received_and_handed_out() -> None:
    async with opened() as clerk:
        stanza = clerk.message()
        clerk.deliver(stanza)
        await clerk.desk.work()
        assert clerk.log == [
            LogRecord(
                owner=OWNER,
                seq=1,
                stanza_id="id-1",
                peer="romeo@example.net/orchard",
                direction=Direction.IN,
                at_ms=1_000,
                data=stanza.data,
                inbound=StanzaNumber("orchard", 1),
                outbound=(PLACE,),
                pending=True,
            )
        ]


async def test_parcel_is_open_and_its_sender_safe_when_it_is_committed_and_not_before() -> None:
    async with opened() as clerk:
        parcel, reader = clerk.deliver(clerk.message())
        await trio.testing.wait_all_tasks_blocked()
        before = (parcel.is_open, parcel.is_committed, clerk.incoming.done, reader.take_signals())
        assert before == (False, False, 0, 0)
        assert list(clerk.ledger.books.in_flight) == [parcel]
        await clerk.desk.work()
        behind = (parcel.is_open, parcel.is_committed, clerk.incoming.safe, reader.take_signals())
        assert behind == (True, True, 1, GATE)
        assert clerk.ledger.books.in_flight == {}


async def test_parcel_for_two_is_one_record_once_both_have_given_it_a_place() -> None:
    async with opened() as clerk:
        stanza = clerk.message()
        parcel, readers = Parcel(stanza, 2), (Mailbox[Any](), Mailbox[Any]())
        parcel.place(clerk.ledger, PLACE, readers[0])
        await trio.testing.wait_all_tasks_blocked()
        assert not clerk.desk.thread.jobs
        parcel.place(clerk.ledger, OTHER_PLACE, readers[1])
        await clerk.desk.work()
        (record,) = clerk.log
        assert record.outbound == (PLACE, OTHER_PLACE)
        assert [reader.take_signals() for reader in readers] == [GATE, GATE]


async def test_parcel_behind_one_that_waits_for_another_session_is_logged_behind_it() -> None:
    """Else a crash in between would leave the later one alone in the log."""
    async with opened() as clerk:
        first = Parcel(clerk.message("first"), 2)
        first.place(clerk.ledger, PLACE, Mailbox())
        clerk.deliver(clerk.message("second"))
        third = Parcel(clerk.message("third"), 2)
        third.place(clerk.ledger, PLACE, Mailbox())
        clerk.deliver(clerk.message("fourth"))
        await wait_all_tasks_blocked()
        assert not clerk.desk.thread.jobs
        first.place(clerk.ledger, OTHER_PLACE, Mailbox())
        await clerk.desk.work()
        assert not clerk.ledger.is_idle
        third.decline()
        await clerk.desk.work()
        logged = [record.data.partition(b"<body>")[2].partition(b"<")[0].decode() for record in clerk.log]
        assert logged == ["first", "second", "third", "fourth"]
        assert [len(batch) for batch in clerk.desk.batches] == [2, 2]


async def test_parcel_one_has_declined_waits_for_the_others_only() -> None:
    async with opened() as clerk:
        parcel = Parcel(clerk.message(), 3)
        parcel.decline()
        parcel.place(clerk.ledger, PLACE, Mailbox[Any]())
        await trio.testing.wait_all_tasks_blocked()
        assert not clerk.desk.thread.jobs
        parcel.decline()
        await clerk.desk.work()
        assert [record.outbound for record in clerk.log] == [(PLACE,)]
        assert parcel.outstanding == 1


async def test_parcel_that_all_refuse_is_known_with_the_last() -> None:
    async with opened() as clerk:
        parcel = Parcel(clerk.message(), 3)
        assert [parcel.refuse() for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("takes", ["place", "join", "taken"])
async def test_parcel_that_somebody_takes_is_refused_by_nobody(takes: str, autojump_clock: MockClock) -> None:
    async with opened() as clerk:
        parcel = Parcel(clerk.message(), 3)
        assert not parcel.refuse()
        if takes == "place":
            parcel.place(clerk.ledger, PLACE, Mailbox())
        elif takes == "join":
            parcel.join(PLACE)
        else:
            parcel.taken()
        assert not parcel.refuse()


async def test_parcel_all_have_declined_is_nobody_s() -> None:
    async with opened() as clerk:
        stanza = clerk.message()
        parcel = Parcel(stanza, 2)
        parcel.decline()
        parcel.decline()
        await trio.testing.wait_all_tasks_blocked()
        assert not clerk.desk.thread.jobs
        assert clerk.ledger.is_idle
        assert stanza.receipt is not None
        stanza.receipt.release()
        assert clerk.incoming.done == 1


async def test_parcel_without_a_name_is_logged_without() -> None:
    """A message from somebody who is owed nothing, for a session that hibernates."""
    async with opened() as clerk:
        stanza = clerk.message()
        stanza.receipt = None
        parcel, _reader = clerk.deliver(stanza)
        await clerk.desk.work()
        assert parcel.origin is None
        assert [record.inbound for record in clerk.log] == [None]


async def test_log_what_meets_itself_stands_there() -> None:
    """A client has sent again what it was not told is safe."""
    async with opened() as clerk:
        earlier = make_record(OWNER, 900, inbound=StanzaNumber("orchard", 1), pending=True)
        clerk.desk.store.commit([InsertRecord(earlier)])
        parcel, _reader = clerk.deliver(clerk.message())
        await clerk.desk.work()
        assert parcel.is_committed
        assert clerk.incoming.safe == 1
        assert clerk.log == [earlier]
        assert clerk.notes == []


async def test_log_refused_is_reported_and_delivered_but_never_called_safe() -> None:
    async with opened() as clerk:
        clerk.desk.store.commit([InsertRecord(make_record(OWNER, 1))])
        parcel, reader = clerk.deliver(clerk.message())
        await clerk.desk.work()
        (note,) = clerk.notes
        assert isinstance(note, RecordRefusedError)
        assert "number 1" in str(note)
        assert (parcel.is_open, parcel.is_committed, reader.take_signals()) == (True, False, GATE)
        assert (clerk.incoming.done, clerk.incoming.safe) == (1, 0)


async def test_log_database_is_broken_is_reported_and_delivered() -> None:
    async with opened() as clerk:
        parcel, _reader = clerk.deliver(clerk.message())
        clerk.desk.error = ZeroDivisionError("broken")
        await clerk.desk.work()
        (note,) = clerk.notes
        assert str(note).endswith("number 1: broken")
        assert (parcel.is_open, parcel.is_committed) == (True, False)


async def test_log_database_away_for_long_delivers_at_once_and_is_safe_when_it_is_back(
    autojump_clock: MockClock,
) -> None:
    async with opened() as clerk:
        clerk.desk.thread.is_quick = True
        faults = [Fault.AWAY] * 3
        clerk.desk.faults.extend(faults)
        first, _reader = clerk.deliver(clerk.message())
        await trio.testing.wait_all_tasks_blocked()
        assert not first.is_open
        clerk.desk.access.batches.away_since = trio.current_time() - AWAY_SECONDS
        second, _reader = clerk.deliver(clerk.message())
        assert (second.is_open, second.is_committed, clerk.incoming.safe) == (True, False, 0)
        await trio.sleep(60)
        assert (first.is_open, second.is_committed, clerk.incoming.safe) == (True, True, 2)


# -- numbers


async def test_reserved_a_block_behind_the_last_goes_on_where_that_is() -> None:
    async with opened(limit=10) as clerk:
        ledger = clerk.ledger
        assert [ledger.take_seq(), ledger.take_seq(), ledger.left] == [1, 2, 8]
        ledger.reserved(11, 20)
        assert (ledger.take_seq(), ledger.left) == (3, 17)


async def test_reserved_a_block_elsewhere_leaves_a_gap() -> None:
    """Somebody else had the numbers between, or the account was read anew."""
    async with opened(limit=10) as clerk:
        clerk.ledger.take_seq()
        clerk.ledger.reserved(501, 1_000)
        assert (clerk.ledger.take_seq(), clerk.ledger.left) == (501, 499)


async def test_take_seq_without_any_is_a_fault() -> None:
    async with opened(limit=0) as clerk:
        with pytest.raises(AssertionError, match="no number was reserved"):
            clerk.ledger.take_seq()


async def test_log_asks_for_more_numbers_in_time_and_once(autojump_clock: MockClock) -> None:
    async with opened(limit=SEQ_LOW + 2) as clerk:
        for _ in range(2):
            clerk.deliver(clerk.message())
        assert clerk.refills == 0
        for _ in range(3):
            clerk.deliver(clerk.message())
        assert clerk.refills == 1
        clerk.ledger.reserved(SEQ_LOW + 3, 1_000)
        clerk.deliver(clerk.message())
        assert clerk.refills == 1


async def test_log_without_numbers_waits_for_them_in_order() -> None:
    async with opened(limit=0) as clerk:
        parcels = [clerk.deliver(clerk.message(str(number)))[0] for number in range(3)]
        assert clerk.refills == 1
        assert not clerk.ledger.is_idle
        assert [parcel.seq for parcel in parcels] == [None] * 3
        clerk.ledger.reserved(501, 502)
        assert [parcel.seq for parcel in parcels] == [501, 502, None]
        assert clerk.refills == 2, "these were too few"
        clerk.ledger.reserved(503, 1_000)
        await clerk.desk.work()
        while clerk.desk.thread.jobs:
            await clerk.desk.work()
        assert [
            (record.seq, record.data.endswith(b">%d</body></message>" % number))
            for number, record in enumerate(clerk.log)
        ] == [(501, True), (502, True), (503, True)]


async def test_log_what_waits_for_numbers_counts_as_waiting_for_the_database() -> None:
    """Nothing grows without a bound, whatever it waits for."""
    async with opened(limit=0) as clerk:
        store = clerk.desk.access
        store.log_bytes_max = 2 * clerk.message().size
        seen = [store.is_full]
        for _ in range(2):
            clerk.deliver(clerk.message())
            seen.append(store.is_full)
        clerk.ledger.reserved(1, 1_000)
        while clerk.desk.thread.jobs or not clerk.log:
            await clerk.desk.work()
        assert [*seen, store.is_full] == [False, False, True, False]


async def test_log_database_away_for_long_what_waits_for_a_number_is_delivered_at_once(
    autojump_clock: MockClock,
) -> None:
    async with opened(limit=0) as clerk:
        clerk.desk.access.batches.away_since = trio.current_time() - AWAY_SECONDS
        parcel, _reader = clerk.deliver(clerk.message())
        assert (parcel.is_open, parcel.seq) == (True, None)


async def test_abandon_lets_nobody_wait_for_a_number() -> None:
    """The account has been deleted."""
    async with opened(limit=0) as clerk:
        parcel, reader = clerk.deliver(clerk.message())
        before = clerk.incoming.done
        clerk.ledger.abandon()
        assert (before, clerk.incoming.done, parcel.is_open, reader.take_signals()) == (0, 1, True, GATE)
        assert clerk.ledger.is_idle
        assert (clerk.desk.access.unnumbered, clerk.desk.access.unnumbered_bytes) == (0, 0)


# -- out of the log


async def test_parcel_is_done_when_all_have_acknowledged_it() -> None:
    async with opened() as clerk:
        parcel = Parcel(clerk.message(), 2)
        parcel.place(clerk.ledger, PLACE, Mailbox[Any]())
        parcel.place(clerk.ledger, OTHER_PLACE, Mailbox[Any]())
        await clerk.desk.work()
        clerk.ledger.acknowledged(parcel)
        assert clerk.ledger.done == []
        clerk.ledger.acknowledged(parcel)
        assert clerk.ledger.done == [parcel]
        assert clerk.ledger.is_owed(1), "no part of the offline queue, while it is in the log"
        clerk.ledger.done.clear()
        clerk.ledger.settled([parcel])
        assert not clerk.ledger.is_owed(1)
        assert clerk.ledger.is_idle


async def test_parcel_is_elsewhere_as_long_as_somebody_sees_to_it() -> None:
    async with opened() as clerk:
        parcel = Parcel(clerk.message(), 3)
        parcel.join(PLACE)
        parcel.join(OTHER_PLACE)
        clerk.ledger.given_up(parcel)
        assert parcel.is_elsewhere, "the second has it, and the third is to get it"
        clerk.ledger.given_up(parcel)
        assert parcel.is_elsewhere, "the third is to get it"
        parcel.decline()
        assert not parcel.is_elsewhere


async def test_parcel_that_one_has_acknowledged_is_elsewhere() -> None:
    async with opened() as clerk:
        parcel = Parcel(clerk.message(), 2)
        parcel.join(PLACE)
        parcel.join(OTHER_PLACE)
        clerk.ledger.acknowledged(parcel)
        clerk.ledger.given_up(parcel)
        assert parcel.is_elsewhere


async def test_parcel_with_a_record_is_elsewhere(autojump_clock: MockClock) -> None:
    async with opened() as clerk:
        parcel = Parcel(clerk.message(), 1)
        parcel.place(clerk.ledger, PLACE, Mailbox[Any]())
        clerk.ledger.given_up(parcel)
        assert parcel.is_elsewhere


async def test_reading_learns_what_has_left_the_log_meanwhile() -> None:
    async with opened() as clerk:
        parcels = [logged_parcel(clerk.ledger, seq, 0, None) for seq in range(1, 5)]
        clerk.ledger.settled(parcels[:1])
        with clerk.ledger.reading() as gone:
            clerk.ledger.settled(parcels[1:2])
            with clerk.ledger.reading() as gone_since:
                clerk.ledger.settled(parcels[2:3])
            clerk.ledger.settled(parcels[3:])
        assert (gone, gone_since) == ({2, 3, 4}, {3})


async def test_parcel_one_has_acknowledged_and_the_other_given_up_is_done() -> None:
    async with opened() as clerk:
        parcel = logged_parcel(clerk.ledger, 7, 0, None, outstanding=2)
        clerk.ledger.acknowledged(parcel)
        clerk.ledger.given_up(parcel)
        assert clerk.ledger.done == [parcel]


async def test_parcel_all_have_given_up_is_part_of_the_offline_queue() -> None:
    async with opened() as clerk:
        parcel = logged_parcel(clerk.ledger, 7, 0, None, outstanding=2)
        clerk.ledger.given_up(parcel)
        assert clerk.ledger.is_owed(7)
        clerk.ledger.given_up(parcel)
        assert not clerk.ledger.is_owed(7)
        assert clerk.ledger.is_idle


async def test_parcel_acknowledged_before_its_commit_is_done_behind_that() -> None:
    """The database was away, and it was delivered all the same."""
    async with opened() as clerk:
        parcel, _reader = clerk.deliver(clerk.message())
        parcel.open()
        clerk.ledger.acknowledged(parcel)
        assert clerk.ledger.done == []
        await clerk.desk.work()
        assert clerk.ledger.done == [parcel]


async def test_revived_what_no_session_owes_any_more_is_done() -> None:
    async with opened() as clerk:
        owed = logged_parcel(clerk.ledger, 1, 0, None)
        had = logged_parcel(clerk.ledger, 2, 0, None, outstanding=0)
        clerk.ledger.revived()
        assert clerk.ledger.done == [had]
        assert (owed.is_open, owed.is_committed) == (True, True)
