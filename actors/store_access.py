"""How actors reach the store: reads through a bounded pool of threads, writes through the batcher.

Nothing else in the tree touches a database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, final

import trio

from actors.store_batcher import WAITING_BYTES_MAX, BatcherState
from actors.store_messages import BatcherMessage, Commit
from store.errors import StoreUnavailable, StoreUnusable
from supervision.reply import DeadlineExceeded, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.blocking import BlockingPool
    from protocols.sasl.keys import ScramKeys
    from store.account_items import AccountItem
    from store.log import LogRecord
    from store.sessions import SessionRecord, SessionSummary
    from store.store import Store
    from store.users import User
    from store.writes import Outcome, Write
    from supervision.ref import Ref

R = TypeVar("R")

READ_SECONDS_MAX: Final = 15.0
"""Longer than the drivers' own time-outs, so that theirs are what is seen where nobody else waits."""
READ_ALL_SECONDS_MAX: Final = 60.0
"""For what is read once, when the server starts."""
LOG_WAITING_MAX: Final = 15_000
"""Messages that may wait to be logged: less than the batcher's mailbox holds, which others use as well."""


@final
class StoreAccess:
    """One per server.

    The driver is set, and replaced, by the actor that owns the connection to the database.

    Attributes:
        batches: What waits to be written; it outlives the batcher and its supervisor as well.
        unnumbered: Messages that wait for a number before they can be given to `log`.
        unnumbered_bytes: What they weigh.
    """

    def __init__(self, readers: BlockingPool, log_bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._readers = readers
        self.log_bytes_max = log_bytes_max
        self._driver: Store | None = None
        self._batcher: Ref[BatcherMessage] | None = None
        self.batches = BatcherState()
        self.unnumbered = 0
        self.unnumbered_bytes = 0

    def set_driver(self, driver: Store) -> None:
        """Use this driver from now on."""
        self._driver = driver

    def set_batcher(self, batcher: Ref[BatcherMessage]) -> None:
        """Write through this batcher."""
        self._batcher = batcher

    @property
    def driver(self) -> Store:
        """The driver as it is now.

        Raises:
            StoreUnavailable: there has been none yet.
        """
        if self._driver is None:
            raise StoreUnavailable("the database has not been started yet")
        return self._driver

    @property
    def is_away(self) -> bool:
        """Whether the database does not answer just now."""
        return self._driver is None or self.batches.away_since is not None

    def read(self, query: Callable[[Store], R]) -> Reply[R]:
        """Run a query in a thread; a `StoreUnavailable` comes in the reply."""

        def run() -> R:
            try:
                return query(self.driver)
            except StoreUnusable as error:  # somebody has to act, but not every reader
                raise StoreUnavailable(str(error)) from error

        return self._readers.submit(run)

    def read_credentials(self, bare_jid: str) -> Reply[tuple[ScramKeys, ...] | None]:
        """The keys of an account, None if there is none."""
        return self.read(lambda store: store.credentials(bare_jid))

    async def read_user(self, bare_jid: str) -> User | None:
        """The document of an account.

        Raises:
            StoreUnavailable: the database is away.
        """
        return await _answer(self.read(lambda store: store.user(bare_jid)))

    async def read_pending(
        self, owner: str, after_seq: int, up_to_seq: int, count_max: int
    ) -> Sequence[LogRecord]:
        """The messages that wait for an account behind this number, in order.

        Raises:
            StoreUnavailable: the database is away.
        """
        if not up_to_seq:
            return ()
        query = self.read(lambda store: store.pending(owner, after_seq, up_to_seq, count_max))
        return await _answer(query)

    async def read_items(self, owner: str, kind: str) -> Sequence[AccountItem]:
        """Everything of a kind that an account keeps, by key.

        Raises:
            StoreUnavailable: the database is away.
        """
        return await _answer(self.read(lambda store: store.items(owner, kind)))

    async def find_items(self, kind: str, first: str, last: str, count_max: int) -> Sequence[AccountItem]:
        """What all accounts keep of a kind to be found by a text between these; see `Store.found_items`.

        Raises:
            StoreUnavailable: the database is away.
        """
        return await _answer(self.read(lambda store: store.found_items(kind, first, last, count_max)))

    def submit(self, writes: tuple[Write, ...]) -> Reply[list[Outcome]]:
        """Write, as durably as the server is set to; the reply has an outcome for each.

        It fails with `StoreUnavailable` if the database is away and nothing was written. Whoever waits for it
        may die and have a successor wait on: the batcher goes on for as long as it takes.
        """
        assert self._batcher is not None, "the batcher has not been started yet"
        reply: Reply[list[Outcome]] = Reply()
        if not self._batcher.cast(Commit(writes, reply)):
            reply.fail(StoreUnavailable("too much waits to be written"))
        return reply

    def log(self, write: Write) -> Reply[list[Outcome]]:
        """Write, however long the database may be away; the reply fails only where that can never be done.

        Ask `is_full` first: what is given here is kept in memory until it is committed.
        """
        assert self._batcher is not None, "the batcher has not been started yet"
        reply: Reply[list[Outcome]] = Reply()
        if not self._batcher.cast(Commit((write,), reply, waits_out=True)):
            reply.fail(StoreUnavailable("too much waits to be written"))
        return reply

    @property
    def is_full(self) -> bool:
        """Whether no more may be given to `log`: the database is away, or too slow for what comes."""
        if self._batcher is None:
            return True
        waiting = len(self.batches.waiting) + len(self._batcher.slot.mailbox.queue) + self.unnumbered
        waiting_bytes = self.batches.waiting_bytes + self.unnumbered_bytes
        return waiting >= LOG_WAITING_MAX or waiting_bytes >= self.log_bytes_max

    def is_away_for(self, seconds: float) -> bool:
        """Whether the database has not answered for so long."""
        since = self.batches.away_since
        return since is not None and trio.current_time() - since >= seconds

    async def read_session_summaries(self) -> Sequence[SessionSummary]:
        """Every session that waits in the database.

        Raises:
            StoreUnavailable: the database is away.
        """
        return await _answer(self.read(lambda store: store.sessions()), READ_ALL_SECONDS_MAX)

    async def read_sessions(self, sm_ids: Sequence[str]) -> Sequence[SessionRecord]:
        """The documents of these sessions, as far as there are any.

        Raises:
            StoreUnavailable: the database is away.
        """
        return await _answer(self.read(lambda store: store.session_records(sm_ids)))

    async def read_logged_numbers(self, sm_id: str, after: int, count_max: int) -> Sequence[int]:
        """The numbers behind this one under which stanzas of a session's client stand in logs, in order.

        Raises:
            StoreUnavailable: the database is away.
        """
        query = self.read(lambda store: store.logged_numbers(sm_id, after, count_max))
        return await _answer(query)

    async def read_logged_stanzas(
        self, sm_id: str, after: int, count_max: int
    ) -> Sequence[tuple[int, bytes]]:
        """Those numbers, each with the stanza as it was delivered.

        Raises:
            StoreUnavailable: the database is away.
        """
        query = self.read(lambda store: store.logged_stanzas(sm_id, after, count_max))
        return await query.wait(READ_SECONDS_MAX)

    def cast(self, write: Write) -> None:
        """Write without waiting for the outcome, behind what was given to `log` before; it is not refused."""
        assert self._batcher is not None, "the batcher has not been started yet"
        commit: Commit = Commit((write,), Reply(), waits_out=True)
        if not self._batcher.cast(commit):  # full: better out of order than not at all
            self._batcher.tell(commit)


async def _answer(reply: Reply[R], seconds_max: float = READ_SECONDS_MAX) -> R:
    """Wait for a query; a database with too much to do is away like one that does not answer.

    Raises:
        StoreUnavailable: there is no answer.
    """
    try:
        return await reply.wait(seconds_max)
    except DeadlineExceeded as error:
        raise StoreUnavailable("the database has too much to do") from error
