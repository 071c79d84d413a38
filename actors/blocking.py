"""The one way to work that blocks: database calls and password hashing, in threads of our own.

A job's answer is a `Reply`, filled on the loop. Handing a job over costs a microsecond, and whoever waits
may be cancelled or die: the thread goes on, and a later incarnation can wait for the same reply. The
simulation runs jobs inline instead.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar, final

import trio

from supervision.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

JOBS_MAX: Final = 10_000
"""Jobs that may wait for one pool; at a millisecond each, ten seconds of work."""


class PoolFullError(Exception):
    """Too many jobs wait already."""


class BlockingPool(Protocol):
    """Where blocking work runs."""

    def submit(self, job: Callable[[], R]) -> Reply[R]:
        """Start `job` soon; its value or exception is in the reply. A full pool fails the reply at once."""


class _Job(NamedTuple, Generic[R]):
    run: Callable[[], R]
    reply: Reply[R]


@final
class ThreadPool:
    """Threads that are made when there is work for them and then stay.

    Daemons, so that no exit waits for one.
    """

    def __init__(self, name: str, threads_max: int) -> None:
        self._name = name
        self._threads_max = threads_max
        self._threads = 0
        self._jobs: SimpleQueue[_Job[Any]] = SimpleQueue()
        self._pending = 0
        self._token: trio.lowlevel.TrioToken | None = None

    def submit(self, job: Callable[[], R]) -> Reply[R]:
        """See `BlockingPool`."""
        reply: Reply[R] = Reply()
        if self._pending >= JOBS_MAX:
            reply.fail(PoolFullError(f"{self._name}: {JOBS_MAX} jobs wait already"))
            return reply
        self._pending += 1
        if self._token is None:
            self._token = trio.lowlevel.current_trio_token()
        if self._threads < self._threads_max and self._pending > self._threads:
            self._threads += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._jobs.put(_Job(job, reply))
        return reply

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            value: Any = None
            error: BaseException | None = None
            try:
                value = job.run()
            except BaseException as raised:  # noqa: BLE001  # whatever it was is the caller's to see
                error = raised
            assert self._token is not None
            try:
                self._token.run_sync_soon(self._finish, job.reply, value, error)
            except trio.RunFinishedError:
                return

    def _finish(self, reply: Reply[Any], value: object, error: BaseException | None) -> None:
        self._pending -= 1
        if error is None:
            reply.set(value)
        else:
            reply.fail(error)
