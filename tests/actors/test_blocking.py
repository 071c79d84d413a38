"""Tests of `actors.blocking`: real threads, whose jobs wait at gates that the tests open."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import blocking
from actors.blocking import PoolFullError, ThreadPool
from supervision.reply import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervision.reply import Reply

SECONDS_MAX: Final = 10.0
"""Bounds failure only."""


class Gate:
    """Jobs wait at it, in their threads."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.threads: list[str] = []

    def pass_through(self) -> int:
        """A job: returns the thread in which it ran."""
        self.threads.append(threading.current_thread().name)
        self.arrived.release()
        assert self._is_open.wait(SECONDS_MAX), "nobody has opened the gate"
        return threading.get_ident()

    def open(self) -> None:
        self._is_open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open in the end, so that no thread is left behind at it."""
    gate = Gate()
    yield gate
    gate.open()


def _fail() -> NoReturn:
    raise LookupError("no such thing")


async def test_submit_answers_with_the_value_from_another_thread() -> None:
    thread = await ThreadPool("pool", 1).submit(threading.get_ident).wait(SECONDS_MAX)
    assert thread != threading.get_ident()


async def test_submit_job_that_raises_fails_its_reply_and_spares_the_thread() -> None:
    pool = ThreadPool("pool", 1)
    with pytest.raises(LookupError, match="no such thing"):
        await pool.submit(_fail).wait(SECONDS_MAX)
    assert await pool.submit(lambda: "alive").wait(SECONDS_MAX) == "alive"


async def test_submit_job_that_wants_to_exit_fails_its_reply() -> None:
    """Whatever a job raises is for whoever asked: the thread must not end of it."""
    pool = ThreadPool("pool", 1)
    with pytest.raises(SystemExit):
        await pool.submit(lambda: exec("raise SystemExit")).wait(SECONDS_MAX)  # noqa: S102 - a job is a call
    assert await pool.submit(lambda: "alive").wait(SECONDS_MAX) == "alive"


async def test_submit_one_thread_keeps_the_order(gate: Gate) -> None:
    pool, order = ThreadPool("pool", 1), list[int]()
    first = pool.submit(gate.pass_through)
    rest = [pool.submit(partial(order.append, number)) for number in range(5)]
    assert order == []
    gate.open()
    await first.wait(SECONDS_MAX)
    for reply in rest:
        await reply.wait(SECONDS_MAX)
    assert order == [0, 1, 2, 3, 4]


async def test_submit_jobs_that_wait_make_threads_up_to_the_bound(gate: Gate) -> None:
    pool = ThreadPool("reader", 2)
    replies = [pool.submit(gate.pass_through) for _ in range(4)]
    for _ in range(2):
        assert await trio.to_thread.run_sync(lambda: gate.arrived.acquire(timeout=SECONDS_MAX))
    assert sorted(gate.threads) == ["reader-1", "reader-2"], "the others wait for one of these"
    gate.open()
    assert len({await reply.wait(SECONDS_MAX) for reply in replies}) == 2


async def test_submit_one_after_the_other_makes_one_thread() -> None:
    pool = ThreadPool("pool", 4)
    threads = {await pool.submit(threading.get_ident).wait(SECONDS_MAX) for _ in range(4)}
    assert len(threads) == 1


async def test_submit_to_a_full_pool_fails_at_once(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "JOBS_MAX", 2)
    pool = ThreadPool("pool", 1)
    taken = [pool.submit(gate.pass_through) for _ in range(2)]
    refused: Reply[int] = pool.submit(gate.pass_through)
    with pytest.raises(PoolFullError, match="2 jobs wait already"):
        refused.result()
    gate.open()
    for reply in taken:
        await reply.wait(SECONDS_MAX)
    assert len(gate.threads) == 2, "what was refused must not run"
    assert await pool.submit(gate.pass_through).wait(SECONDS_MAX), "there is room again"


async def test_submit_failed_jobs_make_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "JOBS_MAX", 1)
    pool = ThreadPool("pool", 1)
    for _ in range(3):
        with pytest.raises(LookupError):
            await pool.submit(_fail).wait(SECONDS_MAX)


async def test_submit_whoever_waits_is_cancelled_another_may_wait_for_the_same(gate: Gate) -> None:
    """As a new incarnation does for what its predecessor had asked for."""
    reply = ThreadPool("pool", 1).submit(gate.pass_through)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reply.wait, SECONDS_MAX)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    gate.open()
    assert await reply.wait(SECONDS_MAX)


async def test_submit_job_that_takes_too_long_for_the_caller_goes_on(gate: Gate) -> None:
    reply = ThreadPool("pool", 1).submit(gate.pass_through)
    with pytest.raises(DeadlineExceeded):
        await reply.wait(0)
    gate.open()
    assert await reply.wait(SECONDS_MAX)


def test_submit_loop_that_has_ended_lets_the_thread_end(gate: Gate) -> None:
    """A job may outlast the server; its answer is for nobody then."""
    pool = ThreadPool("outlasting", 1)

    async def submit() -> None:
        pool.submit(gate.pass_through)

    trio.run(submit)
    (worker,) = (each for each in threading.enumerate() if each.name == "outlasting-1")
    assert worker.daemon, "no exit may wait for it"
    gate.open()
    worker.join(SECONDS_MAX)
    assert not worker.is_alive()
