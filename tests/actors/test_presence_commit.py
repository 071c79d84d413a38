"""What changes an account is in the database before anybody is told: once, whatever dies meanwhile."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.presence_commit import SEQ_BLOCK
from actors.presence_messages import Planned
from protocols.jid import parse_jid
from store.log import LogRecord
from store.memory.faults import Fault
from supervision.report import ChildTerminated, MessageSetAside
from supervision.runtime import KillHere, Point
from supervision.slot import Slot
from tests.actors.house import House

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ADD = "<iq type='set' id='s{0}'><query xmlns='jabber:iq:roster'><item jid='{0}@x'/></query></iq>"


def log(house: House) -> list[LogRecord]:
    return house.store.pending(JULIET, 0, 10**9, 10**6)


async def test_nobody_is_told_before_it_is_committed(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await romeo.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
        house.pool.delay = lambda: 1.0
        romeo.send(ADD.format(1))
        await trio.sleep(0.9)
        assert await romeo.hears() == []
        await trio.sleep(0.2)
        assert len(await romeo.hears()) == 2
        assert len(house.account(ROMEO).roster) == 1


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.LOST_HALFWAY])
async def test_commit_of_unknown_outcome_is_made_certain_first(
    autojump_clock: MockClock, fault: Fault
) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        faults = [fault, fault]
        house.faults = lambda operation: faults.pop() if operation == "commit" and faults else None
        romeo.send(ADD.format(1))
        romeo.send(ADD.format(2))
        await trio.sleep(5)
        assert ['type="result"' in answer for answer in await romeo.hears()] == [True, True]
        assert faults == []
        user = house.account(ROMEO)
        assert [item.jid for item in user.roster] == ["1@x", "2@x"]
        assert (user.rev, user.roster_version) == (3, 2)


async def test_successor_waits_for_the_same_outcome(autojump_clock: MockClock) -> None:
    """Killed again and again while the database thinks: the change is made once, and answered once."""
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await house.settle()  # the document has been read
        house.pool.delay = lambda: 10.0
        romeo.send(ADD.format(1))
        for _ in range(5):
            await trio.sleep(1)
            slot = house.presence_of(ROMEO)
            assert slot is not None
            slot.kill()
        await trio.sleep(20)
        (answer,) = await romeo.hears()
        assert 'type="result"' in answer
        assert house.account(ROMEO).rev == 2
        assert len(house.forgive()) == 5


async def test_log_numbers_are_reserved_in_blocks_and_never_given_twice() -> None:
    limits = {"offline_messages_max": 2 * SEQ_BLOCK}
    async with House(limits=limits).open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        rev = house.account(JULIET).rev
        for number in range(SEQ_BLOCK + 1):
            romeo.send(f"<message to='{JULIET}' id='{number}'><body>{number}</body></message>")
        await house.settle()
        records = log(house)
        assert [record.seq for record in records] == list(range(1, SEQ_BLOCK + 2))
        user = house.account(JULIET)
        assert (user.log_reserved, user.rev) == (2 * SEQ_BLOCK, rev + 2)
    later = House((), limits=limits, store=house.store)
    async with later.open():
        romeo = await later.log_in(f"{ROMEO}/orchard")
        romeo.send(f"<message to='{JULIET}'><body>after a restart</body></message>")
        await later.settle()
        assert log(later)[-1].seq == 2 * SEQ_BLOCK + 1


async def test_record_says_what_recovery_will_want_to_know(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await trio.sleep(7)
        romeo.send(f"<message to='{JULIET}' type='chat'><body>hi</body></message>")
        await house.settle()
        (record,) = log(house)
        assert (record.owner, record.peer) == (JULIET, f"{ROMEO}/orchard")
        assert record.at_ms == 1_600_000_007_000
        assert record.data.startswith(b"<message from='romeo@localhost/orchard'")
        assert len(record.stanza_id) > 15


async def test_deleted_account_leaves_nothing() -> None:
    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        romeo.send(f"<message to='{JULIET}'><body>hi</body></message>")
        await house.settle()
        assert await house.server.accounts.delete(parse_jid(JULIET))
        assert house.store.user(JULIET) is None
        assert log(house) == []
        assert not [report for report in house.reports if isinstance(report, ChildTerminated)]


async def test_message_killed_again_and_again_behind_its_commit_is_kept_once(
    autojump_clock: MockClock,
) -> None:
    """However often the actor dies with it in hand, its sender is told nothing and there is one record."""
    deaths = 0

    def probe(point: Point, slot: Slot[Any], message: object) -> None:
        nonlocal deaths
        is_meant = isinstance(message, Planned) and slot is house.presence_of(JULIET)
        if point is Point.AFTER_DECIDE and is_meant and deaths < 5:
            deaths += 1
            raise KillHere("a fault of the test")

    async with House().open() as house:
        romeo = await house.log_in(f"{ROMEO}/orchard")
        await house.settle()  # only the messages are planned from here on
        house.runtime.probe = probe
        for number in (1, 2):
            romeo.send(f"<message to='{JULIET}' type='chat' id='{number}'><body>n{number}</body></message>")
        assert await romeo.hears() == []
        assert len(log(house)) == 2
        assert deaths == 5
        assert not any(isinstance(report, MessageSetAside) for report in house.forgive())
