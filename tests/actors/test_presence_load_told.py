"""What clients are told of sessions that come back, what comes back besides messages, and an orderly stop."""

import re
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from actors.presence_aside import RESUME_TRIES_MAX
from actors.session_messages import HibernationOver
from actors.settings import Durability, Settings
from protocols.jid import parse_jid
from protocols.stanza import build_message
from store.memory.faults import Fault
from store.writes import SaveSession
from tests.actors.house import House
from tests.actors.house_client import said
from tests.actors.managed_client import appear, died, managed
from tests.actors.managed_house import (
    BALCONY,
    FAILED,
    JULIET,
    ORCHARD,
    RESUMED,
    ROMEO,
    WINDOW,
    after,
    chat,
    couple,
    friends,
    kept,
)

ROSTER = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"


# -- what the server may say of a session that comes back


async def test_crash_too_high_an_h_is_believed_since_nobody_counted_presence(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        for _ in range(5):
            romeo.send(f"<presence to='{BALCONY}'/>")
        romeo.send(chat(BALCONY, "1"))
        await juliet.hears()
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        assert (await juliet.resume(later)).tag == RESUMED
        assert await juliet.texts() == []
        await romeo.resume(later)
        await juliet.hears()
        romeo.send(chat(BALCONY, "2"))
        assert await juliet.texts() == ["2"]
        juliet.acknowledge()
        await trio.sleep(5)
        assert juliet.client.is_open


async def test_crash_h_below_the_mark_is_refused(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "1"))
        assert await juliet.texts() == ["1"]
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        handled = juliet.handled
        assert (await juliet.resume(later)).tag == RESUMED
        juliet.hang_up()
        outcome = await juliet.resume(later, handled - 1)
        assert (outcome.tag, outcome.get("h")) == (FAILED, "1")


async def test_crash_session_whose_time_was_over_has_ended(autojump_clock: MockClock) -> None:
    """It had hibernated before the crash; those that had not have their full time from the start."""
    async with friends(limits={"resume_seconds_max": 100.0}).open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        await house.settle()
        await trio.sleep(50)
        romeo.send(chat(BALCONY, "1"))
        romeo.ask()
        assert (await romeo.acks())[-1] == 2
        store = died(house, romeo)
    async with after(store).open() as later:
        await trio.sleep(60)
        assert (await juliet.resume(later)).tag == FAILED
        assert kept(later) == ["1"]
        assert [each.jid for each in later.store.sessions()] == [ORCHARD]
        await trio.sleep(30)
        assert (await romeo.resume(later)).tag == RESUMED


async def test_crash_sessions_end_in_time_though_nobody_asks_for_them(autojump_clock: MockClock) -> None:
    async with friends(limits={"resume_seconds_max": 100.0}).open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "1"))
        await house.settle()
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        await trio.sleep(90)
        assert len(later.store.sessions()) == 2
        await trio.sleep(20)
        assert later.store.sessions() == []
        window = await later.log_in(WINDOW)
        window.send("<presence/>")
        assert "<body>1</body>" in "".join(await window.hears())


async def test_crash_users_whose_sessions_wait_count_as_available(autojump_clock: MockClock) -> None:
    """Messages for them wait there, in order, rather than in the offline queue."""
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.send("<presence><show>away</show><priority>3</priority></presence>")
        juliet.ask()
        await juliet.acks()
        romeo.send(chat(BALCONY, "before"))
        await house.settle()
        store, handled = died(house, romeo, juliet), juliet.handled - 1
    async with after(store).open() as later:
        window = await later.appear(WINDOW)
        assert "<priority>3" in "".join(window.log)
        await romeo.resume(later)
        assert f'from="{BALCONY}"' in "".join(await romeo.hears()), "she is still there"
        romeo.send(chat(JULIET, "to the most available") + chat(BALCONY, "by name"))
        await later.settle()
        assert (await juliet.resume(later, handled)).tag == RESUMED
        assert await juliet.texts() == ["before", "to the most available", "by name"]


async def test_crash_presence_and_roster_are_told_anew(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.send(ROSTER)
        await juliet.hears()
        juliet.acknowledge()
        juliet.ask()
        await juliet.acks()
        item = "<query xmlns='jabber:iq:roster'><item jid='nurse@localhost'/></query>"
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        romeo_again = await later.appear(ORCHARD, "<show>away</show>")
        window = await later.log_in(WINDOW)
        window.send(f"<iq type='set' id='s'>{item}</iq>")
        await window.hears()
        assert (await juliet.resume(later)).tag == RESUMED
        heard = await juliet.hears()
        pushes = {each for each in heard if "nurse@localhost" in each and "jabber:iq:roster" in each}
        assert len(pushes) == 1, "though it may be said twice"
        assert said(f"<presence from='{ORCHARD}' to='{BALCONY}'><show>away</show></presence>")[0] in heard
        juliet.acknowledge()
        await later.settle()
        window.send("<iq type='set' id='s2'>" + item.replace("nurse", "friar") + "</iq>")
        assert "friar" in "".join(await juliet.hears())
        assert romeo_again.is_open


async def test_crash_one_error_for_each_request_without_an_answer(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        for id_, to in [("answered", "localhost"), ("open", BALCONY), ("unread", "localhost")]:
            romeo.send(f"<iq type='get' id='{id_}' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>")
            await house.settle()
            if id_ == "answered":
                romeo.acknowledge()
        await house.settle()
        handled = romeo.handled - 1
        romeo.ask()
        assert (await romeo.acks())[-1] == 4
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        await romeo.resume(later, handled)
        errors = [each for each in await romeo.hears() if each.startswith("<iq")]
        assert ["remote-server-timeout" in each for each in errors] == [True, True]
        assert sorted(re.findall(' id="(.*?)"', "".join(errors))) == ["open", "unread"]
        romeo.hang_up()
        await romeo.resume(later)
        assert [each for each in await romeo.hears() if each.startswith("<iq")] == [], "once is enough"


async def test_crash_directed_presence_is_taken_back_in_the_end(autojump_clock: MockClock) -> None:
    async with House([ROMEO, JULIET, "nurse@localhost"]).open() as house:
        romeo = await appear(house, ORCHARD)
        romeo.send("<presence to='nurse@localhost'/>")
        romeo.ask()
        await romeo.acks()
        store = died(house, romeo)
    async with after(store).open() as later:
        nurse = await later.appear("nurse@localhost/hall")
        await romeo.resume(later)
        romeo.client.log_out()
        assert await nurse.hears() == said(
            f"<presence type='unavailable' from='{ORCHARD}' to='nurse@localhost'/>"
        )


async def test_crash_name_that_is_taken_by_then_is_lost_and_its_messages_go_to_who_took_it(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "1"))
        await house.settle()
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        again = await later.log_in(BALCONY)
        again.send("<presence/>")
        heard = "".join(await again.hears())
        assert heard.count("<body>1</body>") == 1
        assert (await juliet.resume(later)).tag == FAILED
        await trio.sleep(20)
        assert [each.jid for each in later.store.sessions()] == [ORCHARD]


async def test_crash_client_hangs_up_while_its_mark_is_being_written(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "1"))
        await house.settle()
        store, handled = died(house, romeo, juliet), juliet.handled - 1
    async with after(store).open() as later:
        await later.log_in(WINDOW)  # so that the account has been loaded
        await later.settle()
        later.pool.delay = lambda: 0.7  # for the keys, the password and the mark
        await juliet.begin_to_resume(later, handled)
        await trio.sleep(0.3)  # the mark is on its way
        assert juliet.stream.resuming is not None
        juliet.hang_up()
        later.pool.delay = None
        await trio.sleep(10)
        outcome = await juliet.resume(later, handled)
        assert outcome.tag == RESUMED
        assert await juliet.texts() == ["1"]


async def test_crash_database_away_at_the_resumption_client_is_told_to_try_again(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "1"))
        await house.settle()
        store, handled = died(house, romeo, juliet), juliet.handled - 1
    faults = ["session_records"]
    store._faults = lambda operation: Fault.AWAY if operation in faults else None
    async with after(store).open() as later:
        await juliet.begin_to_resume(later, handled)
        await trio.sleep(RESUME_TRIES_MAX + 2)
        outcome = await juliet.outcome()
        assert (outcome.tag, outcome[0].tag.partition("}")[2]) == (FAILED, "resource-constraint")
        await juliet.begin_to_resume(later, handled)
        await trio.sleep(5)
        faults.clear()
        await trio.sleep(5)
        assert (await juliet.outcome()).tag == RESUMED, "the second time it was worth waiting"
        assert await juliet.texts() == ["1"]


async def test_crash_right_behind_the_end_of_a_session_the_next_resource_gets_its_messages_once(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        romeo.send(chat(BALCONY, "1") + chat(JULIET, "2"))
        await house.settle()
        house.session_of(juliet.client.jid).ref.tell(HibernationOver())
        await house.settle()
        store = died(house, romeo)
    async with after(store).open() as later:
        window = await managed(later, WINDOW)
        window.send("<presence/>")
        assert await window.texts() == ["1", "2"]


# -- an orderly stop


@pytest.mark.parametrize("durability", list(Durability))
async def test_orderly_stop_nothing_is_lost_and_nothing_comes_twice(
    autojump_clock: MockClock, durability: Durability
) -> None:
    settings = Settings(durability=durability)
    house = friends(settings=settings)
    async with house.open():
        romeo, juliet = await couple(house)
        romeo.send("<iq type='get' id='a' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        romeo.send(chat(BALCONY, "1") + f"<presence to='{BALCONY}'><show>dnd</show></presence>")
        romeo.send(chat(BALCONY, "2"))
        await house.settle()
        handled = {romeo: romeo.handled - 1, juliet: juliet.handled - 2}
        romeo.forget_connection()
        juliet.forget_connection()
    async with after(house.store, settings=settings).open() as later:
        assert (await romeo.resume(later, handled[romeo])).tag == RESUMED
        assert romeo.told == 5
        answers = [each for each in await romeo.hears() if each.startswith("<iq")]
        assert answers == said(f"<iq type='result' id='a' from='localhost' to='{ORCHARD}'/>")
        assert (await juliet.resume(later, handled[juliet])).tag == RESUMED
        heard = await juliet.hears()
        assert ["dnd" in heard[0], "<body>2" in heard[1]] == [True, True]
        assert "<body>1" not in "".join(heard)
        juliet.acknowledge()
        await trio.sleep(20)
        assert kept(later) == []


async def test_orderly_stop_h_too_high_is_an_error(autojump_clock: MockClock) -> None:
    house = friends()
    async with house.open():
        _romeo, juliet = await couple(house)
        juliet.forget_connection()
    async with after(house.store).open() as later:
        client = later.connect(BALCONY)
        await client.begin()
        await client.authenticate()
        client.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{juliet.sm_id}' h='{juliet.handled + 1}'/>")
        await trio.sleep(5)
        assert client.error == "undefined-condition"
        assert (await juliet.resume(later)).tag == RESUMED


async def test_orderly_stop_request_that_the_client_had_answered_is_answered_by_nobody_else(
    autojump_clock: MockClock,
) -> None:
    """She never said that she had it, and does not come back."""
    limits = {"resume_seconds_max": 100.0}
    house = friends(limits=limits)
    async with house.open():
        romeo, juliet = await couple(house)
        romeo.send(f"<iq type='get' id='1' to='{BALCONY}'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert "ping" in (await juliet.hears())[0]
        juliet.send(f"<iq type='result' id='1' to='{ORCHARD}'/>")
        assert await romeo.hears() == said(f"<iq type='result' id='1' from='{BALCONY}' to='{ORCHARD}'/>")
        romeo.forget_connection()
        juliet.forget_connection()
    async with after(house.store, limits=limits).open() as later:
        assert (await romeo.resume(later)).tag == RESUMED
        await trio.sleep(120)
        heard = await romeo.hears()
        assert "unavailable" in heard[-1], "her time is over"
        assert [each for each in heard if each.startswith("<iq")] == []


async def test_orderly_stop_twice_without_the_client_coming_back(autojump_clock: MockClock) -> None:
    house = friends()
    async with house.open():
        romeo, juliet = await couple(house)
        romeo.send(chat(BALCONY, "0"))
        await house.settle()
        handled = juliet.handled - 1
        romeo.forget_connection()
        juliet.forget_connection()
    store = house.store
    for number in range(1, 3):
        async with after(store).open() as later:
            await romeo.resume(later)
            romeo.send(chat(BALCONY, number))
            await later.settle()
            romeo.forget_connection()
    async with after(store).open() as last:
        assert (await juliet.resume(last, handled)).tag == RESUMED
        assert await juliet.texts() == ["0", "1", "2"]


async def test_stored_session_of_an_account_that_is_gone_is_nobody_s(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        store = died(house, romeo, juliet)
    del store._users[JULIET]
    async with after(store, limits={"resume_seconds_max": 10.0}).open() as later:
        await trio.sleep(1_000)
        assert [each.jid for each in later.store.sessions()] == []


async def test_crash_database_away_behind_the_resumption_presence_is_told_as_soon_as_it_is_back(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        juliet.hang_up()
        romeo.send(chat(JULIET, "1"))
        await house.settle()
        store = died(house, romeo)
    faults: list[str] = []
    store._faults = lambda operation: Fault.AWAY if operation in faults else None
    async with after(store).open() as later:
        await romeo.resume(later)
        await romeo.hears()
        faults.append("pending")
        assert (await juliet.resume(later)).tag == RESUMED
        assert await juliet.texts() == ["1"]
        await juliet.hears()
        faults.clear()
        await trio.sleep(5)
        assert said(f"<presence from='{ORCHARD}' to='{BALCONY}'></presence>")[0] in await juliet.hears()


async def test_crash_client_learns_which_resources_it_has_ended_without_a_word(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        await house.appear(f"{ROMEO}/hall")
        await house.appear(WINDOW)
        await juliet.hears()
        juliet.acknowledge()
        await juliet.nonzas()
        store = died(house, romeo, juliet)
    async with after(store).open() as later:
        await juliet.resume(later)
        own, all_of_romeo = (
            said(f"<presence type='unavailable' from='{jid}' to='{BALCONY}'></presence>")[0]
            for jid in (JULIET, ROMEO)
        )
        back = said(f"<presence from='{ORCHARD}' to='{BALCONY}'></presence>")[0]
        assert await juliet.hears() == [own, all_of_romeo, back]


async def test_crash_client_whose_presence_it_forgot_learns_what_it_has_ended_when_it_says_it_again(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        await house.appear(f"{ROMEO}/hall")
        await juliet.hears()
        juliet.acknowledge()
        await juliet.nonzas()
        store = died(house, romeo, juliet)
    store.open()
    (record,) = store.session_records([juliet.sm_id or ""])
    store.commit([SaveSession(replace(record, presence=None))])
    async with after(store).open() as later:
        await juliet.resume(later)
        await romeo.resume(later)
        assert not any(ROMEO in each for each in await juliet.hears())
        juliet.send("<presence/>")
        gone = said(f"<presence type='unavailable' from='{ROMEO}' to='{BALCONY}'></presence>")[0]
        back = said(f"<presence from='{ORCHARD}' to='{BALCONY}'></presence>")[0]
        assert [each for each in await juliet.hears() if ROMEO in each] == [gone, back]


async def test_crash_error_that_comes_while_the_database_is_away_waits_for_it(
    autojump_clock: MockClock,
) -> None:
    """Nobody could be told that it was refused, and the message that it is for would be lost in silence."""
    async with friends().open() as house:
        romeo, juliet = await couple(house)
        store = died(house, romeo, juliet)
    faults: list[str] = ["user"]
    store._faults = lambda operation: Fault.AWAY if operation in faults else None
    async with after(store).open() as later:
        error = build_message(to=parse_jid(BALCONY), sender=parse_jid(ORCHARD), type="error", id="1")
        later.server.hand_to_user(error)
        await trio.sleep(100)
        faults.clear()
        await trio.sleep(5)
        await juliet.resume(later)
        assert [each for each in await juliet.hears() if "error" in each] == said(error.data.decode())
