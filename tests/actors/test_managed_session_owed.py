"""What a client that manages its stream is owed until it says that it has it, and what is known of it."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.managed_session import ACK_EVERY, ACK_SECONDS, REQUESTS_MAX
from actors.session_state import SessionState
from tests.actors.house import House
from tests.actors.managed_client import appear, managed
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, WINDOW, chat, log, slow

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
