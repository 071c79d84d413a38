"""XEP-0023: what has waited for too long is dropped, what has not has less time left."""

import pytest
import trio
from trio.testing import MockClock

from actors.ledger_keeper import SETTLE_SECONDS
from store.writes import InsertRecord
from tests.actors.house import House
from tests.actors.house_world import BEGINNING_MS
from tests.actors.managed_client import appear, died
from tests.actors.managed_house import after, warm
from tests.store.samples import make_record

ME, HER = "romeo@localhost/orchard", "juliet@localhost/balcony"


async def kept(house: House, *expires: str) -> None:
    """Have one message for each of these kept for Juliet."""
    romeo = await house.appear(ME)
    for number, expire in enumerate(expires):
        romeo.send(
            f"<message to='juliet@localhost' type='chat' id='{number}'><body>hi</body>{expire}</message>"
        )
    assert await romeo.hears() == []


async def shown(house: House) -> list[str]:
    """What Juliet gets of it."""
    juliet = await house.log_in(HER)
    juliet.send("<presence/>")
    return [text for text in await juliet.hears() if text.startswith("<message")]


def expire(attributes: str) -> str:
    return f"<x xmlns='jabber:x:expire' {attributes}/>"


OVER = expire("seconds='0'")


@pytest.mark.parametrize(
    ("attributes", "left"),
    [
        ("seconds='100'", "90"),
        ("stored='912830221' seconds='11'", "1"),
        ("seconds='10'", None),
        ("seconds='0'", None),
        ("seconds='18446744073709551615'", "18446744073709551605"),
    ],
)
async def test_expire_counts_down_by_what_the_message_waited(
    autojump_clock: MockClock, attributes: str, left: str | None
) -> None:
    async with House().open() as house:
        await kept(house, expire(attributes), "")
        await trio.sleep(10.5)
        heard = await shown(house)
        assert len(heard) == (1 if left is None else 2), "the other says nothing of a time"
        if left is not None:
            assert f'<x xmlns="jabber:x:expire" seconds="{left}"></x>' in heard[0]
            assert 'xmlns="urn:xmpp:delay"' in heard[0]
        await trio.sleep(3 * SETTLE_SECONDS)
        await house.settle()
        assert house.store.pending("juliet@localhost", 0, 10**9, 10) == []


@pytest.mark.parametrize(
    "attributes",
    ["", "seconds=''", "seconds='-1'", "seconds='1.5'", "seconds='1h'", f"seconds='{'9' * 21}'"],
)
async def test_expire_without_a_number_of_seconds_says_nothing(
    autojump_clock: MockClock, attributes: str
) -> None:
    async with House().open() as house:
        await kept(house, expire(attributes))
        await trio.sleep(10)
        (heard,) = await shown(house)
        assert "jabber:x:expire" in heard


async def test_expire_of_several_is_the_first_that_is_over(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        await kept(house, expire("seconds='100'") + expire("seconds='5'"))
        await trio.sleep(6)
        assert await shown(house) == []


async def test_expire_does_not_touch_what_does_not_wait() -> None:
    async with House().open() as house:
        juliet = await house.appear(HER)
        romeo = await house.log_in(ME)
        romeo.send(f"<message to='{HER}'><body>hi</body>{OVER}</message>")
        (heard,) = await juliet.hears()
        assert 'seconds="0"' in heard


async def test_expire_holds_for_what_a_session_finds_when_it_comes_back(autojump_clock: MockClock) -> None:
    """A crash has left two messages that are no session's: the one that comes back would deliver both."""
    async with House().open() as house:
        juliet = await appear(house, HER)
        await warm(house, "juliet@localhost")
        store = died(house, juliet)
    store.open()
    for seq, seconds in ((7, 5), (8, 500)):
        body = f"<body>{seconds}</body><x xmlns='jabber:x:expire' seconds='{seconds}'/>"
        data = f"<message from='{ME}' to='juliet@localhost'>{body}</message>".encode()
        record = make_record("juliet@localhost", seq, at_ms=BEGINNING_MS - 10_000, data=data, pending=True)
        store.commit([InsertRecord(record)])
    async with after(store).open() as later:
        await juliet.resume(later)
        assert await juliet.texts() == ["500"]
        juliet.acknowledge()
        await trio.sleep(3 * SETTLE_SECONDS)
        await later.settle()
        assert later.store.pending("juliet@localhost", 0, 10**9, 10) == []
