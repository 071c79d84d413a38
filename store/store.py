"""What the server asks of a database, whichever it is.

The methods block: actors call them from worker threads, the simulation calls the memory driver's inline.
One store may be used by several threads at once. Every method but `close` raises `StoreUnavailable` if the
database is away, within a few seconds, and `StoreUnusable` if no waiting will help.
"""

from collections.abc import Sequence
from typing import Protocol

from protocols.sasl.keys import ScramKeys
from store.log import LogRecord
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
        Accounts are written first, then records settled, then records inserted.

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
