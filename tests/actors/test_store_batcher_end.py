"""What becomes of writes when the batcher is told to stop, and of those that nobody waits for."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

from actors.store_batcher import RETRY_SECONDS
from store.errors import StoreUnavailable
from store.memory.faults import Fault
from store.writes import COMMITTED
from supervision.exit_reason import Shutdown
from tests.actors.batcher_desk import AWAY_SECONDS_MAX, BATCHER, Desk, make_write, stored


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_orderly_stop_commits_what_has_been_accepted(desk: Desk) -> None:
    """A batch is with the driver and another waits: both are written before the batcher has gone."""
    async with desk.open():
        first = desk.submit(make_write(1))
        await wait_all_tasks_blocked()
        second = desk.submit(make_write(2))
        await wait_all_tasks_blocked()
        desk.stage.ref(BATCHER).stop(Shutdown())
        await desk.work()
        await desk.work()
        assert first.result() == second.result() == [COMMITTED]
        assert stored(desk) == [1, 2]


async def test_orderly_stop_database_that_was_away_is_asked_once_more(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """It may be back, and answers whoever asks at once: that is heard without waiting for more."""
    desk.thread.is_quick = True
    async with desk.open():
        desk.faults.append(Fault.LOST_REQUEST)
        desk.access.cast(make_write(1))
        await wait_all_tasks_blocked()
        desk.access.cast(make_write(2))
        desk.stage.ref(BATCHER).stop(Shutdown())
        await wait_all_tasks_blocked()
        assert stored(desk) == [1, 2]
        assert desk.stage.ref(BATCHER).slot.incarnation == 2, "the first has ended"


async def test_write_that_nobody_waits_for_outlasts_an_outage(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """Callers are told that the database is away; what was cast is written when it is back."""
    desk.thread.is_quick = True
    async with desk.open():
        desk.faults.extend([Fault.AWAY] * 1_000)
        desk.access.cast(make_write(1))
        waiting = desk.submit(make_write(2))
        await trio.sleep(2 * AWAY_SECONDS_MAX)
        with pytest.raises(StoreUnavailable):
            waiting.result()
        tries = 1_000 - len(desk.faults)
        assert tries <= 2 * AWAY_SECONDS_MAX / RETRY_SECONDS + 1, "now and then, not all the time"
        desk.access.cast(make_write(3))
        desk.faults.clear()
        await trio.sleep(1)
        assert stored(desk) == [1, 3]
