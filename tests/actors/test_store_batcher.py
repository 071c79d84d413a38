"""Tests of `actors.store_batcher`: the memory store behind a driver thread that the test plays."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest
import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

from actors import store_batcher
from actors.store_access import StoreAccess
from actors.store_batcher import RETRY_SECONDS, DatabaseAway, DatabaseBack, batcher_spec
from actors.store_messages import BatchDone, Commit
from store.errors import Conflict, ConflictKind, StoreUnavailable, StoreUnusable
from store.memory.driver import MemoryStore
from store.memory.faults import Fault
from store.writes import COMMITTED, CreateUser, InsertRecord, Refused, ReplaceUser, SettleRecords
from supervision.child_spec import Intensity
from supervision.exit_reason import Shutdown
from supervision.reply import ActorCrashed, Reply
from supervision.runtime import KillHere, Point
from supervision.supervisor import supervisor_spec
from tests.store.samples import make_record, make_user
from tests.supervision.stage import PATIENT, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from store.writes import Outcome, Write
    from supervision.slot import Slot

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


@pytest.fixture
def desk() -> Desk:
    return Desk()


def _write(seq: int) -> Write:
    return InsertRecord(make_record(OWNER, seq))


def _is_away(desk: Desk) -> bool:
    """In a function, as a type checker believes that a property stays what it was."""
    return desk.access.is_away


def _stored(desk: Desk) -> list[int]:
    return sorted(desk.store._log[OWNER])


# -- group commit


async def test_commit_answers_with_an_outcome_for_each_write(desk: Desk) -> None:
    async with desk.open():
        desk.store.commit([CreateUser(make_user(OWNER))])
        reply = desk.submit(_write(1), CreateUser(make_user(OWNER, created_ms=7)))
        await desk.work()
        taken = Refused(Conflict(ConflictKind.TAKEN, OWNER))
        assert reply.result() == [COMMITTED, taken]


async def test_commit_nothing_is_answered_without_the_database(desk: Desk) -> None:
    async with desk.open():
        reply = desk.submit()
        await wait_all_tasks_blocked()
        assert reply.result() == []
        assert not desk.thread.jobs


async def test_commits_that_came_together_are_one_batch(desk: Desk) -> None:
    async with desk.open():
        replies = [desk.submit(_write(seq)) for seq in (1, 2, 3)]
        await desk.work()
        assert desk.batches == [[_write(1), _write(2), _write(3)]]
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 3


async def test_commits_that_come_while_the_driver_is_busy_are_the_next_batch(desk: Desk) -> None:
    """One batch is with the driver at a time, and the next takes all that waits."""
    async with desk.open():
        first = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        later = []
        for seq in (2, 3, 4):
            later.append(desk.submit(_write(seq)))
            await wait_all_tasks_blocked()
        assert len(desk.thread.jobs) == 1
        await desk.work()
        assert first.is_filled
        assert not any(reply.is_filled for reply in later)
        await desk.work()
        assert desk.batches == [[_write(1)], [_write(2), _write(3), _write(4)]]
        assert all(reply.succeeded for reply in later)


async def test_commit_of_writes_that_may_not_share_a_batch_is_answered_after_the_last(desk: Desk) -> None:
    create, replace = CreateUser(make_user(OWNER)), ReplaceUser(make_user(OWNER, rev=2), 1)
    async with desk.open():
        reply = desk.submit(create, replace)
        await desk.work()
        assert not reply.is_filled
        await desk.work()
        assert desk.batches == [[create], [replace]]
        assert reply.result() == [COMMITTED, COMMITTED]


async def test_cast_is_committed_with_the_others(desk: Desk) -> None:
    async with desk.open():
        desk.access.cast(_write(1))
        desk.submit(_write(2))
        await desk.work()
        assert _stored(desk) == [1, 2]


# -- the database away


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_HALFWAY, Fault.LOST_ANSWER])
async def test_unknown_outcome_is_committed_again_identically(
    desk: Desk, fault: Fault, autojump_clock: trio.testing.MockClock
) -> None:
    """Until it is known, however long that takes; what waits behind it is given up in time."""
    desk.thread.is_quick = True
    desk.faults.extend([fault] * 40)
    async with desk.open():
        reply = desk.submit(_write(1), _write(2), _write(3))
        await wait_all_tasks_blocked()
        behind = desk.submit(_write(4))
        await trio.sleep(39.5 * RETRY_SECONDS)
        assert not reply.is_filled, "it may have taken effect"
        await trio.sleep(RETRY_SECONDS)
        assert reply.result() == [COMMITTED] * 3
        assert isinstance(_error_of(behind), StoreUnavailable), "nothing of it was ever tried"
        assert desk.batches == [[_write(1), _write(2), _write(3)]] * 41
        assert not desk.access.is_away


async def test_away_for_a_short_while_fails_nobody(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    desk.thread.is_quick = True
    desk.faults.extend([Fault.AWAY] * 3)
    async with desk.open():
        reply = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        assert _is_away(desk)
        await trio.sleep(3 * RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED]
        assert not desk.access.is_away


async def test_away_too_long_fails_what_had_no_effect(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """Both what was tried and what waits; then everything at once, until the database is back."""
    desk.thread.is_quick = True
    desk.faults.extend([Fault.AWAY] * 1_000)
    async with desk.open():
        tried = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        waits = desk.submit(_write(2))
        await trio.sleep(AWAY_SECONDS_MAX + 2 * RETRY_SECONDS)
        at_once = desk.submit(_write(3))
        await wait_all_tasks_blocked()
        for reply in (tried, waits, at_once):
            with pytest.raises(StoreUnavailable) as raised:
                reply.result()
            assert not raised.value.outcome_unknown
        assert _is_away(desk)
        desk.faults.clear()
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert not desk.access.is_away, "it asks by itself"
        reply = desk.submit(_write(4))
        await wait_all_tasks_blocked()
        assert reply.result() == [COMMITTED]
        assert _stored(desk) == [4]


async def test_away_too_long_unknown_outcome_is_kept(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """One try may have taken effect: the answers of later ones cannot undo that."""
    desk.thread.is_quick = True
    desk.faults.extend([Fault.LOST_ANSWER, *[Fault.AWAY] * 1_000])
    async with desk.open():
        reply = desk.submit(_write(1))
        await trio.sleep(4 * AWAY_SECONDS_MAX)
        assert not reply.is_filled
        refused = desk.submit(_write(2))
        await wait_all_tasks_blocked()
        with pytest.raises(StoreUnavailable):
            refused.result()
        desk.faults.clear()
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED]


async def test_error_that_no_try_mends_is_for_those_who_asked(desk: Desk) -> None:
    async with desk.open():
        desk.error = ZeroDivisionError("a fault")
        replies = [desk.submit(_write(1)), desk.submit(_write(2))]
        await desk.work()
        for reply in replies:
            with pytest.raises(ZeroDivisionError, match="a fault"):
                reply.result()
        desk.error = None
        reply = desk.submit(_write(3))
        await desk.work()
        assert reply.result() == [COMMITTED]


async def test_error_that_no_try_mends_ends_an_outage(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """The database has answered: whoever comes later is not refused for ever on account of it."""
    desk.thread.is_quick = True
    desk.faults.append(Fault.LOST_REQUEST)
    async with desk.open():
        failed = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        desk.error = ZeroDivisionError("a fault")
        await trio.sleep(2 * AWAY_SECONDS_MAX)
        assert isinstance(_error_of(failed), ZeroDivisionError)
        desk.error = None
        reply = desk.submit(_write(2))
        await wait_all_tasks_blocked()
        assert reply.result() == [COMMITTED]
        assert not desk.access.is_away
        desk.faults.extend([Fault.AWAY] * 1_000)
        given_up = desk.submit(_write(3))
        await trio.sleep(2 * AWAY_SECONDS_MAX)
        assert isinstance(_error_of(given_up), StoreUnavailable), "nothing is unknown about this one"


async def test_write_that_can_never_be_carried_out_is_its_author_s_alone(desk: Desk) -> None:
    async with desk.open():
        good = [desk.submit(_write(1)), desk.submit(_write(2))]
        bad = desk.submit(SettleRecords(OWNER, (), keep=False))
        await desk.work()
        assert isinstance(_error_of(bad), ValueError)
        assert [reply.result() for reply in good] == [[COMMITTED]] * 2


async def test_database_that_refuses_us_is_away_until_that_is_put_right(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """One wrong password must not be the death of everybody who writes."""
    desk.thread.is_quick = True
    async with desk.open():
        desk.error = StoreUnusable("no permission")
        given_up = desk.submit(_write(1))
        await trio.sleep(2 * AWAY_SECONDS_MAX)
        assert isinstance(_error_of(given_up), StoreUnavailable)
        assert _is_away(desk)
        desk.error = None
        await trio.sleep(2 * RETRY_SECONDS)
        assert not _is_away(desk)


async def test_away_and_back_are_noted_once_each(desk: Desk, autojump_clock: trio.testing.MockClock) -> None:
    desk.thread.is_quick = True
    desk.faults.extend([Fault.AWAY] * 4)
    async with desk.open():
        desk.submit(_write(1))
        await trio.sleep(10 * RETRY_SECONDS)
        away, back = desk.notes
        assert away == DatabaseAway("simulated: the database is away")
        assert isinstance(back, DatabaseBack)
        assert back.seconds == pytest.approx(4 * RETRY_SECONDS)


async def test_too_much_waits_in_bytes_is_refused(desk: Desk) -> None:
    async with desk.open():
        desk.submit(_write(1))
        await wait_all_tasks_blocked()
        refused = desk.submit(InsertRecord(make_record(OWNER, 2, data=bytes(WAITING_BYTES_MAX))))
        fits = [desk.submit(InsertRecord(make_record(OWNER, 3, data=bytes(WAITING_BYTES_MAX // 2))))]
        refused_too = desk.submit(InsertRecord(make_record(OWNER, 4, data=bytes(WAITING_BYTES_MAX // 2))))
        await wait_all_tasks_blocked()
        assert isinstance(_error_of(refused), StoreUnavailable)
        assert isinstance(_error_of(refused_too), StoreUnavailable)
        await desk.work()
        await desk.work()
        assert fits[0].result() == [COMMITTED]
        assert desk.access.batches.waiting_bytes == 0


async def test_too_much_waits_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_batcher, "WAITING_MAX", 3)
    async with desk.open():
        desk.submit(_write(1))
        await wait_all_tasks_blocked()
        fits = desk.submit(_write(2), _write(3))
        refused = desk.submit(_write(4), _write(5))
        await wait_all_tasks_blocked()
        assert isinstance(_error_of(refused), StoreUnavailable)
        await desk.work()
        await desk.work()
        assert fits.succeeded
        assert _stored(desk) == [1, 2, 3], "all of a commit or nothing"


def _error_of(reply: Reply[Any]) -> BaseException | None:
    assert reply.is_filled
    return reply._error


# -- deaths


async def test_kill_with_a_batch_at_the_driver_answers_each_caller_once(desk: Desk) -> None:
    async with desk.open():
        replies = [desk.submit(_write(seq)) for seq in (1, 2)]
        await wait_all_tasks_blocked()
        await desk.stage.kill(BATCHER)
        replies.append(desk.submit(_write(3)))
        await desk.work()
        await desk.work()
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 3
        assert [reply.late for reply in replies] == [0, 0, 0]
        assert desk.batches == [[_write(1), _write(2)], [_write(3)]]


async def test_kill_answer_that_comes_between_two_incarnations_is_heard(desk: Desk) -> None:
    async with desk.open():
        reply = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        desk.stage.ref(BATCHER).kill()
        desk.thread.work()
        await wait_all_tasks_blocked()
        assert reply.result() == [COMMITTED]
        assert len(desk.batches) == 1


async def test_kill_between_two_tries_goes_on_trying(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    desk.thread.is_quick = True
    desk.faults.extend([Fault.LOST_REQUEST] * 2)
    async with desk.open():
        reply = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        for _ in range(3):
            await desk.stage.kill(BATCHER)
        await trio.sleep(2 * RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED]
        assert len(desk.batches) == 3, "a new incarnation tries no more often"


def _kill_at(point: Point, kind: type, times: int) -> Callable[[Point, Slot[Any], object], None]:
    left = [None] * times

    def probe(at: Point, slot: Slot[Any], message: object) -> None:
        if left and at is point and isinstance(message, kind) and slot.spec.id == "batcher":
            left.pop()
            raise KillHere

    return probe


@pytest.mark.parametrize("point", [Point.BEFORE_DECIDE, Point.AFTER_DECIDE])
async def test_kill_with_a_commit_in_hand_commits_it_once(desk: Desk, point: Point) -> None:
    desk.stage.runtime.probe = _kill_at(point, Commit, times=1)
    async with desk.open():
        replies = [desk.submit(_write(seq)) for seq in (1, 2)]
        await desk.work()
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 2
        assert desk.batches == [[_write(1), _write(2)]]


async def test_kill_a_suspect_write_that_nobody_waits_for_is_kept(desk: Desk) -> None:
    """There is nobody who could be told, or who would try again."""
    desk.stage.runtime.probe = _kill_at(Point.BEFORE_DECIDE, Commit, times=2)
    async with desk.open():
        desk.access.cast(_write(1))
        await desk.work()
        assert _stored(desk) == [1]


@pytest.mark.parametrize(("point", "times"), [(Point.BEFORE_DECIDE, 2), (Point.IN_APPLY, 1)])
async def test_kill_a_suspect_commit_is_refused_and_others_go_on(
    desk: Desk, point: Point, times: int
) -> None:
    desk.stage.runtime.probe = _kill_at(point, Commit, times)
    async with desk.open():
        suspect, innocent = desk.submit(_write(1)), desk.submit(_write(2))
        await desk.work()
        assert isinstance(_error_of(suspect), ActorCrashed)
        assert innocent.result() == [COMMITTED]
        assert _stored(desk) == [2]


@pytest.mark.parametrize(
    ("point", "times"), [(Point.BEFORE_DECIDE, 1), (Point.BEFORE_DECIDE, 2), (Point.IN_APPLY, 1)]
)
async def test_kill_with_the_answer_in_hand_does_not_lose_it(desk: Desk, point: Point, times: int) -> None:
    """Set aside, it would leave its callers waiting, and everybody behind them."""
    desk.stage.runtime.probe = _kill_at(point, BatchDone, times)
    async with desk.open():
        reply = desk.submit(_write(1))
        await desk.work()
        assert reply.result() == [COMMITTED]
        reply = desk.submit(_write(2))
        await desk.work()
        assert reply.result() == [COMMITTED]


async def test_supervisor_given_up_its_successor_answers_those_who_wait(desk: Desk) -> None:
    """What is with the driver, and what waits behind it, is not lost with their state."""
    async with desk.open(Intensity(restarts=0, period_seconds=1.0)):
        replies = [desk.submit(_write(1))]
        await wait_all_tasks_blocked()
        replies.append(desk.submit(_write(2)))
        await wait_all_tasks_blocked()
        await desk.stage.kill(BATCHER)
        assert desk.stage.slot("/store").incarnation == 2, "the whole store began anew"
        await desk.work()
        await desk.work()
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 2
        assert desk.batches == [[_write(1)], [_write(2)]]


async def test_supervisor_given_up_between_two_tries_its_successor_tries_on(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    desk.thread.is_quick = True
    desk.faults.append(Fault.LOST_ANSWER)
    async with desk.open(Intensity(restarts=0, period_seconds=1.0)):
        reply = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        await desk.stage.kill(BATCHER)
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED]
        assert desk.batches == [[_write(1)]] * 2


# -- the end


async def test_orderly_stop_commits_what_has_been_accepted(desk: Desk) -> None:
    """A batch is with the driver and another waits: both are written before the batcher has gone."""
    async with desk.open():
        first = desk.submit(_write(1))
        await wait_all_tasks_blocked()
        second = desk.submit(_write(2))
        await wait_all_tasks_blocked()
        desk.stage.ref(BATCHER).stop(Shutdown())
        await desk.work()
        await desk.work()
        assert first.result() == second.result() == [COMMITTED]
        assert _stored(desk) == [1, 2]


async def test_write_that_nobody_waits_for_outlasts_an_outage(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """Callers are told that the database is away; what was cast is written when it is back."""
    desk.thread.is_quick = True
    async with desk.open():
        desk.faults.extend([Fault.AWAY] * 1_000)
        desk.access.cast(_write(1))
        waiting = desk.submit(_write(2))
        await trio.sleep(2 * AWAY_SECONDS_MAX)
        with pytest.raises(StoreUnavailable):
            waiting.result()
        desk.access.cast(_write(3))
        desk.faults.clear()
        await trio.sleep(1)
        assert _stored(desk) == [1, 3]
