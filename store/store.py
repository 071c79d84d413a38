"""What the server asks of a database, whichever it is.

The methods block: actors call them from worker threads, the simulation calls the memory driver's inline.
One store may be used by several threads at once. Every method but `close` raises `StoreUnavailable` if the
database is away, within a few seconds, and `StoreUnusable` if no waiting will help.
"""

from collections.abc import Sequence
from typing import Protocol

from protocols.sasl.keys import ScramKeys
from store.account_items import AccountItem
from store.log import LogRecord
from store.sessions import SessionRecord, SessionSummary
from store.users import User
from store.writes import Outcome, Write


class Store(Protocol):
    """A database as the server sees it; each driver passes the same contract suite."""

    def open(self) -> None:
        """Make ready to connect; the database need not be there yet."""

    def close(self) -> None:
        """Give up all connections; whoever is still waiting gets `StoreUnavailable`."""

    def ping(self) -> None:
        """Return if the database answers."""

    def ensure_schema(self) -> None:
        """Bring the database to the present layout: collections, indexes, migrations.

        To be called once after each start, before anything is read or written; may take minutes on a large
        database after an upgrade.
        """

    def commit(self, batch: Sequence[Write]) -> list[Outcome]:
        """Carry out a batch, all its writes together, and return the outcome of each in turn.

        The batch shares round trips and the flush of the journal; it is no transaction. One write may be
        refused and its neighbours committed, so what depends on a write waits for that write's outcome.
        Accounts are written first, then what they keep, sessions saved, records settled, records inserted,
        sessions dropped.
        Whatever is cut off in between, it is on the safe side. A record that stood for its sender's counter
        goes only after the counter is saved, so that the stanza sent again is known. What a session's
        document alone held is in the log before the document goes. The remaining danger, a counter saved
        before the record of a stanza that it covers, is kept out of the batch (`store.writes.batch_length`).

        Raises:
            StoreUnavailable: If the outcome of any write is not known, or nothing was attempted. Commit
                the identical batch again.
            ValueError: If the writes may not share a batch (`store.writes.batch_length`).
        """

    def user(self, bare_jid: str) -> User | None:
        """Return an account's document."""

    def credentials(self, bare_jid: str) -> tuple[ScramKeys, ...] | None:
        """Return an account's keys alone, which costs less than the document; None without an account."""

    def users(self, after: str | None, count_max: int) -> list[str]:
        """Return the next page of account names in a fixed order that is not alphabetical.

        Starts after the name given, whether or not it still exists. The page is empty at the end. A page of
        more than some thousands may take longer than the driver waits.
        """

    def pending(self, owner: str, after_seq: int, up_to_seq: int, count_max: int) -> list[LogRecord]:
        """Return undelivered records of an owner's log in order, the window's lower end excluded.

        The cost follows the number of undelivered records within the window, not the size of the log.
        """

    def record(self, owner: str, seq: int) -> LogRecord | None:
        """Return one record of an owner's log."""

    def logged_numbers(self, session: str, after: int, count_max: int) -> list[int]:
        """Return which numbers of a session, from `after + 1` to `after + count_max`, are in any log.

        In order, each once, however many logs have it. Whoever looks for the end of an unbroken run asks
        again with the last number for as long as the answer is full.
        """

    def logged_stanzas(self, session: str, after: int, count_max: int) -> list[tuple[int, bytes]]:
        """Return those numbers with what stands there, as delivered; of several logs that have it, in one."""

    def sessions(self) -> list[SessionSummary]:
        """Return a few facts about every stored session, ordered by id.

        To be called once after each start; there are as many as the server admits sessions. May take as
        long as `ensure_schema` where much was owed to them.
        """

    def session_records(self, sm_ids: Sequence[str]) -> list[SessionRecord]:
        """Return the documents of those sessions that are stored, in the order asked for; some hundreds."""

    def items(self, owner: str, kind: str) -> list[AccountItem]:
        """Return everything of a kind that an account keeps, by key; its writer bounds how much it is."""

    def found_items(self, kind: str, first: str, last: str, count_max: int) -> list[AccountItem]:
        """Return what all accounts keep of a kind to be found by a text from `first` to `last`, inclusive.

        In the order of those texts by code points, then of the owners; no more than `count_max`. The cost
        follows how much there is between the two, on some databases however few of them are wanted.
        """
