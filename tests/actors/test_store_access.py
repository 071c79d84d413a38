"""Tests of `actors.store_access`: reads through the pool, and what stands in for a batcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest
import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

from actors.store_access import READ_SECONDS_MAX, StoreAccess
from actors.store_batcher import batcher_spec
from actors.store_messages import BatcherMessage, Commit
from store.errors import StoreUnavailable, StoreUnusable
from store.log import StanzaNumber
from store.memory.driver import MemoryStore
from store.memory.faults import Fault
from store.sessions import SessionSummary
from store.writes import COMMITTED, CreateUser, DropSession, InsertRecord, SaveSession
from supervision.child_spec import ChildSpec
from supervision.slot import Slot
from tests.actors.house_world import InlinePool
from tests.actors.http_stage import SilentPool
from tests.store.samples import KEYS, make_record, make_session, make_user
from tests.supervision.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from store.writes import Write

OWNER = "juliet@example.com"
WRITE = InsertRecord(make_record(OWNER, 1))


@pytest.fixture
def store() -> MemoryStore:
    """With one account and three messages that wait for it."""
    store = MemoryStore()
    store.open()
    store.commit([CreateUser(make_user(OWNER, credentials=KEYS))])
    store.commit([InsertRecord(make_record(OWNER, seq, pending=True)) for seq in (1, 2, 3)])
    return store


@pytest.fixture
def access(store: MemoryStore) -> StoreAccess:
    access = StoreAccess(InlinePool())
    access.set_driver(store)
    return access


def _parked(messages_max: int = 2) -> Slot[BatcherMessage]:
    """The slot of a batcher that does not live just now."""
    spec = ChildSpec("batcher", lambda _slot: pytest.fail("never started"), messages_max=messages_max)
    return Slot(spec, None, Stage().runtime)


# -- reading


async def test_read_before_there_is_a_database_is_unavailable() -> None:
    access = StoreAccess(InlinePool())
    assert access.is_away
    with pytest.raises(StoreUnavailable, match="not been started"):
        await access.read_user(OWNER)


async def test_read_database_that_refuses_us_is_unavailable(
    access: StoreAccess, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has to act, but it is no reason for everybody who reads to die."""

    def refuse(_bare_jid: str) -> NoReturn:
        raise StoreUnusable("no permission")

    monkeypatch.setattr(store, "user", refuse)
    with pytest.raises(StoreUnavailable, match="no permission"):
        await access.read_user(OWNER)


async def test_read_user_and_credentials(access: StoreAccess) -> None:
    user = await access.read_user(OWNER)
    assert user is not None
    assert user.bare_jid == OWNER
    assert await access.read_credentials(OWNER).wait(1) == KEYS
    assert await access.read_user("nobody@example.com") is None
    assert await access.read_credentials("nobody@example.com").wait(1) is None


async def test_read_away_is_unavailable() -> None:
    access = StoreAccess(InlinePool())
    store = MemoryStore(lambda _operation: Fault.AWAY)
    store.open()
    access.set_driver(store)
    with pytest.raises(StoreUnavailable):
        await access.read_user(OWNER)


async def test_read_uses_the_driver_that_is_set_when_its_turn_comes(store: MemoryStore) -> None:
    """A job that waited through a restart of the database must not use what has been closed."""
    pool = InlinePool()
    access = StoreAccess(pool)
    async with trio.open_nursery() as nursery:
        pool.nursery, pool.delay = nursery, lambda: 0.0
        reply = access.read(lambda driver: driver.user(OWNER))
        access.set_driver(store)
        assert await reply.wait(1) is not None


async def test_read_that_nobody_answers_ends(autojump_clock: trio.testing.MockClock) -> None:
    access = StoreAccess(SilentPool())
    with pytest.raises(StoreUnavailable):
        await access.read_user(OWNER)
    assert trio.current_time() == pytest.approx(READ_SECONDS_MAX)


async def test_read_pending_is_the_window_in_order(access: StoreAccess) -> None:
    records = await access.read_pending(OWNER, 1, 10, count_max=10)
    assert [record.seq for record in records] == [2, 3]
    assert [record.seq for record in await access.read_pending(OWNER, 0, 10, count_max=2)] == [1, 2]


async def test_read_pending_of_an_account_that_never_had_any_asks_nobody() -> None:
    """No block of numbers has been reserved, so there can be no record."""
    access = StoreAccess(SilentPool())
    assert await access.read_pending(OWNER, 0, 0, count_max=10) == ()


async def test_read_sessions_and_what_is_logged_of_their_clients(
    access: StoreAccess, store: MemoryStore
) -> None:
    record = make_session("one", hibernated_ms=7)
    store.commit([SaveSession(record), SaveSession(make_session("two"))])
    store.commit(
        [InsertRecord(make_record(OWNER, 10 + n, inbound=StanzaNumber("one", n))) for n in (1, 2, 3, 9)]
    )
    summaries = await access.read_session_summaries()
    assert SessionSummary("one", record.jid, 7, record.resume_seconds) in summaries
    assert len(summaries) == 2
    assert list(await access.read_sessions(["one", "three"])) == [record]
    assert list(await access.read_logged_numbers("one", 1, 5)) == [2, 3]
    expected = [(n, make_record(OWNER, 10 + n).data) for n in (2, 3)]
    assert list(await access.read_logged_stanzas("one", 1, 5)) == expected


@pytest.mark.parametrize(
    "read",
    [
        lambda access: access.read_session_summaries(),
        lambda access: access.read_sessions(["one"]),
        lambda access: access.read_logged_numbers("one", 0, 5),
        lambda access: access.read_logged_stanzas("one", 0, 5),
    ],
)
async def test_read_sessions_away_is_unavailable(
    read: Callable[[StoreAccess], Coroutine[object, object, object]],
) -> None:
    access = StoreAccess(InlinePool())
    store = MemoryStore(lambda _operation: Fault.AWAY)
    store.open()
    access.set_driver(store)
    with pytest.raises(StoreUnavailable):
        await read(access)


# -- writing


async def test_submit_is_committed_by_the_batcher(access: StoreAccess, store: MemoryStore) -> None:
    stage = Stage()
    async with stage.with_timers(batcher_spec(access, InlinePool(), away_seconds_max=5)):
        reply = access.submit((CreateUser(make_user("nurse@example.com")),))
        access.cast(CreateUser(make_user("paris@example.com")))
        assert await reply.wait(1) == [COMMITTED]
        await wait_all_tasks_blocked()
        assert store.user("nurse@example.com") is not None
        assert store.user("paris@example.com") is not None


async def test_submit_to_a_full_batcher_is_unavailable_at_once(access: StoreAccess) -> None:
    """And certainly without effect, so that the caller may tell its client."""
    slot = _parked(messages_max=2)
    access.set_batcher(slot.ref)
    waiting = [access.submit((WRITE,)) for _ in range(2)]
    with pytest.raises(StoreUnavailable) as raised:
        access.submit((WRITE,)).result()
    assert not raised.value.outcome_unknown
    assert not any(reply.is_filled for reply in waiting)


async def test_cast_does_not_overtake_what_was_given_to_log(access: StoreAccess) -> None:
    """Of two documents of one session, or a document and its end, the last must stand."""
    slot = _parked(messages_max=2)
    access.set_batcher(slot.ref)
    access.log(SaveSession(make_session("sm")))
    access.cast(DropSession("sm"))
    assert _waiting(slot) == [(SaveSession(make_session("sm")),), (DropSession("sm"),)]


async def test_cast_is_taken_by_a_full_batcher(access: StoreAccess) -> None:
    slot = _parked(messages_max=0)
    access.set_batcher(slot.ref)
    access.cast(WRITE)
    assert _waiting(slot) == [(WRITE,)]


def _waiting(slot: Slot[BatcherMessage]) -> list[tuple[Write, ...]]:
    left = slot.mailbox.close()
    return [message.writes for message in left if isinstance(message, Commit)]


async def test_is_away_while_the_database_does_not_answer() -> None:
    access = StoreAccess(InlinePool())
    faults = [Fault.LOST_REQUEST]
    store = MemoryStore(lambda _operation: faults[0] if faults else None)
    store.open()
    access.set_driver(store)
    seen = []
    async with Stage().with_timers(batcher_spec(access, InlinePool(), away_seconds_max=5)):
        seen.append(access.is_away)
        access.submit((WRITE,))
        await wait_all_tasks_blocked()
        seen.append(access.is_away)
    assert seen == [False, True]


async def test_log_waits_out_a_database_that_is_away(
    autojump_clock: trio.testing.MockClock, access: StoreAccess, store: MemoryStore
) -> None:
    faults = [Fault.AWAY] * 20
    store._faults = lambda operation: faults.pop() if operation == "commit" and faults else None
    write = InsertRecord(make_record(OWNER, 4))
    async with Stage().with_timers(batcher_spec(access, InlinePool(), away_seconds_max=1)):
        reply = access.log(write)
        assert await reply.wait(1_000) == [COMMITTED]
    assert faults == []
    assert store.record(OWNER, 4) == write.record


async def test_log_to_a_full_batcher_fails_at_once(access: StoreAccess) -> None:
    access.set_batcher(_parked(messages_max=1).ref)
    assert not access.log(WRITE).is_filled
    with pytest.raises(StoreUnavailable, match="too much"):
        access.log(WRITE).result()


async def test_is_full_when_too_much_waits_to_be_logged(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    """In the batcher's mailbox or behind it, in number or in bytes."""
    monkeypatch.setattr("actors.store_access.LOG_WAITING_MAX", 2)
    access = StoreAccess(InlinePool(), log_bytes_max=2_000)
    access.set_driver(store)
    assert access.is_full, "there is no batcher yet"
    access.set_batcher(_parked(messages_max=10).ref)
    seen = [access.is_full]
    for _ in range(2):
        access.log(WRITE)
        seen.append(access.is_full)
    assert seen == [False, False, True]
    access.set_batcher(_parked().ref)
    access.batches.waiting_bytes = 2_000
    assert access.is_full


async def test_is_away_for_counts_from_the_first_failure(
    autojump_clock: trio.testing.MockClock, access: StoreAccess
) -> None:
    assert not access.is_away_for(0)
    access.batches.away_since = trio.current_time()
    await trio.sleep(5)
    assert (access.is_away_for(5), access.is_away_for(5.1)) == (True, False)
