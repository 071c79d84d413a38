"""A managed stream while it lasts (XEP-0198 §3, §4): what is acknowledged, asked for, and delivered when."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from actors.managed_session import ACK_EVERY, ACK_SECONDS, REQUESTS_MAX
from actors.session_messages import Deliver, FromClient, NonzaFromClient
from actors.session_state import SessionState
from actors.settings import Durability, Settings
from protocols.jid import parse_jid
from store.log import SEQ_MAX, OutboundNumber, StanzaNumber
from store.memory.faults import Fault
from supervision.runtime import KillHere, Point
from tests.actors.house import House
from tests.actors.managed_client import ManagedClient, appear, managed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from store.log import LogRecord
    from supervision.slot import Slot

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ORCHARD, BALCONY, WINDOW = f"{ROMEO}/orchard", f"{JULIET}/balcony", f"{JULIET}/window"
FAILED = "{urn:xmpp:sm:3}failed"
MEMORY = Settings(durability=Durability.MEMORY)


def chat(to: str, text: object) -> str:
    return f"<message to='{to}' type='chat'><body>{text}</body></message>"


def log(house: House, owner: str = JULIET) -> list[LogRecord]:
    return house.store.pending(owner, 0, SEQ_MAX, 10**6)


def friends(**fields: Any) -> House:
    house = House(**fields)
    house.befriend(ROMEO, JULIET)
    return house


@contextmanager
def slow(house: House, seconds: float = 1.0) -> Iterator[None]:
    """Within this the database takes its time for everything."""
    house.pool.delay = lambda: seconds
    yield
    house.pool.delay = None


async def warm(house: House, *jids: str) -> None:
    """Reserve numbers of these accounts' logs, as the first message does, so that the next wait for none."""
    for jid in jids:
        house.server.ledger_of(parse_jid(jid)).ask_for_more()
    await house.settle()


async def failure(client: ManagedClient) -> str:
    """The condition with which the server refused what was just said."""
    (element,) = await client.nonzas()
    assert element.tag == FAILED
    return element[0].tag.partition("}")[2]


# -- enabling


async def test_enable_names_the_session_and_says_how_long_it_waits(autojump_clock: MockClock) -> None:
    async with House(limits={"resume_seconds_max": 300.0}).open() as house:
        romeo = await managed(house, ORCHARD)
        assert (romeo.max, house.server.streams.live(romeo.sm_id or "") is not None) == (300, True)
        (summary,) = house.store.sessions()
        assert (summary.sm_id, summary.jid, summary.resume_seconds) == (romeo.sm_id, ORCHARD, 300.0)
        juliet = await managed(house, BALCONY)
        assert juliet.sm_id != romeo.sm_id


@pytest.mark.parametrize(("asked", "given"), [("20", 20), ("100000", 300)])
async def test_enable_client_may_ask_for_less_time(autojump_clock: MockClock, asked: str, given: int) -> None:
    async with House(limits={"resume_seconds_max": 300.0}).open() as house:
        assert (await managed(house, ORCHARD, f"resume='1' max='{asked}'")).max == given


@pytest.mark.parametrize("attributes", ["", "resume='false' max='20'"])
async def test_enable_without_resumption_names_nothing(autojump_clock: MockClock, attributes: str) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD, attributes)
        assert (romeo.sm_id, romeo.max) == (None, None)
        romeo.send("<presence/>")
        romeo.ask()
        assert (await romeo.acks())[-1] == 1, "it is managed all the same"


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ("<enable xmlns='urn:xmpp:sm:3' resume='perhaps'/>", "bad-request"),
        ("<r xmlns='urn:xmpp:sm:3'/>", "unexpected-request"),
        ("<a xmlns='urn:xmpp:sm:3' h='0'/>", "unexpected-request"),
        ("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", "unexpected-request"),
        ("<resumed xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", "unexpected-request"),
    ],
)
async def test_nonza_out_of_place_is_refused_and_the_stream_goes_on(
    autojump_clock: MockClock, said: str, condition: str
) -> None:
    async with House().open() as house:
        romeo = ManagedClient(house, await house.log_in(ORCHARD))
        romeo.send(said)
        assert await failure(romeo) == condition
        await romeo.enable()


async def test_enable_twice_is_refused_and_changes_nothing(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        romeo.send(chat(JULIET, "1"))
        romeo.send("<enable xmlns='urn:xmpp:sm:3'/>")
        assert await failure(romeo) == "unexpected-request"
        romeo.ask()
        assert (await romeo.acks())[-1] == 1
        assert list(house.server.streams._live) == [romeo.sm_id]


# -- acknowledging what the client sends


@pytest.mark.parametrize(
    "sent",
    [
        chat(BALCONY, "to somebody whose stream is managed"),
        chat("nurse@localhost/hall", "to somebody whose stream is not"),
        chat(JULIET, "to all of her resources"),
        chat("friar@localhost", "to somebody who is away"),
        chat("nobody@localhost", "to nobody"),
        chat("elsewhere.example", "to another server"),
        chat("localhost", "to the server"),
        chat(f"{ORCHARD}", "to itself"),
        "<message type='chat'/>",
        "<presence/>",
        f"<presence to='{BALCONY}'/>",
        f"<presence type='subscribe' to='{JULIET}'/>",
        "<presence type='subscribe' to='nobody@localhost'/>",
        "<presence type='subscribe'/>",
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1' to='nobody@localhost/x'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='result' id='1'/>",
        "<iq/>",
        "<message to='@@'/>",
    ],
)
async def test_every_stanza_counts_once_and_is_acknowledged(autojump_clock: MockClock, sent: str) -> None:
    """Also if it goes nowhere, or is none."""
    house = House([ROMEO, JULIET, "nurse@localhost", "friar@localhost"])
    async with house.open():
        romeo, _juliet = await managed(house, ORCHARD), await appear(house, BALCONY)
        await appear(house, WINDOW)
        await house.appear("nurse@localhost/hall")
        romeo.send(sent)
        romeo.ask()
        assert (await romeo.acks())[-1] == 1
        romeo.send(sent + chat(BALCONY, "behind") + sent)
        await house.settle()
        romeo.ask()
        assert (await romeo.acks())[-1] == 4


async def test_acknowledged_at_once_is_what_is_safe_and_again_when_that_is_more(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo, _juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        await warm(house, JULIET)
        with slow(house):
            romeo.send(chat(BALCONY, "1") + chat(BALCONY, "2"))
            romeo.ask()
            assert await romeo.acks() == [0]
            await trio.sleep(1.5)
            assert await romeo.acks() == [2]
            await trio.sleep(10)
            assert await romeo.acks() == [], "it knows"


async def test_acknowledged_without_having_asked_is_nothing(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, _juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        romeo.send(chat(BALCONY, "1"))
        await trio.sleep(10)
        assert await romeo.acks() == []


async def test_acknowledged_never_before_the_session_itself_is_stored(autojump_clock: MockClock) -> None:
    """A client that was told more than nothing could not get it back."""
    async with House().open() as house:
        await managed(house, BALCONY)
        romeo = ManagedClient(house, await house.log_in(ORCHARD))
        with slow(house):
            await romeo.enable()
            romeo.send("<presence/>")
            romeo.ask()
            assert (await romeo.acks(), house.store.session_records([romeo.sm_id or ""])) == ([0], [])
            await trio.sleep(10)
        assert (await romeo.acks())[-1] == 1
        (record,) = house.store.session_records([romeo.sm_id or ""])
        assert record.received == 1


async def test_acknowledged_what_left_nothing_in_the_log_by_a_counter_and_only_when_asked(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        for number in range(10):
            romeo.send(f"<iq type='get' id='{number}'><ping xmlns='urn:xmpp:ping'/></iq>")
        await house.settle()
        (record,) = house.store.session_records([romeo.sm_id or ""])
        assert record.received == 0
        romeo.ask()
        assert (await romeo.acks())[-1] == 10
        (record,) = house.store.session_records([romeo.sm_id or ""])
        assert record.received == 10


async def test_acknowledged_behind_what_is_not_safe_is_nothing(autojump_clock: MockClock) -> None:
    """A request to Juliet's account waits for the database; what comes behind it is safe long before."""
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        await warm(house, JULIET)
        with slow(house, 5.0):
            romeo.send(chat("friar@localhost", "he has no account, which must be looked up"))
            await trio.sleep(1)
        romeo.send(chat(BALCONY, "behind"))
        romeo.ask()
        assert await romeo.acks() == [0]
        assert await juliet.texts() == ["behind"]
        assert [record.inbound for record in log(house)] == [StanzaNumber(romeo.sm_id or "", 2)]
        await trio.sleep(10)
        assert (await romeo.acks())[-1] == 2


# -- delivering what others send


async def test_nothing_is_delivered_before_it_is_committed_nor_what_comes_behind_it(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await appear(house, ORCHARD), await appear(house, BALCONY)
        await romeo.hears()
        iq = f"<iq type='get' id='v' to='{BALCONY}'><query xmlns='jabber:iq:version'/></iq>"
        await warm(house, JULIET)
        with slow(house):
            romeo.send(chat(BALCONY, "first"))
            await trio.sleep(0.5)
            romeo.send(f"<presence to='{BALCONY}'><show>away</show></presence>")
            romeo.send(chat(JULIET, "last"))
            romeo.send(iq)
            assert await juliet.hears() == []
            await trio.sleep(0.7)
            heard = await juliet.hears()
            assert ["first" in heard[0], "away" in heard[1], len(heard)] == [True, True, 2]
            await trio.sleep(1.0)
            heard = await juliet.hears()
            assert ["last" in heard[0], "jabber:iq:version" in heard[1], len(heard)] == [True, True, 2]


async def test_message_from_somebody_who_is_owed_nothing_waits_for_nothing(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await managed(house, BALCONY)
        with slow(house):
            romeo.send(chat(BALCONY, "hi"))
            assert await juliet.texts() == ["hi"]
            await trio.sleep(5)
        assert log(house) == []


async def test_message_for_two_resources_is_one_record_with_two_places(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        balcony, window = await appear(house, BALCONY), await appear(house, WINDOW)
        positions = [balcony.handled + 1, window.handled + 1]
        romeo.send(chat(JULIET, "to both"))
        assert [await balcony.texts(), await window.texts()] == [["to both"]] * 2
        (record,) = log(house)
        assert record.inbound == StanzaNumber(romeo.sm_id or "", 1)
        assert set(record.outbound) == {
            OutboundNumber(balcony.sm_id or "", 0, positions[0]),
            OutboundNumber(window.sm_id or "", 0, positions[1]),
        }
        balcony.acknowledge()
        romeo.ask()
        await trio.sleep(10)
        assert len(log(house)) == 1, "the other has not said that it has it"
        window.acknowledge()
        await trio.sleep(10)
        assert log(house) == []


async def test_message_that_went_by_the_presence_actor_is_one_record_too(autojump_clock: MockClock) -> None:
    """Everything goes there while something for the user waits there."""
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        balcony, window = await appear(house, BALCONY), await appear(house, WINDOW)
        with slow(house):
            item = "<query xmlns='jabber:iq:roster'><item jid='a@b'/></query>"
            balcony.send(f"<iq type='set' id='s'>{item}</iq>")  # is being stored
            await trio.sleep(0.1)
            assert house.server.directory.entry(JULIET).waiting == 1
            romeo.send(chat(JULIET, "1"))
            await trio.sleep(0.1)
            assert house.server.directory.entry(JULIET).waiting == 2
            await trio.sleep(10)
        assert [await balcony.texts(), await window.texts()] == [["1"]] * 2
        assert [len(record.outbound) for record in log(house)] == [2]


async def test_message_for_a_managed_and_another_resource_is_logged_for_the_one(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        balcony, window = await appear(house, BALCONY), await house.appear(WINDOW)
        await balcony.hears()
        romeo.send(chat(JULIET, "to both"))
        assert await balcony.texts() == ["to both"]
        assert len(await window.hears()) == 1
        assert [len(record.outbound) for record in log(house)] == [1]


async def test_error_of_a_message_is_itself_a_message_that_is_not_lost(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        await warm(house, ROMEO)
        with slow(house):
            romeo.send(chat("nobody@localhost", "hi"))
            romeo.ask()
            await trio.sleep(1.5)
            assert (await romeo.acks(), await romeo.hears()) == ([0], [])
            await trio.sleep(5)
        (error,) = await romeo.hears()
        assert "service-unavailable" in error
        assert (await romeo.acks())[-1] == 1
        (record,) = log(house, ROMEO)
        assert record.inbound == StanzaNumber(romeo.sm_id or "", 1)


# -- what the client acknowledges


async def test_client_is_asked_after_some_stanzas_or_some_time(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await managed(house, BALCONY)
        romeo.send(chat(BALCONY, 1))
        assert not await juliet.is_asked()
        await trio.sleep(1.5 * ACK_SECONDS)
        assert await juliet.is_asked()
        romeo.send(chat(BALCONY, 2))
        await trio.sleep(10 * ACK_SECONDS)
        assert not await juliet.is_asked(), "once is enough"
        juliet.acknowledge()
        await trio.sleep(10 * ACK_SECONDS)
        assert not await juliet.is_asked(), "nothing is left"
        for number in range(ACK_EVERY):
            romeo.send(chat(BALCONY, number))
        assert await juliet.is_asked()


async def test_acknowledgement_again_or_less_is_nothing_new(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await managed(house, BALCONY)
        romeo.send(chat(BALCONY, 1) + chat(BALCONY, 2))
        await juliet.hears()
        for h in (2, 2, 1):
            juliet.acknowledge(h)
        await house.settle()
        assert juliet.client.is_open
        assert (juliet.stream.outgoing.acked, len(juliet.stream.outgoing)) == (2, 0)


async def test_acknowledgement_of_too_much_ends_the_stream_and_the_session(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await managed(house, BALCONY)
        romeo.send(chat(BALCONY, 1))
        await juliet.hears()
        heard = bytearray()
        hear = juliet.client.wire.hear

        def listen(data: bytes) -> None:
            heard.extend(data)
            hear(data)

        juliet.client.wire.hear = listen
        juliet.acknowledge(2)
        await trio.sleep(10)
        assert juliet.error == "undefined-condition"
        assert b"<handled-count-too-high xmlns='urn:xmpp:sm:3' h='2' send-count='1'/>" in heard
        assert house.server.directory.session(juliet.client.jid) is None
        assert len(log(house)) == 1, "what it did not acknowledge is kept"


@pytest.mark.parametrize(
    "limits", [{"unacked_stanzas_max": 20}, {"unacked_bytes_max": 10_000, "unacked_stanzas_max": 1_000}]
)
async def test_client_that_acknowledges_nothing_is_sent_away(
    autojump_clock: MockClock, limits: dict[str, Any]
) -> None:
    """What it was owed is kept, each once and in order, unless it wrote that it has it."""
    async with House(limits=limits).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await appear(house, BALCONY)
        for number in range(100):
            romeo.send(chat(BALCONY, f"{number} {'x' * 100}"))
            await house.settle()
        await trio.sleep(10)
        assert juliet.error == "resource-constraint"
        assert house.server.directory.session(juliet.client.jid) is None
        again = await house.log_in(WINDOW)
        again.send("<presence/>")
        texts = [each for each in await again.hears() if "<body>" in each]
        assert [int(each.partition("<body>")[2].partition(" ")[0]) for each in texts] == list(range(100))
        romeo.ask()
        assert (await romeo.acks())[-1] == 100


# -- the offline queue


async def test_handed_over_is_delivered_when_its_mark_is_journaled_and_leaves_when_acknowledged(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        for number in range(3):
            romeo.send(chat(JULIET, number))
        romeo.ask()
        assert (await romeo.acks())[-1] == 3
        juliet = await managed(house, BALCONY)
        await house.settle()
        with slow(house):
            juliet.send("<presence/>")
            await trio.sleep(1.5)  # the queue has been read
            assert await juliet.texts() == []
            await trio.sleep(1)
            assert await juliet.texts() == ["0", "1", "2"]
            await trio.sleep(20)
        assert len(log(house)) == 3
        window = await appear(house, WINDOW)
        assert await window.texts() == [], "they are the other's"
        juliet.acknowledge()
        await trio.sleep(20)
        assert log(house) == []


async def test_handed_over_to_a_client_that_ends_goes_to_the_next(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send(chat(JULIET, "1") + chat(JULIET, "2"))
        await house.settle()
        for resource in ("one", "two", "three"):
            juliet = await managed(house, f"{JULIET}/{resource}")
            juliet.send("<presence/>")
            assert await juliet.texts() == ["1", "2"]
            juliet.client.log_out()
            await trio.sleep(5)
        assert len(log(house)) == 2


async def test_handed_over_to_a_client_whose_stream_is_not_managed_is_gone(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        romeo.send(chat(JULIET, "1"))
        await house.settle()
        juliet = await house.log_in(BALCONY)
        juliet.send("<presence/>")
        await trio.sleep(30)
        assert "<body>1" in "".join(await juliet.hears())
        assert log(house) == []


# -- what the client is known to know


async def test_roster_version_is_known_once_what_brought_it_is_acknowledged(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        romeo.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
        await romeo.hears()
        state = house.session_of(romeo.client.jid).state
        assert isinstance(state, SessionState)
        seen = [state.roster_version]
        romeo.acknowledge()
        await house.settle()
        seen.append(state.roster_version)
        romeo.send("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>")
        await romeo.hears()
        seen.append(state.roster_version)
        romeo.acknowledge()
        await house.settle()
        assert [*seen, state.roster_version] == [0, 0, 0, 1], "what it asked for it is known to want"


async def test_requests_are_remembered_until_their_answer_is_acknowledged(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, _juliet = await managed(house, ORCHARD), await house.log_in(BALCONY)
        for to, id_ in [("localhost", "a"), (BALCONY, "b"), (ROMEO, "c")]:
            romeo.send(f"<iq type='get' id='{id_}' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>")
            await house.settle()
        romeo.send("<iq type='get' id='d'><ping xmlns='urn:xmpp:ping'/></iq>")
        await house.settle()
        romeo.send(f"<presence to='{BALCONY}'/>")
        keys = [("a", "localhost"), ("b", BALCONY), ("c", ROMEO), ("d", ROMEO)]
        assert sorted(romeo.stream.requests) == keys
        answered = {key: request.answered for key, request in romeo.stream.requests.items()}
        assert answered[keys[0]] == 1
        await romeo.hears()
        romeo.acknowledge(1)
        await house.settle()
        assert keys[0] not in romeo.stream.requests


async def test_requests_are_bounded(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.managed_session.REQUESTS_MAX", 3)
    assert REQUESTS_MAX > 3
    async with House().open() as house:
        romeo = await managed(house, ORCHARD)
        for number in range(5):
            romeo.send(f"<iq type='get' id='{number}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        await house.settle()
        assert [id_ for id_, _to in romeo.stream.requests] == ["2", "3", "4"]


# -- durability in memory


async def test_memory_acknowledges_at_once_and_writes_nothing(autojump_clock: MockClock) -> None:
    async with House(settings=MEMORY).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await appear(house, BALCONY)
        with slow(house):
            romeo.send(chat(BALCONY, "1") + chat(JULIET, "2"))
            romeo.ask()
            assert await romeo.acks() == [2]
            assert await juliet.texts() == ["1", "2"]
            await trio.sleep(10)
        assert (log(house), house.store.sessions()) == ([], [])


async def test_memory_offline_messages_are_handed_over_once(autojump_clock: MockClock) -> None:
    async with House(settings=MEMORY).open() as house:
        romeo = await managed(house, ORCHARD)
        romeo.send(chat(JULIET, "1"))
        await house.settle()
        juliet = await managed(house, BALCONY)
        juliet.send("<presence/>")
        assert await juliet.texts() == ["1"]
        await trio.sleep(5)
        assert log(house) == []


# -- the database away


async def test_database_away_for_a_while_is_waited_for(autojump_clock: MockClock) -> None:
    async with House(limits={"store_away_seconds": 5.0}).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        romeo.send(chat(BALCONY, "1"))
        romeo.ask()
        await trio.sleep(4)
        assert (await juliet.texts(), await romeo.acks()) == ([], [0])
        house.faults = None
        await trio.sleep(2)
        assert (await juliet.texts(), await romeo.acks()) == (["1"], [1])


async def test_database_away_for_long_delivery_goes_on_and_nothing_is_acknowledged(
    autojump_clock: MockClock,
) -> None:
    async with House(limits={"store_away_seconds": 5.0}).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        romeo.send(chat(BALCONY, "1"))
        await trio.sleep(10)
        romeo.send(chat(BALCONY, "2"))
        romeo.ask()
        assert (await juliet.texts(), await romeo.acks()) == (["1", "2"], [0])
        juliet.acknowledge()
        await trio.sleep(60)
        assert await romeo.acks() == []
        house.faults = None
        await trio.sleep(10)
        assert (await romeo.acks())[-1] == 2
        assert log(house) == [], "nobody needs them any more"


async def test_database_away_ledger_is_full_messages_are_refused_for_now(autojump_clock: MockClock) -> None:
    limits = {"store_away_seconds": 1.0, "ledger_bytes_max": 10_000}
    async with House(limits=limits).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        house.faults = lambda _operation: Fault.AWAY
        for number in range(20):
            romeo.send(chat(BALCONY, f"{number} {'x' * 1_000}"))
            await trio.sleep(1)
        heard, refused = await juliet.texts(), await romeo.hears()
        assert len(heard) + len(refused) == 20
        assert 0 < len(heard) < 20
        assert all("resource-constraint" in each and 'type="wait"' in each for each in refused)
        house.faults = None
        await trio.sleep(10)
        romeo.ask()
        assert (await romeo.acks())[-1] == 20
        romeo.send(chat(BALCONY, "behind"))
        assert await juliet.texts() == ["behind"]


# -- death

_IN_HAND = (Point.BEFORE_DECIDE, Point.AFTER_DECIDE, Point.IN_APPLY)


@pytest.mark.parametrize(
    ("kind", "point"),
    [
        *((kind, point) for kind in (Deliver, NonzaFromClient) for point in _IN_HAND),
        (FromClient, Point.BEFORE_DECIDE),
        (FromClient, Point.AFTER_DECIDE),  # one whose effects failed is set aside, see below
    ],
)
async def test_kill_with_something_in_hand_loses_doubles_and_miscounts_nothing(
    autojump_clock: MockClock, point: Point, kind: type
) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        kills = [KillHere("chaos")]

        def probe(at: Point, slot: Slot[Any], message: object) -> None:
            is_meant = slot.path.startswith("/sessions/") and isinstance(message, kind)
            if at is point and is_meant and kills:
                raise kills.pop()

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "1") + chat(BALCONY, "2"))
        romeo.ask()
        romeo.send(chat(BALCONY, "3"))
        await trio.sleep(5)
        romeo.ask()
        assert (await romeo.acks())[-1] == 3
        assert await juliet.texts() == ["1", "2", "3"]
        assert kills == []
        house.forgive()


async def test_kill_when_a_gate_opens_delays_and_nothing_more(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)
        kills = [KillHere("chaos")]

        def probe(at: Point, _slot: Slot[Any], _message: object) -> None:
            if at is Point.ANSWERED and kills:
                raise kills.pop()

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "1") + chat(BALCONY, "2"))
        await trio.sleep(5)
        assert await juliet.texts() == ["1", "2"]
        assert kills == []
        assert house.forgive()


@pytest.mark.parametrize("point", _IN_HAND)
async def test_set_aside_stanza_counts_once_and_is_answered_once(
    autojump_clock: MockClock, point: Point
) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)

        def probe(at: Point, slot: Slot[Any], message: object) -> None:
            if at is point and isinstance(message, FromClient) and b"poison" in message[0].data:
                raise ZeroDivisionError("poison")

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "before") + chat(BALCONY, "poison") + chat(BALCONY, "behind"))
        romeo.ask()
        assert await juliet.texts() == ["before", "behind"]
        (answer,) = await romeo.hears()
        assert "internal-server-error" in answer
        assert (await romeo.acks())[-1] == 3
        house.forgive()


async def test_set_aside_stanza_for_the_client_is_delivered_and_numbered_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        romeo, juliet = await managed(house, ORCHARD), await managed(house, BALCONY)

        def probe(at: Point, slot: Slot[Any], message: object) -> None:
            if at is Point.AFTER_DECIDE and isinstance(message, Deliver) and b"poison" in message[0].data:
                raise ZeroDivisionError("poison")

        house.runtime.probe = probe
        romeo.send(chat(BALCONY, "before") + chat(BALCONY, "poison") + chat(BALCONY, "behind"))
        assert await juliet.texts() == ["before", "poison", "behind"]
        assert [record.outbound[0].number for record in log(house)] == [1, 2, 3]
        house.forgive()
