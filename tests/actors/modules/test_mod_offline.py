"""XEP-0160: what is kept for whom, how much of it, and that all of it arrives once and in order."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.ledger_keeper import SETTLE_SECONDS
from actors.modules.mod_offline import is_worth_keeping
from actors.offline_queue import PAGE
from actors.presence_messages import OwnPresence, Planned
from protocols.stanza import Stanza, StanzaKind
from store.log import Direction, LogRecord
from store.memory.faults import Fault
from store.writes import InsertRecord, ReplaceUser
from supervision.exit_reason import Normal
from supervision.runtime import Point
from supervision.slot import Slot
from tests.actors.house import House
from tests.actors.house_client import Client, said
from tests.actors.house_world import BEGINNING_MS

HINT = "<{} xmlns='urn:xmpp:hints'/>"
STATE = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
DELAY = "<delay xmlns='urn:xmpp:delay' from='localhost' stamp='2020-09-13T12:26:40.000Z'/>"


def message(body: str, to: str = "juliet@localhost", type: str = "chat", more: str = "") -> str:
    return f"<message to='{to}' type='{type}'><body>{body}</body>{more}</message>"


def delivered(body: str, to: str = "juliet@localhost", delay: str = DELAY) -> str:
    return (
        f"<message from='romeo@localhost/orchard' to='{to}' type='chat'><body>{body}</body>{delay}</message>"
    )


async def messages(client: Client) -> list[str]:
    return [text for text in await client.hears() if text.startswith("<message")]


def pending(house: House) -> int:
    return len(house.store.pending("juliet@localhost", 0, 10**9, 10**6))


async def settled(house: House) -> int:
    """The same once what has been handed over has left the log; wants a clock that jumps."""
    await trio.sleep(3 * SETTLE_SECONDS)
    await house.settle()
    return pending(house)


# -- what is worth it


@pytest.mark.parametrize(
    ("content", "is_kept"),
    [
        ("<body>hi</body>", True),
        ("<subject>hi</subject>", True),
        ("<event xmlns='http://jabber.org/protocol/pubsub#event'/>", True),
        ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>", True),
        ("", False),
        (STATE, False),
        (f"{STATE}<thread>t</thread>", False),
        (STATE + HINT.format("no-copy"), False),
        (f"<body>hi</body>{STATE}", True),
        ("<body>hi</body>" + HINT.format("no-store"), False),
        (STATE + HINT.format("store"), True),
        (HINT.format("store") + HINT.format("no-store"), False),
        ("<body>hi</body>" + HINT.format("no-permanent-store"), True),
    ],
)
def test_is_worth_keeping(content: str, is_kept: bool) -> None:
    data = f"<message type='chat'>{content}</message>".encode()
    assert is_worth_keeping(Stanza(StanzaKind.MESSAGE, None, None, "chat", None, None, data)) is is_kept


@pytest.mark.parametrize(
    ("type", "becomes"),
    [
        ("normal", "kept"),
        ("chat", "kept"),
        ("unheard-of", "kept"),
        ("groupchat", "refused"),
        ("headline", "ignored"),
        ("error", "ignored"),
    ],
)
async def test_offline_keeps_by_type(type: str, becomes: str) -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        romeo.send(message("hi", type=type))
        answers = await romeo.hears()
        assert pending(house) == (1 if becomes == "kept" else 0)
        assert len(answers) == (1 if becomes == "refused" else 0)
        assert all("service-unavailable" in answer for answer in answers)


async def test_offline_message_that_is_not_kept_is_answered() -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        romeo.send(f"<message to='juliet@localhost' type='chat'>{STATE}</message>")
        (answer,) = await romeo.hears()
        assert "service-unavailable" in answer
        assert pending(house) == 0


# -- delivery


async def test_offline_messages_come_once_in_order_with_their_delay(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        for number in range(2 * PAGE + 5):
            romeo.send(message(f"{number} ☺", to=f"juliet@localhost{'/old' if number % 2 else ''}"))
        await house.settle()
        juliet = await house.log_in("juliet@localhost/balcony")
        juliet.send("<presence/>")
        expected = [
            delivered(f"{number} ☺", to=f"juliet@localhost{'/old' if number % 2 else ''}")
            for number in range(2 * PAGE + 5)
        ]
        assert await messages(juliet) == said(*expected)
        assert await settled(house) == 0
        juliet.send("<presence><show>away</show></presence>")
        again = await house.log_in("juliet@localhost/chamber")
        again.send("<presence/>")
        assert await messages(juliet) == await messages(again) == []


async def test_offline_messages_come_before_what_is_sent_meanwhile(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        romeo.send(message("kept"))
        await house.settle()
        juliet = await house.log_in("juliet@localhost/balcony")
        house.pool.delay = lambda: 1.0
        juliet.send("<presence/>")
        await trio.sleep(0.5)  # her presence actor is reading what was kept
        romeo.send(message("new"))
        romeo.send(message("newer", to="juliet@localhost/balcony"))
        await trio.sleep(5)
        assert await messages(juliet) == said(
            delivered("kept"),
            delivered("new", delay=""),
            delivered("newer", to="juliet@localhost/balcony", delay=""),
        )


async def test_offline_messages_wait_for_a_priority_that_is_not_negative(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        juliet = await house.appear("juliet@localhost/balcony", "<priority>-1</priority>")
        romeo.send(message("hi"))
        assert await messages(juliet) == []
        juliet.send("<presence><priority>0</priority></presence>")
        assert await messages(juliet) == said(delivered("hi"))


async def test_offline_message_keeps_what_it_had(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        more = "<delay xmlns='urn:xmpp:delay' from='elsewhere' stamp='2001-01-01T00:00:00Z'/>"
        romeo.send(
            "<message id='m1' xml:lang='it' to='juliet@localhost'><subject>s</subject>"
            f"<body xml:lang='en'>b</body><x xmlns='urn:x' a='1'><y/></x>{more}</message>"
        )
        await house.settle()
        juliet = await house.log_in("juliet@localhost/balcony")
        juliet.send("<presence/>")
        assert await messages(juliet) == said(
            "<message id='m1' xml:lang='it' from='romeo@localhost/orchard' to='juliet@localhost'>"
            "<subject>s</subject><body xml:lang='en'>b</body><x xmlns='urn:x' a='1'><y/></x>"
            f"{more}{DELAY}</message>"
        )


async def test_offline_message_that_waits_again_keeps_its_first_delay(autojump_clock: MockClock) -> None:
    """The session it was given to ended before it could write it: it is kept once more."""
    async with House().open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        romeo.send(message("hi"))
        await house.settle()
        juliet = await house.log_in("juliet@localhost/balcony")
        session = house.session_of(juliet.jid)

        def stop_session(_point: Point, slot: Slot[Any], message: object) -> None:
            """When its presence actor is about to give it what waited, it has been told to stop."""
            if isinstance(message, Planned) and isinstance(message.message, OwnPresence):
                session.mailbox.request_stop(Normal())

        house.runtime.probe = stop_session
        juliet.send("<presence/>")
        await trio.sleep(5)
        house.runtime.probe = None
        assert not juliet.is_open
        assert pending(house) == 1
        later = await house.log_in("juliet@localhost/later")
        later.send("<presence/>")
        assert await messages(later) == said(delivered("hi"))


@pytest.mark.parametrize(
    ("type", "content"), [("headline", "<body>hi</body>"), ("groupchat", "<body>hi</body>"), ("chat", STATE)]
)
async def test_offline_what_a_crash_left_and_means_nothing_any_more_is_dropped(
    autojump_clock: MockClock, type: str, content: str
) -> None:
    """A session that had it in hand may be gone, and nobody had it kept."""
    house = House()
    for seq, (of_type, what) in enumerate([(type, content), ("chat", "<body>kept</body>")], 1):
        data = f"<message from='romeo@localhost/x' to='juliet@localhost/y' type='{of_type}'>{what}</message>"
        record = LogRecord(
            owner="juliet@localhost",
            seq=seq,
            stanza_id=f"id{seq}",
            peer="romeo@localhost/x",
            direction=Direction.IN,
            at_ms=BEGINNING_MS,
            data=data.encode(),
            pending=True,
        )
        house.store.commit([InsertRecord(record)])
    house.store.commit([ReplaceUser(replace(house.account("juliet@localhost"), rev=2, log_reserved=2), 1)])
    async with house.open():
        juliet = await house.log_in("juliet@localhost/balcony")
        juliet.send("<presence/>")
        (heard,) = await messages(juliet)
        assert "kept" in heard
        assert await settled(house) == 0


# -- bounds and faults


@pytest.mark.parametrize(
    ("limits", "body"),
    [({"offline_messages_max": 2}, "hi"), ({"offline_bytes_max": 10_000}, "x" * 4_500)],
)
async def test_offline_queue_that_is_full_refuses(
    autojump_clock: MockClock, limits: dict[str, Any], body: str
) -> None:
    async with House(limits=limits).open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        for number in range(4):
            romeo.send(
                f"<message to='juliet@localhost' type='chat' id='m{number}'><body>{body}</body></message>"
            )
        answers = await romeo.hears()
        assert ["service-unavailable" in answer for answer in answers] == [True, True]
        assert pending(house) == 2
        juliet = await house.appear("juliet@localhost/balcony")
        juliet.send("<presence type='unavailable'/>")
        await house.settle()
        romeo.send(message(body))
        assert await romeo.hears() == []
        assert await settled(house) == 1


async def test_offline_queue_is_counted_anew_after_a_restart() -> None:
    house = House(limits={"offline_messages_max": 2})
    async with house.open():
        romeo = await house.appear("romeo@localhost/orchard")
        for _ in range(2):
            romeo.send(message("hi"))
        await house.settle()
    later = House((), limits={"offline_messages_max": 2}, store=house.store)
    async with later.open():
        romeo = await later.appear("romeo@localhost/orchard")
        romeo.send(message("hi"))
        (answer,) = await romeo.hears()
        assert "service-unavailable" in answer


async def test_offline_message_while_the_database_is_away_is_refused_for_now() -> None:
    async with House(limits={"store_away_seconds": 0.1}).open() as house:
        romeo = await house.appear("romeo@localhost/orchard")
        house.faults = lambda operation: Fault.AWAY if operation in {"user", "pending"} else None
        romeo.send(message("hi"))
        (answer,) = await romeo.hears()
        assert 'type="wait"' in answer
        house.faults = None
        romeo.send(message("hi again"))
        assert await romeo.hears() == []
        assert pending(house) == 1
