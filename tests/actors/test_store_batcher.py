"""Tests of `actors.store_batcher`: the memory store behind a driver thread that the test plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

from actors import store_batcher
from actors.store_batcher import RETRY_SECONDS, DatabaseAway, DatabaseBack
from actors.store_messages import BatchDone, Commit
from store.errors import Conflict, ConflictKind, StoreUnavailable, StoreUnusable
from store.memory.faults import Fault
from store.writes import (
    COMMITTED,
    CreateUser,
    InsertRecord,
    Refused,
    ReplaceUser,
    SettleRecords,
    cost_us,
)
from supervision.child_spec import Intensity
from supervision.reply import Reply
from supervision.runtime import KillHere, Point
from tests.actors.batcher_desk import (
    AWAY_SECONDS_MAX,
    BATCHER,
    OWNER,
    WAITING_BYTES_MAX,
    Desk,
    make_write,
    stored,
)
from tests.store.samples import make_record, make_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision.slot import Slot

R = TypeVar("R")

INSERT_US = cost_us(make_write(1))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def _is_away(desk: Desk) -> bool:
    """In a function, as a type checker believes that a property stays what it was."""
    return desk.access.is_away


# -- group commit


async def test_batch_is_smaller_as_long_as_the_database_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it could not do in time is asked again as it was; what follows is less, down to a bound."""
    monkeypatch.setattr(store_batcher, "BATCH_US_MAX", 16 * INSERT_US)
    monkeypatch.setattr(store_batcher, "BATCH_US_MIN", 2 * INSERT_US)
    desk = Desk()
    async with desk.open():
        desk.store.commit([CreateUser(make_user(OWNER))])
        desk.batches.clear()
        desk.faults.extend([Fault.LOST_ANSWER] * 4)
        replies = [desk.submit(make_write(seq)) for seq in range(1, 101)]
        while not all(reply.is_filled for reply in replies):
            await desk.work()
            await trio.sleep(RETRY_SECONDS)
        assert [len(batch) for batch in desk.batches] == [16, 16, 16, 16, 16, 4, 8, 16, 16, 16, 16, 8]
        assert stored(desk) == list(range(1, 101))


async def test_commit_answers_with_an_outcome_for_eachmake_write(desk: Desk) -> None:
    async with desk.open():
        desk.store.commit([CreateUser(make_user(OWNER))])
        reply = desk.submit(make_write(1), CreateUser(make_user(OWNER, created_ms=7)))
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
        replies = [desk.submit(make_write(seq)) for seq in (1, 2, 3)]
        await desk.work()
        assert desk.batches == [[make_write(1), make_write(2), make_write(3)]]
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 3


async def test_commits_that_come_while_the_driver_is_busy_are_the_next_batch(desk: Desk) -> None:
    """One batch is with the driver at a time, and the next takes all that waits."""
    async with desk.open():
        first = desk.submit(make_write(1))
        await wait_all_tasks_blocked()
        later = []
        for seq in (2, 3, 4):
            later.append(desk.submit(make_write(seq)))
            await wait_all_tasks_blocked()
        assert len(desk.thread.jobs) == 1
        await desk.work()
        assert first.is_filled
        assert not any(reply.is_filled for reply in later)
        await desk.work()
        assert desk.batches == [[make_write(1)], [make_write(2), make_write(3), make_write(4)]]
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
        desk.access.cast(make_write(1))
        desk.submit(make_write(2))
        await desk.work()
        assert stored(desk) == [1, 2]


# -- the database away


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_HALFWAY, Fault.LOST_ANSWER])
async def test_unknown_outcome_is_committed_again_identically(
    desk: Desk, fault: Fault, autojump_clock: trio.testing.MockClock
) -> None:
    """Until it is known, however long that takes; what waits behind it is given up in time."""
    desk.thread.is_quick = True
    desk.faults.extend([fault] * 40)
    async with desk.open():
        reply = desk.submit(make_write(1), make_write(2), make_write(3))
        await wait_all_tasks_blocked()
        behind = desk.submit(make_write(4))
        await trio.sleep(39.5 * RETRY_SECONDS)
        assert not reply.is_filled, "it may have taken effect"
        await trio.sleep(RETRY_SECONDS)
        assert reply.result() == [COMMITTED] * 3
        assert isinstance(_error_of(behind), StoreUnavailable), "nothing of it was ever tried"
        assert desk.batches == [[make_write(1), make_write(2), make_write(3)]] * 41
        assert not desk.access.is_away


async def test_away_for_a_short_while_fails_nobody(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    desk.thread.is_quick = True
    desk.faults.extend([Fault.AWAY] * 3)
    async with desk.open():
        reply = desk.submit(make_write(1))
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
        tried = desk.submit(make_write(1))
        await wait_all_tasks_blocked()
        waits = desk.submit(make_write(2))
        await trio.sleep(AWAY_SECONDS_MAX + 2 * RETRY_SECONDS)
        at_once = desk.submit(make_write(3))
        await wait_all_tasks_blocked()
        for reply in (tried, waits, at_once):
            with pytest.raises(StoreUnavailable) as raised:
                reply.result()
            assert not raised.value.outcome_unknown
        assert _is_away(desk)
        desk.faults.clear()
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert not desk.access.is_away, "it asks by itself"
        reply = desk.submit(make_write(4))
        await wait_all_tasks_blocked()
        assert reply.result() == [COMMITTED]
        assert stored(desk) == [4]


async def test_away_too_long_unknown_outcome_is_kept(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """One try may have taken effect: the answers of later ones cannot undo that."""
    desk.thread.is_quick = True
    desk.faults.extend([Fault.LOST_ANSWER, *[Fault.AWAY] * 1_000])
    async with desk.open():
        reply = desk.submit(make_write(1))
        await trio.sleep(4 * AWAY_SECONDS_MAX)
        assert not reply.is_filled
        refused = desk.submit(make_write(2))
        await wait_all_tasks_blocked()
        with pytest.raises(StoreUnavailable):
            refused.result()
        desk.faults.clear()
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED]


async def test_away_too_long_what_is_half_committed_is_kept(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """Its writes went into two batches, and nobody may be told that nothing was written."""
    desk.thread.is_quick = True
    desk.faults.extend([None, *[Fault.AWAY] * 1_000])
    async with desk.open():
        reply = desk.submit(CreateUser(make_user(OWNER)), ReplaceUser(make_user(OWNER, rev=2), 1))
        await trio.sleep(4 * AWAY_SECONDS_MAX)
        assert OWNER in desk.store._users
        assert not reply.is_filled
        desk.faults.clear()
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED, COMMITTED]


async def test_away_too_long_what_a_killed_batcher_had_committed_is_kept(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """Nobody was told yet, and the database is away before its successor can ask again."""
    desk.thread.is_quick = True
    desk.stage.runtime.probe = _kill_at(Point.COMMITTED, tuple, times=1)
    desk.faults.extend([None, *[Fault.AWAY] * 1_000])
    async with desk.open():
        reply = desk.submit(make_write(1))
        await trio.sleep(4 * AWAY_SECONDS_MAX)
        assert stored(desk) == [1]
        assert not reply.is_filled
        desk.faults.clear()
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED]


async def test_error_that_no_try_mends_is_for_those_who_asked(desk: Desk) -> None:
    async with desk.open():
        desk.error = ZeroDivisionError("a fault")
        replies = [desk.submit(make_write(1)), desk.submit(make_write(2))]
        await desk.work()
        for reply in replies:
            with pytest.raises(ZeroDivisionError, match="a fault"):
                reply.result()
        desk.error = None
        reply = desk.submit(make_write(3))
        await desk.work()
        assert reply.result() == [COMMITTED]


async def test_error_that_no_try_mends_ends_an_outage(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """The database has answered: whoever comes later is not refused for ever on account of it."""
    desk.thread.is_quick = True
    desk.faults.append(Fault.LOST_REQUEST)
    async with desk.open():
        failed = desk.submit(make_write(1))
        await wait_all_tasks_blocked()
        desk.error = ZeroDivisionError("a fault")
        await trio.sleep(2 * AWAY_SECONDS_MAX)
        assert isinstance(_error_of(failed), ZeroDivisionError)
        desk.error = None
        reply = desk.submit(make_write(2))
        await wait_all_tasks_blocked()
        assert reply.result() == [COMMITTED]
        assert not desk.access.is_away
        desk.faults.extend([Fault.AWAY] * 1_000)
        given_up = desk.submit(make_write(3))
        await trio.sleep(2 * AWAY_SECONDS_MAX)
        assert isinstance(_error_of(given_up), StoreUnavailable), "nothing is unknown about this one"


async def test_write_that_can_never_be_carried_out_is_its_author_s_alone(desk: Desk) -> None:
    async with desk.open():
        good = [desk.submit(make_write(1)), desk.submit(make_write(2))]
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
        given_up = desk.submit(make_write(1))
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
        desk.submit(make_write(1))
        await trio.sleep(10 * RETRY_SECONDS)
        away, back = desk.notes
        assert away == DatabaseAway("simulated: the database is away")
        assert isinstance(back, DatabaseBack)
        assert back.seconds == pytest.approx(4 * RETRY_SECONDS)


async def test_too_much_waits_in_bytes_is_refused(desk: Desk) -> None:
    async with desk.open():
        desk.submit(make_write(1))
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
        desk.submit(make_write(1))
        await wait_all_tasks_blocked()
        fits = desk.submit(make_write(2), make_write(3))
        refused = desk.submit(make_write(4), make_write(5))
        await wait_all_tasks_blocked()
        assert isinstance(_error_of(refused), StoreUnavailable)
        await desk.work()
        await desk.work()
        assert fits.succeeded
        assert stored(desk) == [1, 2, 3], "all of a commit or nothing"


def _error_of(reply: Reply[Any]) -> BaseException | None:
    assert reply.is_filled
    return reply._error


# -- deaths


async def test_kill_with_a_batch_at_the_driver_answers_each_caller_once(desk: Desk) -> None:
    async with desk.open():
        replies = [desk.submit(make_write(seq)) for seq in (1, 2)]
        await wait_all_tasks_blocked()
        await desk.stage.kill(BATCHER)
        replies.append(desk.submit(make_write(3)))
        await desk.work()
        await desk.work()
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 3
        assert [reply.late for reply in replies] == [0, 0, 0]
        assert desk.batches == [[make_write(1), make_write(2)], [make_write(3)]]


async def test_kill_answer_that_comes_between_two_incarnations_is_heard(desk: Desk) -> None:
    async with desk.open():
        reply = desk.submit(make_write(1))
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
        reply = desk.submit(make_write(1))
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
        replies = [desk.submit(make_write(seq)) for seq in (1, 2)]
        await desk.work()
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 2
        assert desk.batches == [[make_write(1), make_write(2)]]


async def test_kill_a_suspect_write_that_nobody_waits_for_is_kept(desk: Desk) -> None:
    """There is nobody who could be told, or who would try again."""
    desk.stage.runtime.probe = _kill_at(Point.BEFORE_DECIDE, Commit, times=2)
    async with desk.open():
        desk.access.cast(make_write(1))
        await desk.work()
        assert stored(desk) == [1]


@pytest.mark.parametrize(("point", "times"), [(Point.BEFORE_DECIDE, 2), (Point.IN_APPLY, 1)])
async def test_kill_a_suspect_commit_is_carried_out_all_the_same(
    desk: Desk, point: Point, times: int
) -> None:
    desk.stage.runtime.probe = _kill_at(point, Commit, times)
    async with desk.open():
        suspect, innocent = desk.submit(make_write(1)), desk.submit(make_write(2))
        await desk.work()
        assert suspect.result() == innocent.result() == [COMMITTED]
        assert stored(desk) == [1, 2]


@pytest.mark.parametrize(
    ("point", "times"), [(Point.BEFORE_DECIDE, 1), (Point.BEFORE_DECIDE, 2), (Point.IN_APPLY, 1)]
)
async def test_kill_with_the_answer_in_hand_does_not_lose_it(desk: Desk, point: Point, times: int) -> None:
    """Set aside, it would leave its callers waiting, and everybody behind them."""
    desk.stage.runtime.probe = _kill_at(point, BatchDone, times)
    async with desk.open():
        reply = desk.submit(make_write(1))
        await desk.work()
        assert reply.result() == [COMMITTED]
        reply = desk.submit(make_write(2))
        await desk.work()
        assert reply.result() == [COMMITTED]


async def test_supervisor_given_up_its_successor_answers_those_who_wait(desk: Desk) -> None:
    """What is with the driver, and what waits behind it, is not lost with their state."""
    async with desk.open(Intensity(restarts=0, period_seconds=1.0)):
        replies = [desk.submit(make_write(1))]
        await wait_all_tasks_blocked()
        replies.append(desk.submit(make_write(2)))
        await wait_all_tasks_blocked()
        await desk.stage.kill(BATCHER)
        assert desk.stage.slot("/store").incarnation == 2, "the whole store began anew"
        await desk.work()
        await desk.work()
        assert [reply.result() for reply in replies] == [[COMMITTED]] * 2
        assert desk.batches == [[make_write(1)], [make_write(2)]]


async def test_supervisor_given_up_between_two_tries_its_successor_tries_on(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    desk.thread.is_quick = True
    desk.faults.append(Fault.LOST_ANSWER)
    async with desk.open(Intensity(restarts=0, period_seconds=1.0)):
        reply = desk.submit(make_write(1))
        await wait_all_tasks_blocked()
        await desk.stage.kill(BATCHER)
        await trio.sleep(RETRY_SECONDS + 0.1)
        assert reply.result() == [COMMITTED]
        assert desk.batches == [[make_write(1)]] * 2
