"""A desk for tests of the batcher: the memory store behind a driver thread that the test plays."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from trio.testing import wait_all_tasks_blocked

from actors.store_access import StoreAccess
from actors.store_batcher import batcher_spec
from store.memory.driver import MemoryStore
from store.writes import InsertRecord
from supervision.reply import Reply
from supervision.supervisor import supervisor_spec
from tests.store.samples import make_record
from tests.supervision.stage import PATIENT, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from store.memory.faults import Fault
    from store.writes import Outcome, Write
    from supervision.child_spec import Intensity

R = TypeVar("R")

BATCHER: Final = "/store/batcher"
AWAY_SECONDS_MAX: Final = 5.0
WAITING_BYTES_MAX: Final = 100_000
OWNER: Final = "juliet@example.com"


class DriverThread:
    """Does its jobs when the test says so, or at once while `is_quick`."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[Callable[[], Any], Reply[Any]]] = deque()
        self.is_quick = False

    def submit(self, job: Callable[[], R]) -> Reply[R]:
        reply: Reply[R] = Reply()
        self.jobs.append((job, reply))
        if self.is_quick:
            self.work()
        return reply

    def work(self) -> None:
        """Do the next job."""
        job, reply = self.jobs.popleft()
        try:
            reply.set(job())
        except Exception as error:  # noqa: BLE001 - whatever it was is the caller's to see
            reply.fail(error)


class Desk:
    """A batcher, what it is asked, and what reaches the database."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.thread = DriverThread()
        self.access = StoreAccess(self.thread)
        self.faults: deque[Fault | None] = deque()
        self.error: Exception | None = None
        self.batches: list[list[Write]] = []
        self.pings = 0
        self.notes: list[object] = []
        self.store = MemoryStore(self._next_fault)
        self.store.open()
        commit = self.store.commit

        def note(batch: Sequence[Write]) -> list[Outcome]:
            self.batches.append(list(batch))
            if self.error is not None:
                raise self.error
            return commit(batch)

        self.store.commit = note  # type: ignore[method-assign] # to see what comes
        self.access.set_driver(self.store)

    def _next_fault(self, operation: str) -> Fault | None:
        self.pings += operation == "ping"
        if operation == "ping" and self.error is not None:
            raise self.error
        return self.faults.popleft() if self.faults else None

    def submit(self, *writes: Write) -> Reply[list[Outcome]]:
        return self.access.submit(writes)

    async def work(self) -> None:
        """The driver has come back with its job, and the batcher has taken note."""
        await wait_all_tasks_blocked()
        self.thread.work()
        await wait_all_tasks_blocked()

    @asynccontextmanager
    async def open(self, intensity: Intensity = PATIENT) -> AsyncIterator[Desk]:
        """Run the batcher under a supervisor of its own, as in the server."""
        batcher = batcher_spec(
            self.access, self.thread, AWAY_SECONDS_MAX, WAITING_BYTES_MAX, self.notes.append
        )
        store = supervisor_spec("store", [batcher], intensity=intensity)
        async with self.stage.with_timers(store):
            yield self


def make_write(seq: int) -> Write:
    """One message for the log."""
    return InsertRecord(make_record(OWNER, seq))


def stored(desk: Desk) -> list[int]:
    """The numbers of the messages in the log."""
    return sorted(desk.store._log[OWNER])
