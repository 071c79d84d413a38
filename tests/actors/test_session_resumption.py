"""Sessions without a connection, and over another one (XEP-0198 §5), in a process that lives on."""

import re
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.session_messages import HibernationOver, Resume
from actors.settings import Durability, Settings
from supervision.runtime import KillHere, Point
from supervision.slot import Slot
from tests.actors.house import House
from tests.actors.house_client import said
from tests.actors.managed_client import ManagedClient, appear, managed
from tests.actors.managed_house import (
    BALCONY,
    FAILED,
    JULIET,
    ORCHARD,
    RESUMED,
    ROMEO,
    WINDOW,
    chat,
    couple,
    kept,
)

BOTH = pytest.mark.parametrize("durability", list(Durability))


def friends(durability: Durability = Durability.JOURNALED, **limits: Any) -> House:
    """A house in which the two see each other's presence."""
    house = House(settings=Settings(durability=durability), limits=limits)
    house.befriend(ROMEO, JULIET)
    return house


# -- hibernation and resumption


@BOTH
async def test_resume_client_gets_what_it_missed_and_nothing_else(
    autojump_clock: MockClock, durability: Durability
) -> None:
    async with friends(durability).open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "had"))
        assert await juliet.texts() == ["had"]
        romeo.send(chat(BALCONY, "written, perhaps read"))
        await house.settle()
        juliet.hang_up()
        lost = 1  # of what she had heard when the connection broke
        romeo.send(chat(BALCONY, "missed") + "<presence><show>away</show></presence>" + chat(JULIET, "last"))
        assert await romeo.texts() == [], "nobody refuses anything"
        outcome = await juliet.resume(h=juliet.handled - lost)
        assert (outcome.tag, outcome.get("previd")) == (RESUMED, juliet.sm_id)
        heard = await juliet.hears()
        assert ["perhaps" in heard[0], "missed" in heard[1], "away" in heard[2], "last" in heard[3]] == [
            *([True] * 4)
        ]
        assert len(heard) == 4
        juliet.send(chat(ORCHARD, "back"))
        juliet.acknowledge()
        assert await romeo.texts() == ["back"]
        await trio.sleep(20)
        assert len(juliet.stream.outgoing) == 0
        assert kept(house) == []


@BOTH
async def test_resume_contacts_hear_nothing_of_it(autojump_clock: MockClock, durability: Durability) -> None:
    async with friends(durability).open() as house:
        romeo, juliet = await couple(house)
        for _ in range(3):
            juliet.hang_up()
            await trio.sleep(60)
            assert (await juliet.resume()).tag == RESUMED
        assert await romeo.hears() == []
        assert await juliet.hears() == []


async def test_resume_again_before_the_loss_was_noticed_replaces_the_connection(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        old = juliet.client
        assert (await juliet.resume()).tag == RESUMED
        await trio.sleep(5)
        assert old.error == "conflict"
        assert not old.is_open
        romeo.send(chat(BALCONY, "hi"))
        assert await juliet.texts() == ["hi"]
        juliet.send(chat(ORCHARD, "hi"))
        assert await romeo.texts() == ["hi"]


async def test_resume_what_the_old_connection_still_says_is_not_heard(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        old = juliet.client
        await juliet.resume()
        old.send(chat(ORCHARD, "from the old connection") + "</stream:stream>")
        await trio.sleep(5)
        assert await romeo.hears() == []
        assert juliet.client.is_open


async def test_resume_session_that_was_closed_in_order_has_ended(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.client.log_out()
        assert await romeo.hears() == said(f"<presence type='unavailable' from='{BALCONY}' to='{ROMEO}'/>")
        outcome = await juliet.resume()
        assert (outcome.tag, outcome.get("h"), outcome[0].tag.partition("}")[2]) == (
            FAILED, "1", "item-not-found",
        )  # fmt: skip
        await juliet.client.bind()


async def test_resume_without_having_asked_for_that_is_not_possible(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo = await appear(house, ORCHARD)
        juliet = await managed(house, BALCONY, "")
        juliet.send("<presence/>")
        await romeo.hears()
        juliet.hang_up()
        assert "unavailable" in "".join(await romeo.hears())
        assert house.store.sessions() == [each for each in house.store.sessions() if each.jid == ORCHARD]


@pytest.mark.parametrize("name", ["", "nobody", "☺", "x" * 4_000])
async def test_resume_name_that_nobody_has_is_not_found(autojump_clock: MockClock, name: str) -> None:
    async with House().open() as house:
        romeo = ManagedClient(house, house.connect(ORCHARD))
        romeo.sm_id = name
        outcome = await romeo.resume()
        assert (outcome.tag, outcome.get("h")) == (FAILED, None)
        await romeo.client.bind()


async def test_resume_session_of_another_account_is_not_found_and_not_told_of(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        thief = ManagedClient(house, house.connect(f"{ROMEO}/thief"))
        thief.sm_id = juliet.sm_id
        for _ in range(2):
            outcome = await thief.resume(h=0)
            assert (outcome.tag, outcome.get("h")) == (FAILED, None)
            juliet.client.log_out()  # the second time it has ended
            await house.settle()
        assert await romeo.texts() == []


async def test_resume_h_too_high_is_an_error_and_the_session_stays(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        _romeo, juliet = await couple(house)
        handled = juliet.handled
        juliet.hang_up()
        client = house.connect(BALCONY)
        await client.begin()
        await client.authenticate()
        client.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{juliet.sm_id}' h='{handled + 1}'/>")
        await trio.sleep(5)
        assert client.error == "undefined-condition"
        assert (await juliet.resume()).tag == RESUMED


async def test_resume_h_lower_than_before_is_refused_and_the_session_stays(autojump_clock: MockClock) -> None:
    """What it had acknowledged is not there any more."""
    async with friends().open() as house:
        _romeo, juliet = await couple(house)
        juliet.hang_up()
        handled = juliet.handled
        outcome = await juliet.resume(h=handled - 1)
        assert (outcome.tag, outcome.get("h")) == (FAILED, "1")
        assert (await juliet.resume(h=handled)).tag == RESUMED


# -- the end of waiting


@BOTH
async def test_hibernation_is_over_after_the_time_the_client_was_told(
    autojump_clock: MockClock, durability: Durability
) -> None:
    async with friends(durability, resume_seconds_max=100.0).open() as house:
        romeo, juliet = await couple(house)
        assert juliet.max == 100
        juliet.hang_up()
        await trio.sleep(99)
        assert await romeo.hears() == []
        romeo.send(f"<iq type='get' id='v' to='{BALCONY}'><query xmlns='jabber:iq:version'/></iq>")
        romeo.send(chat(BALCONY, "1") + chat(JULIET, "2") + f"<message to='{BALCONY}' type='error'/>")
        assert await romeo.hears() == []
        await trio.sleep(2)
        refused, gone = sorted(await romeo.hears())
        assert "recipient-unavailable" in refused
        assert 'type="unavailable"' in gone
        assert house.server.directory.session(juliet.client.jid) is None
        assert house.store.sessions() == [each for each in house.store.sessions() if each.jid == ORCHARD]
        outcome = await juliet.resume()
        assert (outcome.tag, outcome.get("h")) == (FAILED, "1")
        window = await house.log_in(WINDOW)
        window.send("<presence/>")
        messages = [each for each in await window.hears() if each.startswith("<message")]
        assert [re.findall("<body>(.*?)</body>", each) for each in messages] == [["1"], ["2"]]
        assert all("urn:xmpp:delay" in each for each in messages)


async def test_hibernation_over_says_nothing_to_a_client_that_is_back(autojump_clock: MockClock) -> None:
    async with friends(resume_seconds_max=100.0).open() as house:
        _romeo, juliet = await couple(house)
        juliet.hang_up()
        await trio.sleep(90)
        await juliet.resume()
        await trio.sleep(90)
        session = house.session_of(juliet.client.jid)
        session.ref.tell(HibernationOver())
        await house.settle()
        assert juliet.client.is_open
        juliet.hang_up()
        await trio.sleep(90)
        assert (await juliet.resume()).tag == RESUMED


async def test_hibernating_session_that_gets_too_much_ends(autojump_clock: MockClock) -> None:
    async with friends(unacked_stanzas_max=10).open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        for number in range(30):
            romeo.send(chat(BALCONY, number))
        await trio.sleep(5)
        assert house.server.directory.session(juliet.client.jid) is not None, "it may come back at once"
        await trio.sleep(10)
        assert house.server.directory.session(juliet.client.jid) is None
        window = await house.log_in(WINDOW)
        window.send("<presence/>")
        heard = "".join(await window.hears())
        assert re.findall("<body>(.*?)</body>", heard) == [str(number) for number in range(30)]


# -- what a session leaves


@BOTH
async def test_give_back_goes_to_another_resource_once(
    autojump_clock: MockClock, durability: Durability
) -> None:
    async with friends(durability).open() as house:
        romeo, balcony = await couple(house)
        window = await appear(house, WINDOW)
        await balcony.hears()
        balcony.hang_up()
        romeo.send(chat(BALCONY, "to one") + chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        session = house.session_of(balcony.client.jid)
        session.ref.tell(HibernationOver())
        assert await window.texts() == ["to one"]
        window.acknowledge()
        await trio.sleep(20)
        assert kept(house) == []
        assert house.server.books.in_flight == {}


async def test_give_back_what_the_other_resource_has_acknowledged_goes_nowhere(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, balcony = await couple(house)
        window = await appear(house, WINDOW)
        balcony.hang_up()
        romeo.send(chat(JULIET, "to both"))
        assert await window.texts() == ["to both"]
        window.acknowledge()
        window.client.log_out()
        await house.settle()
        house.session_of(balcony.client.jid).ref.tell(HibernationOver())
        await trio.sleep(20)
        assert kept(house) == []


async def test_give_back_both_end_and_the_next_gets_it_once(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, balcony = await couple(house)
        window = await appear(house, WINDOW)
        balcony.hang_up()
        window.hang_up()
        romeo.send(chat(JULIET, "to both"))
        await house.settle()
        for client in (balcony, window):
            house.session_of(client.client.jid).ref.tell(HibernationOver())
            await trio.sleep(20)
        assert kept(house) == ["to both"]
        later = await managed(house, f"{JULIET}/later")
        later.send("<presence/>")
        assert await later.texts() == ["to both"]


@BOTH
@pytest.mark.parametrize("is_answered", [False, True])
async def test_give_back_request_is_an_error_unless_the_client_has_answered_it(
    autojump_clock: MockClock, durability: Durability, is_answered: bool
) -> None:
    async with friends(durability).open() as house:
        romeo, juliet = await couple(house)
        romeo.send(f"<iq type='get' to='{BALCONY}' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
        (asked,) = await juliet.hears()
        assert "ping" in asked
        if is_answered:
            juliet.send(f"<iq type='result' to='{ORCHARD}' id='1'/>")
        await house.settle()
        juliet.hang_up()
        await house.settle()
        house.session_of(juliet.client.jid).ref.tell(HibernationOver())
        answers = [each for each in await romeo.hears() if each.startswith("<iq")]
        assert len(answers) == 1
        assert ("recipient-unavailable" in answers[0]) is not is_answered


@BOTH
async def test_conflict_another_client_takes_the_resource_and_what_it_was_owed(
    autojump_clock: MockClock, durability: Durability
) -> None:
    async with friends(durability).open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        romeo.send(chat(BALCONY, "1") + chat(JULIET, "2"))
        await house.settle()
        again = await house.log_in(BALCONY)
        again.send("<presence/>")
        heard = "".join(await again.hears())
        assert [heard.count(f"<body>{number}</body>") for number in (1, 2)] == [1, 1]
        assert (await juliet.resume()).tag == FAILED
        assert again.is_open


async def test_conflict_client_that_is_there_is_sent_away_and_cannot_resume(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        again = await house.log_in(BALCONY)
        await trio.sleep(5)
        assert juliet.error == "conflict"
        juliet.forget_connection()
        assert (await juliet.resume()).tag == FAILED
        again.send(chat(ORCHARD, "it is I"))
        assert await romeo.texts() == ["it is I"]


async def test_give_back_error_that_was_never_committed_frees_its_sender(autojump_clock: MockClock) -> None:
    """A message that is given back as it is; its first record is still on its way to the database."""
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "so that there are numbers"))
        await house.settle()
        house.pool.delay = lambda: 1.0
        romeo.send(f"<message to='{BALCONY}' type='error' id='e'><body>oops</body></message>")
        await trio.sleep(0.1)
        juliet.client.log_out()
        await trio.sleep(10)
        house.pool.delay = None
        romeo.ask()
        await trio.sleep(10)
        assert (await romeo.acks())[-1] == 3


# -- death


@pytest.mark.parametrize("point", [Point.BEFORE_DECIDE, Point.AFTER_DECIDE, Point.IN_APPLY])
async def test_kill_with_a_resumption_in_hand_delays_and_nothing_more(
    autojump_clock: MockClock, point: Point
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        kills = [KillHere("chaos")]

        def probe(at: Point, _slot: Slot[Any], message: object) -> None:
            if at is point and isinstance(message, Resume) and kills:
                raise kills.pop()

        house.runtime.probe = probe
        juliet.hang_up()
        romeo.send(chat(BALCONY, "1"))
        assert (await juliet.resume()).tag == RESUMED
        assert await juliet.texts() == ["1"]
        assert kills == []
        assert house.forgive()


async def test_kill_of_a_hibernating_session_changes_nothing(autojump_clock: MockClock) -> None:
    async with friends(resume_seconds_max=100.0).open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        await house.settle()
        session = house.session_of(juliet.client.jid)
        for number in range(3):
            session.kill()
            romeo.send(chat(BALCONY, number))
            await house.settle()
        assert (await juliet.resume()).tag == RESUMED
        assert await juliet.texts() == ["0", "1", "2"]
        juliet.hang_up()
        session.kill()
        await trio.sleep(101)
        assert not session.ref.is_alive
        house.forgive()


async def test_connection_that_dies_leaves_its_session_to_be_resumed(autojump_clock: MockClock) -> None:
    async with friends(restarts_max=1).open() as house:
        romeo, juliet = await couple(house)
        slot = juliet.client.wire.slot
        assert slot is not None
        while slot.ref.is_alive:
            slot.kill()
            await house.settle()
        juliet.forget_connection()
        romeo.send(chat(BALCONY, "1"))
        assert (await juliet.resume()).tag == RESUMED
        assert await juliet.texts() == ["1"]
        house.forgive()
