"""A managed stream while it lasts (XEP-0198 §3, §4): what is acknowledged, and delivered when."""

import pytest
import trio
from trio.testing import MockClock

from store.log import OutboundNumber, StanzaNumber
from tests.actors.house import House
from tests.actors.managed_client import ManagedClient, appear, managed
from tests.actors.managed_house import (
    BALCONY,
    FAILED,
    JULIET,
    ORCHARD,
    ROMEO,
    WINDOW,
    chat,
    friends,
    log,
    slow,
    warm,
)


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
    """Nor is it confirmed that there is one: a client that was told so could not get it back."""
    async with House().open() as house:
        await managed(house, BALCONY)
        romeo = ManagedClient(house, await house.log_in(ORCHARD))
        with slow(house):
            romeo.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence/>")
            romeo.ask()
            assert (await romeo.hears(), await romeo.nonzas(), house.store.sessions()[1:]) == ([], [], [])
            await trio.sleep(10)
        confirmed, *told = await romeo.nonzas()
        assert (confirmed.tag, [each.get("h") for each in told][:2]) == ("{urn:xmpp:sm:3}enabled", ["0", "1"])
        romeo.sm_id = confirmed.get("id")
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
