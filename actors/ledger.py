"""The ledger of one account: which messages of its log are owed to which of its sessions.

A message from somebody who is owed an acknowledgement, for a session that will acknowledge it, is a parcel:
each session that gets it gives it a place in its output, then it is written into the account's log under all
these places, and only when that is committed may it go on the wire. When every session has acknowledged it,
or ended, it leaves the log or waits there for the account's next resource.

Plain objects that belong to no actor's slot: sessions use them in their own turn, and the keeper
(`ledger_keeper`) settles what is done.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from actors.fates import MessageFate
from store.errors import Conflict, ConflictKind
from store.log import Direction, LogRecord, StanzaNumber
from store.writes import InsertRecord, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from actors.fates import FateLog
    from actors.store_access import StoreAccess
    from protocols.stanza import Stanza
    from store.log import OutboundNumber
    from store.writes import Outcome
    from supervision.mailbox import Mailbox
    from supervision.reply import Reply

GATE: Final = 16
"""Signal to a session: something that was held may be written now."""
SEQ_LOW: Final = 150
"""When so few numbers of the log are left, more are reserved: some hundred messages before there are none."""


class RecordRefusedError(Exception):
    """The log holds something else under a number that was reserved for a message."""


class Books(NamedTuple):
    """What all ledgers of a server share.

    Attributes:
        away_seconds: After the database has been away for so long, nobody waits for it any more.
        in_flight: The parcels that wait for their commit, oldest first.
    """

    store: StoreAccess
    fates: FateLog
    away_seconds: float
    note: Callable[[object], None]
    now_ms: Callable[[], int]
    new_token: Callable[[], str]
    in_flight: dict[Parcel, None]


@final
class Parcel:
    """One message for one account.

    Attributes:
        origin: The name under which it was received, where it has one.
        seq: Its number in the account's log, once it has one.
        outbound: The places in sessions that it has been given.
        is_open: Whether it may be written to streams.
        is_committed: Whether it stands in the log.
        outstanding: The sessions that have not acknowledged it yet.
        was_acknowledged: Whether one has, or has it without having to.
    """

    __slots__ = (
        "_expected",
        "_readers",
        "at_ms",
        "is_committed",
        "is_open",
        "ledger",
        "origin",
        "outbound",
        "outstanding",
        "seq",
        "stanza",
        "stanza_id",
        "was_acknowledged",
    )

    def __init__(self, stanza: Stanza | None, expected: int = 0) -> None:
        receipt = None if stanza is None else stanza.receipt
        self.stanza = stanza  # until it is committed
        self.at_ms = 0
        self.stanza_id = ""
        self.origin = None if receipt is None else StanzaNumber(receipt.sm_id, receipt.number)
        self.seq: int | None = None
        self.ledger: Ledger | None = None
        self.outbound: tuple[OutboundNumber, ...] = ()
        self.is_open = False
        self.is_committed = False
        self.outstanding = 0
        self.was_acknowledged = False
        self._expected = expected
        self._readers: list[Mailbox[Any]] = []

    def place(self, ledger: Ledger, place: OutboundNumber, reader: Mailbox[Any]) -> None:
        """A session has given it a place, and wants a signal when it may be written."""
        if self.ledger is None:
            self.ledger = ledger
            self.at_ms = ledger.books.now_ms()
            self.stanza_id = ledger.books.new_token()
            if self._expected > 1 or ledger.placed:
                ledger.placed.append(self)
        self.outbound = (*self.outbound, place)
        self.outstanding += 1
        self._readers.append(reader)
        self.decline()

    def join(self, place: OutboundNumber) -> None:
        """A session writes it at once, record or not; if there is to be one, it is owed that as well."""
        self.outbound = (*self.outbound, place)
        self.outstanding += 1
        self.decline()

    def taken(self) -> None:
        """A client that acknowledges nothing got it: should the others not, it is not lost."""
        self.was_acknowledged = True
        self.decline()

    def decline(self) -> None:
        """One less session to wait for."""
        self._expected -= 1
        if self._expected == 0 and self.ledger is not None:
            assert self.stanza is not None
            if self.stanza.receipt is not None:
                self.stanza.receipt.hold()
            self.ledger.log_in_order(self)

    @property
    def is_placed(self) -> bool:
        """Whether every session that is to get it has given it a place, or does not take it."""
        return self._expected <= 0

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is in the log, or another session's, whose client has it or is to get it."""
        is_with_others = self._expected > 0 or self.outstanding > 0 or self.was_acknowledged
        return self.ledger is not None or is_with_others

    def refuse(self) -> bool:
        """One session cannot take it; whether nobody is left who could, or has."""
        self.decline()
        return not (self._expected or self.outbound or self.was_acknowledged)

    def open(self) -> None:
        """Let sessions write it."""
        self.is_open = True
        readers, self._readers = self._readers, []
        for reader in readers:
            reader.signal(GATE)

    def record(self) -> LogRecord:
        """What is written into the log; always the same."""
        assert self.stanza is not None
        assert self.seq is not None
        assert self.ledger is not None
        sender = self.stanza.sender
        return LogRecord(
            owner=self.ledger.bare_jid,
            seq=self.seq,
            stanza_id=self.stanza_id,
            peer="" if sender is None else sender.full,
            direction=Direction.IN,
            at_ms=self.at_ms,
            data=self.stanza.data,
            inbound=self.origin,
            outbound=self.outbound,
            pending=True,
        )


def logged_parcel(
    ledger: Ledger, seq: int, at_ms: int, origin: StanzaNumber | None, outstanding: int = 1
) -> Parcel:
    """A parcel that stands in the log, owed to so many sessions."""
    parcel = Parcel(None)
    parcel.at_ms, parcel.origin, parcel.seq = at_ms, origin, seq
    parcel.ledger, parcel.outstanding = ledger, outstanding
    parcel.is_open = parcel.is_committed = True
    ledger.owed[seq] = parcel
    return parcel


@final
class Ledger:
    """See the module's docstring.

    Attributes:
        next_seq: The next free number of the log.
        limit: The highest that is reserved; a number above it is nobody's yet.
        placed: Parcels that some session has given a place and another not yet, and those that came behind.
        owed: Parcels by number, from their logging until they are settled, or back in the offline queue.
        done: Those of them that every session is done with, to be settled when that is safe.
        ripe: Those of which it is safe, to be settled when it is the ledger's turn.
        refill: Asks the account's actor for more numbers.
        grown: Tells it that something is back in the offline queue; once, until it has looked.
    """

    __slots__ = (
        "_readings",
        "bare_jid",
        "books",
        "done",
        "grown",
        "has_grown",
        "is_refilling",
        "limit",
        "next_seq",
        "owed",
        "placed",
        "refill",
        "ripe",
        "waiting",
    )

    def __init__(
        self, bare_jid: str, books: Books, refill: Callable[[], None], grown: Callable[[], None]
    ) -> None:
        self.bare_jid = bare_jid
        self.books = books
        self.refill = refill
        self.grown = grown
        self.has_grown = False
        self.next_seq = 1
        self.limit = 0
        self.is_refilling = False
        self.placed: deque[Parcel] = deque()
        self.owed: dict[int, Parcel] = {}
        self.done: list[Parcel] = []
        self.ripe: deque[Parcel] = deque()
        self.waiting: list[Parcel] = []
        self._readings: list[set[int]] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do here."""
        return not (self.placed or self.owed or self.done or self.ripe or self.waiting)

    @property
    def left(self) -> int:
        """How many numbers are reserved and free."""
        return self.limit - self.next_seq + 1

    def take_seq(self) -> int:
        """The next number of the log, of which there must be some left."""
        assert self.left > 0, "no number was reserved"
        self.next_seq += 1
        return self.next_seq - 1

    def reserved(self, first: int, limit: int) -> None:
        """The numbers from `first` to `limit` may be used as well; those that wait get theirs."""
        self.is_refilling = False
        if first != self.limit + 1 or self.left <= 0:
            self.next_seq = first
        self.limit = limit
        for parcel in self._take_waiting():
            self.log(parcel)

    def ask_for_more(self) -> None:
        """Have numbers reserved, unless that is under way."""
        if not self.is_refilling:
            self.is_refilling = True
            self.refill()

    def log_in_order(self, parcel: Parcel) -> None:
        """Write a parcel into the log, behind those that were given a place before it.

        Logged sooner, it would come before them to whoever resumes after a crash in between.
        """
        if not self.placed:
            self.log(parcel)
        while self.placed and self.placed[0].is_placed:
            self.log(self.placed.popleft())

    def log(self, parcel: Parcel) -> None:
        """Write a parcel into the log, as soon as there is a number for it."""
        if self.left <= SEQ_LOW:
            self.ask_for_more()
        if self.books.store.is_away_for(self.books.away_seconds):
            parcel.open()
        if self.left <= 0:
            self._wait(parcel)
            return
        parcel.seq = self.take_seq()
        self.owed[parcel.seq] = parcel
        self.books.in_flight[parcel] = None
        assert parcel.stanza is not None
        self.books.fates.note(MessageFate.QUEUED, parcel.stanza, seq=parcel.seq)
        reply = self.books.store.log(InsertRecord(parcel.record()))
        if reply.is_filled:
            self._logged(parcel, reply)
        else:
            reply.on_filled = lambda: self._logged(parcel, reply)

    def _wait(self, parcel: Parcel) -> None:
        assert parcel.stanza is not None
        self.waiting.append(parcel)
        self.books.store.unnumbered += 1
        self.books.store.unnumbered_bytes += parcel.stanza.size

    def _take_waiting(self) -> Sequence[Parcel]:
        waiting, self.waiting = self.waiting, []
        self.books.store.unnumbered -= len(waiting)
        self.books.store.unnumbered_bytes -= sum(each.stanza.size for each in waiting if each.stanza)
        return waiting

    def abandon(self) -> None:
        """The account has been deleted, and its log with it: what has no number is nobody's to wait for."""
        for parcel in self._take_waiting():
            stanza, parcel.stanza = parcel.stanza, None
            if stanza is not None and stanza.receipt is not None:
                stanza.receipt.release()
            parcel.open()

    def _logged(self, parcel: Parcel, reply: Reply[list[Outcome]]) -> None:
        """The commit has an outcome; where it is a fault of ours the message is delivered all the same."""
        self.books.in_flight.pop(parcel, None)
        stanza, parcel.stanza = parcel.stanza, None
        assert stanza is not None
        parcel.is_committed = is_committed = _is_committed(reply)
        if is_committed:
            self.books.fates.note(MessageFate.LOGGED, stanza, seq=parcel.seq, detail=parcel.stanza_id)
        else:
            self.books.note(RecordRefusedError(f"{self.bare_jid}, number {parcel.seq}: {_outcome(reply)}"))
        receipt = stanza.receipt
        if receipt is not None:
            receipt.is_logged |= is_committed
            receipt.release()
        parcel.open()
        if parcel.outstanding == 0:
            self._is_done(parcel)

    # -- what becomes of it

    def acknowledged(self, parcel: Parcel) -> None:
        """A session's client has it."""
        parcel.was_acknowledged = True
        self.given_up(parcel)

    def given_up(self, parcel: Parcel) -> None:
        """A session is done with it, one way or the other."""
        parcel.outstanding -= 1
        if parcel.outstanding == 0 and parcel.stanza is None:
            self._is_done(parcel)

    def _is_done(self, parcel: Parcel) -> None:
        if parcel.was_acknowledged:
            self.done.append(parcel)
        elif parcel.seq is not None:
            self.owed.pop(parcel.seq, None)  # it waits in the log for whichever resource can take it
            if not self.has_grown:
                self.has_grown = True
                self.grown()

    def revived(self) -> None:
        """All sessions that came back have said what they owe: what nobody owes any more is done."""
        self.done += [parcel for parcel in self.owed.values() if parcel.outstanding == 0]

    def take_off(self, seq: int, at_ms: int, origin: StanzaNumber | None) -> None:
        """A message of the offline queue is dealt with: it leaves the log when that is safe."""
        self.acknowledged(logged_parcel(self, seq, at_ms, origin))

    def is_owed(self, seq: int) -> bool:
        """Whether a record is a session's, or settled, rather than part of the offline queue."""
        return seq in self.owed

    def settled(self, parcels: Sequence[Parcel]) -> None:
        """These have left the log."""
        for parcel in parcels:
            assert parcel.seq is not None
            self.owed.pop(parcel.seq, None)
            for gone in self._readings:
                gone.add(parcel.seq)

    @contextmanager
    def reading(self) -> Iterator[set[int]]:
        """While the log is being read: what has left it meanwhile, though it may have been read."""
        gone: set[int] = set()
        self._readings.append(gone)
        try:
            yield gone
        finally:
            self._readings[:] = [each for each in self._readings if each is not gone]


def _is_committed(reply: Reply[list[Outcome]]) -> bool:
    """Whether the record stands in the log; so it does if it met itself, under this or an earlier number."""
    if not reply.succeeded:
        return False
    (outcome,) = reply.result()
    if not isinstance(outcome, Refused):
        return True
    reason = outcome.reason
    return isinstance(reason, Conflict) and reason.kind is ConflictKind.REPEATED


def _outcome(reply: Reply[list[Outcome]]) -> object:
    try:
        return reply.result()
    except Exception as error:  # noqa: BLE001 - it is about to be reported
        return error
