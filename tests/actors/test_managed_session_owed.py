"""What a client that manages its stream is owed until it says that it has it, and what is known of it."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.managed_session import ACK_EVERY, ACK_SECONDS, PATIENCE_SECONDS, REQUESTS_MAX
from actors.session_state import SessionState
from tests.actors.house import House
from tests.actors.managed_client import ManagedClient, appear, managed
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, RESUMED, ROMEO, WINDOW, chat, log, slow, warm

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


async def burst(house: House, resource: str = BALCONY) -> ManagedClient:
    """A client with a bound of 20 that has got 50 messages at once."""
    romeo, juliet = await managed(house, ORCHARD), await appear(house, resource)
    romeo.send("".join(chat(BALCONY, number) for number in range(50)))
    await house.settle()
    assert len(juliet.stream.outgoing) == 50
    return juliet


SMALL = {"unacked_stanzas_max": 20}


async def test_burst_client_that_answers_stays(autojump_clock: MockClock) -> None:
    async with House(limits=SMALL).open() as house:
        juliet = await burst(house)
        await trio.sleep(PATIENCE_SECONDS - 1)
        juliet.acknowledge()
        await trio.sleep(3 * PATIENCE_SECONDS)
        assert (juliet.error, len(juliet.stream.outgoing)) == (None, 0)


async def test_burst_client_that_never_answers_is_sent_away_with_the_right_error(
    autojump_clock: MockClock,
) -> None:
    async with House(limits=SMALL).open() as house:
        juliet = await burst(house)
        await trio.sleep(PATIENCE_SECONDS - 1)
        assert juliet.client.is_open
        await trio.sleep(PATIENCE_SECONDS + 2)
        assert juliet.error == "resource-constraint"
        assert house.server.directory.session(juliet.client.jid) is None


async def test_burst_client_that_answers_slowly_has_as_much_time_again(autojump_clock: MockClock) -> None:
    async with House(limits=SMALL).open() as house:
        juliet = await burst(house)
        for h in (5, 10, 15):
            juliet.acknowledge(h)
            await trio.sleep(PATIENCE_SECONDS)
            assert juliet.error is None
        await trio.sleep(2 * PATIENCE_SECONDS)
        assert juliet.error == "resource-constraint"


async def test_burst_client_that_comes_back_has_its_time_from_then(autojump_clock: MockClock) -> None:
    async with House(limits=SMALL).open() as house:
        juliet = await burst(house)
        await trio.sleep(2 * PATIENCE_SECONDS - 1)
        juliet.hang_up()
        assert (await juliet.resume()).tag == RESUMED
        await trio.sleep(PATIENCE_SECONDS - 1)
        assert juliet.error is None


async def test_burst_that_cannot_be_written_yet_is_not_held_against_the_client(
    autojump_clock: MockClock,
) -> None:
    async with House(limits=SMALL).open() as house:
        romeo, juliet = await managed(house, ORCHARD), await appear(house, BALCONY)
        await warm(house, JULIET)
        with slow(house, 3.5 * PATIENCE_SECONDS):
            romeo.send("".join(chat(BALCONY, number) for number in range(50)))
            await trio.sleep(3 * PATIENCE_SECONDS)
            assert (await juliet.texts(), juliet.error) == ([], None)
            await trio.sleep(PATIENCE_SECONDS)
        assert (len(await juliet.texts()), juliet.error) == (50, None)


async def test_burst_of_a_log_in_with_many_contacts_and_a_full_queue(autojump_clock: MockClock) -> None:
    """A client that answers when it is asked, as all do."""
    limits = {"unacked_stanzas_max": 20, "offline_messages_max": 25}
    contacts = [f"contact-{number}@localhost" for number in range(25)]
    house = House((*contacts, ROMEO, JULIET), limits=limits)
    for contact in contacts:
        house.befriend(contact, JULIET)
    async with house.open():
        for contact in contacts:
            await house.appear(f"{contact}/home")
        romeo = await managed(house, ORCHARD)
        romeo.send("".join(chat(JULIET, number) for number in range(25)))
        await house.settle()
        juliet = await managed(house, BALCONY)
        juliet.send("<presence/>")
        for _ in range(4):
            await trio.sleep(PATIENCE_SECONDS / 2)
            if await juliet.is_asked():
                juliet.acknowledge()
        heard = await juliet.hears()
        assert len([each for each in heard if "contact-" in each]) == 25
        assert len([each for each in heard if "<body>" in each]) == 25
        assert (juliet.error, len(juliet.stream.outgoing)) == (None, 0)


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
            await trio.sleep(2.5)  # the message of the day and the queue have been read
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
