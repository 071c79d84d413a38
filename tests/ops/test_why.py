"""Tests of `ops.why`: what the journal and the database know together, in a house."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, final

import pytest

from actors.fates import FateLog, MessageFate
from ops import why as why_module
from ops.control_protocol import Refusal
from ops.why import why
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import build_error, build_message
from store.log import Direction, LogRecord, OutboundNumber
from store.memory.faults import Fault
from store.sessions import QueueEntry, SessionRecord
from store.writes import InsertRecord, SaveSession
from tests.actors.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from protocols.stanza import Stanza

ROMEO = parse_jid("romeo@localhost/orchard")
JULIET = parse_jid("juliet@localhost")
BALCONY = parse_jid("juliet@localhost/balcony")


def chat(id: str | None) -> Stanza:
    return build_message(to=JULIET, sender=ROMEO, type="chat", id=id, content=b"<body>secret</body>")


def keep(house: House, seq: int, stanza: Stanza, *owed_to: OutboundNumber, at_ms: int = 0) -> None:
    """Put a message that waits into Juliet's log."""
    record = LogRecord(
        owner=JULIET.full,
        seq=seq,
        stanza_id=f"token-{seq}",
        peer=ROMEO.full,
        direction=Direction.IN,
        at_ms=at_ms,
        data=stanza.data,
        outbound=owed_to,
        pending=True,
    )
    house.store.commit([InsertRecord(record)])


def place(session: str, epoch: int = 0, number: int = 1) -> OutboundNumber:
    return OutboundNumber(session, epoch, number)


def save(house: House, jid: str, **fields: Any) -> None:
    """Store the document of a session."""
    house.store.commit([SaveSession(SessionRecord(sm_id="sm-1", jid=jid, resume_seconds=60, **fields))])


@final
class Desk:
    """Where somebody asks."""

    def __init__(self, house: House, fates: FateLog) -> None:
        self.house = house
        self.fates = fates

    async def ask(self, jid: str = "juliet@localhost", message: str | None = None, count: int = 100) -> Any:
        return await why(self.house.server, self.fates, parse_jid(jid), message, count)


@asynccontextmanager
async def desk(events_max: int = 1_000) -> AsyncIterator[Desk]:
    """A house, and a journal in which every event is a millisecond after the last, from 1001 on."""
    times = iter(range(1_000, 100_000))
    house = House()
    async with house.open():
        yield Desk(house, FateLog(events_max, lambda: next(times)))


async def test_why_message_in_the_journal_is_told_without_body_and_secrets() -> None:
    async with desk() as here:
        here.fates.note(MessageFate.ACCEPTED, chat("m1"), ROMEO, "sm-romeo", 7)
        here.fates.note(MessageFate.LOGGED, chat("m1"), seq=5, detail="token-5")
        here.fates.note(MessageFate.DELIVERED, chat("m1"), BALCONY)
        assert await here.ask() == {
            "jid": "juliet@localhost",
            "since_ms": 1_000,
            "database_away": None,
            "omitted": 0,
            "messages": [
                {
                    "from": ROMEO.full,
                    "to": JULIET.full,
                    "id": "m1",
                    "stanza_id": "token-5",
                    "waits": None,
                    "events": [
                        {
                            "at_ms": 1_001,
                            "fate": "accepted",
                            "resource": ROMEO.full,
                            "number": 7,
                            "is_managed": True,
                        },
                        {"at_ms": 1_002, "fate": "logged", "seq": 5, "detail": "token-5"},
                        {"at_ms": 1_003, "fate": "delivered", "resource": BALCONY.full},
                    ],
                }
            ],
        }


async def test_why_message_of_before_is_told_from_the_database() -> None:
    async with desk() as here:
        here.fates.note_acknowledged(BALCONY, "sm-balcony", 3)  # so it is known whose session that is
        keep(here.house, 5, chat("m1"), place("sm-balcony"), place("sm-gone"), at_ms=77)
        (message,) = (await here.ask())["messages"]
        assert message == {
            "from": ROMEO.full,
            "to": JULIET.full,
            "id": "m1",
            "stanza_id": "token-5",
            "waits": {
                "seq": 5,
                "since_ms": 77,
                "owed_to": [BALCONY.full, None],
                "is_acknowledged": False,
            },
            "events": [],
        }


@pytest.mark.parametrize(
    ("handed", "document", "is_owed"),
    [
        (place("sm-1", 0, 3), {"acked": 2}, True),
        (place("sm-1", 0, 3), {"acked": 3}, False),
        # The mark of epoch 1 owed two: what came behind them has number 10 + 2 + 1 on the wire.
        (place("sm-1", 1, 1), {"acked": 12, "epoch": 1, "base": 10, "entries": 2 * (QueueEntry(4),)}, True),
        (place("sm-1", 1, 1), {"acked": 13, "epoch": 1, "base": 10, "entries": 2 * (QueueEntry(4),)}, False),
        (place("sm-1", 0, 3), {"epoch": 1, "entries": (QueueEntry(4), QueueEntry(5))}, True),
        (place("sm-1", 0, 3), {"epoch": 1, "entries": (QueueEntry(4),)}, False),
        (place("sm-1", 0, 3), {"epoch": 1, "entries": (QueueEntry(place=(0, 3)),)}, True),
        (place("sm-1", 0, 3), {"epoch": 1, "entries": (QueueEntry(place=(0, 2)),)}, False),
        (place("sm-1", 2, 1), {"epoch": 1}, True),
    ],
)
async def test_why_session_owes_what_its_document_says(
    handed: OutboundNumber, document: dict[str, Any], is_owed: bool
) -> None:
    async with desk() as here:
        save(here.house, BALCONY.full, **document)
        keep(here.house, 5, chat("m1"), handed)
        (message,) = (await here.ask())["messages"]
        assert message["waits"]["owed_to"] == ([BALCONY.full] if is_owed else [])
        assert message["waits"]["is_acknowledged"] is not is_owed


async def test_why_session_is_not_named_by_its_id() -> None:
    async with desk() as here:
        save(here.house, BALCONY.full)
        keep(here.house, 5, chat("m1"), place("sm-1"), place("sm-2"))
        here.fates.note(MessageFate.DELIVERED, chat("m1"), BALCONY, "sm-1", 1, 5)
        here.fates.note_acknowledged(BALCONY, "sm-1", 1)
        here.fates.note_returned(BALCONY, "sm-1")
        assert "sm-" not in repr(await here.ask())


async def test_why_message_known_to_both_is_told_once() -> None:
    async with desk() as here:
        keep(here.house, 5, chat("m1"))
        here.fates.note(MessageFate.STORED, chat("m1"), seq=5, detail="token-5")
        (message,) = (await here.ask())["messages"]
        assert message["waits"]["seq"] == message["events"][0]["seq"] == 5


async def test_why_message_put_into_the_log_again_is_told_once() -> None:
    """The earlier record may still be there; the later one is what waits."""
    async with desk() as here:
        keep(here.house, 5, chat("m1"))
        keep(here.house, 6, chat("m1"))
        here.fates.note(MessageFate.LOGGED, chat("m1"), seq=5, detail="token-5")
        here.fates.note(MessageFate.STORED, chat("m1"), detail="token-6")
        (message,) = (await here.ask())["messages"]
        assert (message["stanza_id"], message["waits"]["seq"]) == ("token-6", 6)


async def test_why_number_in_the_sender_s_own_log_is_another() -> None:
    """What waits for Juliet under 5 is not what she sent and Romeo's log has under 5."""
    async with desk() as here:
        keep(here.house, 5, chat("m1"))
        sent = build_message(to=ROMEO.bare_jid, sender=BALCONY, id="m2")
        here.fates.note(MessageFate.STORED, sent, seq=5, detail="token-of-romeo")
        messages = (await here.ask())["messages"]
        assert [(each["id"], each["waits"] is None) for each in messages] == [("m1", False), ("m2", True)]


async def test_why_error_that_waits_is_no_message() -> None:
    async with desk() as here:
        keep(here.house, 5, build_error(chat("m1"), StanzaError(StanzaCondition.GONE)))
        assert (await here.ask())["messages"] == []


async def test_why_messages_of_both_are_in_order_of_time() -> None:
    async with desk() as here:
        for number in (1, 3):
            here.fates.note(MessageFate.ACCEPTED, chat(f"m{number}"))
            keep(here.house, number + 1, chat(f"m{number + 1}"), at_ms=1_000 + number)
        assert [each["id"] for each in (await here.ask())["messages"]] == ["m1", "m2", "m3", "m4"]


async def test_why_message_stored_by_the_server_is_in_the_answer() -> None:
    async with desk() as here:
        romeo = await here.house.appear("romeo@localhost/orchard")
        romeo.send("<message to='juliet@localhost' id='m1' type='chat'><body>secret</body></message>")
        await here.house.settle()
        answer = await here.ask()
        (message,) = answer["messages"]
        assert (message["from"], message["id"]) == (ROMEO.full, "m1")
        assert (message["waits"]["owed_to"], message["waits"]["is_acknowledged"]) == ([], False)
        assert "secret" not in repr(answer)


async def test_why_of_too_many_the_newest_are_told() -> None:
    async with desk() as here:
        for number in range(5):
            here.fates.note(MessageFate.ACCEPTED, chat(f"m{number}"))
        answer = await here.ask(count=2)
        assert ([each["id"] for each in answer["messages"]], answer["omitted"]) == (["m3", "m4"], 3)


@pytest.mark.parametrize("wanted", ["m2", "token-2"])
async def test_why_one_message_is_found_in_the_database_by_either_id(wanted: str) -> None:
    async with desk() as here:
        for number in (1, 2, 3):
            keep(here.house, number, chat(f"m{number}"))
        assert [each["id"] for each in (await here.ask(message=wanted))["messages"]] == ["m2"]


async def test_why_one_message_that_is_not_there_is_no_error() -> None:
    async with desk() as here:
        keep(here.house, 1, chat(None))
        assert (await here.ask(message="m1"))["messages"] == []


@pytest.mark.parametrize("number", [3, 4, 5])
async def test_why_log_is_read_in_pages(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why_module, "_PAGE", 2)
    async with desk() as here:
        for seq in range(1, number + 1):
            keep(here.house, seq, chat(f"m{seq}"), at_ms=seq)
        ids = [each["id"] for each in (await here.ask())["messages"]]
        assert ids == [f"m{seq}" for seq in range(1, number + 1)]


async def test_why_log_that_has_no_end_is_read_so_far_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why_module, "_PAGE", 2)
    monkeypatch.setattr(why_module, "_PAGES_MAX", 2)
    async with desk() as here:
        for seq in range(1, 10):
            keep(here.house, seq, chat(f"m{seq}"), at_ms=seq)
        assert len((await here.ask())["messages"]) == 4


async def test_why_while_the_database_is_away_the_journal_is_told() -> None:
    async with desk() as here:
        here.fates.note(MessageFate.ACCEPTED, chat("m1"))
        here.house.faults = lambda _operation: Fault.AWAY
        answer = await here.ask()
        assert len(answer["messages"]) == 1
        assert "no answer to credentials" in answer["database_away"]


async def test_why_nobody_of_that_name_is_refused() -> None:
    async with desk() as here:
        with pytest.raises(Refusal, match="there is no account nurse@localhost"):
            await here.ask("nurse@localhost")


async def test_why_account_that_is_no_more_has_its_journal() -> None:
    async with desk() as here:
        sender = parse_jid("nurse@localhost/hall")
        here.fates.note(MessageFate.ACCEPTED, build_message(to=JULIET, sender=sender, id="m1"))
        assert [each["id"] for each in (await here.ask("nurse@localhost"))["messages"]] == ["m1"]


async def test_why_without_a_journal_says_so() -> None:
    async with desk(events_max=0) as here:
        keep(here.house, 1, chat("m1"))
        answer = await here.ask()
        assert (answer["since_ms"], len(answer["messages"])) == (None, 1)
