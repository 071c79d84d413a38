"""The presence actor among others: subscriptions, presence, requests, and what it does in bad times."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.presence import IDLE_SECONDS
from actors.presence_messages import Planned, Routed
from actors.presence_state import PresenceState
from store.memory.faults import Fault
from store.users import RosterItem
from store.writes import ReplaceUser
from supervision.exit_reason import Crashed
from supervision.report import ChildTerminated, MessageSetAside
from supervision.runtime import KillHere, Point
from supervision.slot import Slot
from tests.actors.house import House
from tests.actors.house_client import Client, said
from tests.actors.presence_support import end_idle

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ORCHARD, BALCONY = f"{ROMEO}/orchard", f"{JULIET}/balcony"
ROSTER = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"
IN_HAND = (Point.BEFORE_DECIDE, Point.AFTER_DECIDE, Point.IN_APPLY)
"""Those that this actor passes; the others are the batcher's and the session's."""


def friends(**fields: Any) -> House:
    house = House(**fields)
    house.befriend(ROMEO, JULIET)
    return house


def presence(sender: str, to: str, type: str = "", content: str = "") -> str:
    kind = f" type='{type}'" if type else ""
    return f"<presence{kind} from='{sender}' to='{to}'>{content}</presence>"


def push(to: str, version: int, item: str) -> str:
    return f"<iq type='set' to='{to}'><query xmlns='jabber:iq:roster' ver='{version}'>{item}</query></iq>"


async def interested(house: House, jid: str) -> Client:
    client = await house.appear(jid)
    await client.ask(ROSTER)
    await client.hears()
    return client


# -- subscriptions, from both sides (RFC 6121 §3)


async def test_subscription_is_asked_for_and_granted_with_a_push_at_every_step() -> None:
    async with House().open() as house:
        romeo, juliet = await interested(house, ORCHARD), await interested(house, BALCONY)
        romeo.send(f"<presence type='subscribe' to='{JULIET}' id='s1'/>")
        asking = f"<item jid='{JULIET}' subscription='none' ask='subscribe'/>"
        assert await romeo.hears() == said(push(ORCHARD, 1, asking))
        assert await juliet.hears() == said(
            f"<presence type='subscribe' id='s1' from='{ROMEO}' to='{JULIET}'></presence>"
        )
        juliet.send(f"<presence type='subscribed' to='{ROMEO}'/>")
        assert await juliet.hears() == said(push(BALCONY, 1, f"<item jid='{ROMEO}' subscription='from'/>"))
        assert await romeo.hears() == said(
            presence(JULIET, ROMEO, "subscribed"),
            push(ORCHARD, 2, f"<item jid='{JULIET}' subscription='to'/>"),
            presence(BALCONY, ROMEO),
        )


async def test_subscription_that_is_refused_leaves_nothing_asked() -> None:
    async with House().open() as house:
        romeo, juliet = await interested(house, ORCHARD), await interested(house, BALCONY)
        romeo.send(f"<presence type='subscribe' to='{JULIET}'/>")
        await romeo.hears()
        juliet.send(f"<presence type='unsubscribed' to='{ROMEO}'/>")
        assert await romeo.hears() == said(
            presence(JULIET, ROMEO, "unsubscribed"),
            push(ORCHARD, 2, f"<item jid='{JULIET}' subscription='none'/>"),
        )
        assert house.account(JULIET).requests == ()


async def test_request_is_shown_at_every_login_until_it_is_answered() -> None:
    async with House().open() as house:
        romeo = await house.appear(ORCHARD)
        romeo.send(f"<presence type='subscribe' to='{JULIET}'><status>It is I</status></presence>")
        await house.settle()
        request = said(presence(ROMEO, JULIET, "subscribe", "<status>It is I</status>"))[0]
        for _ in range(2):
            juliet = await house.log_in(BALCONY)
            juliet.send("<presence/>")
            assert request in await juliet.hears()
            juliet.log_out()
            await house.settle()
        juliet = await house.appear(BALCONY)
        juliet.send(f"<presence type='subscribed' to='{ROMEO}'/>")
        await juliet.hears()
        other = await house.log_in(f"{JULIET}/chamber")
        other.send("<presence/>")
        assert request not in await other.hears()


async def test_approval_in_advance_answers_the_request_unseen() -> None:
    async with House().open() as house:
        romeo, juliet = await interested(house, ORCHARD), await interested(house, BALCONY)
        juliet.send(f"<presence type='subscribed' to='{ROMEO}'/>")
        approved = f"<item jid='{ROMEO}' subscription='none' approved='true'/>"
        assert await juliet.hears() == said(push(BALCONY, 1, approved))
        assert await romeo.hears() == []
        romeo.send(f"<presence type='subscribe' to='{JULIET}'/>")
        granted = f"<item jid='{ROMEO}' subscription='from' approved='true'/>"
        assert await juliet.hears() == said(push(BALCONY, 2, granted))
        assert (await romeo.hears())[-1:] == said(presence(BALCONY, ROMEO))


async def test_unsubscribed_contact_sees_the_other_go() -> None:
    async with friends().open() as house:
        romeo, juliet = await interested(house, ORCHARD), await interested(house, BALCONY)
        await romeo.hears()
        romeo.send(f"<presence type='unsubscribed' to='{JULIET}'/>")
        assert await juliet.hears() == said(
            presence(ORCHARD, JULIET, "unavailable"),
            presence(ROMEO, JULIET, "unsubscribed"),
            push(BALCONY, 2, f"<item jid='{ROMEO}' subscription='from'/>"),
        )
        romeo.send("<presence><show>away</show></presence>")
        assert await juliet.hears() == []


async def test_request_to_nobody_or_to_oneself() -> None:
    async with House().open() as house:
        romeo = await interested(house, ORCHARD)
        romeo.send("<presence type='subscribe' to='nobody@localhost'/>")
        asking = "<item jid='nobody@localhost' subscription='none' ask='subscribe'/>"
        assert await romeo.hears() == said(push(ORCHARD, 1, asking))
        romeo.send(f"<presence type='subscribe' to='{ROMEO}' id='s1'/>")
        (refusal,) = await romeo.hears()
        assert "<bad-request " in refusal


# -- presence (§4)


async def test_first_presence_goes_both_ways_and_later_ones_once() -> None:
    async with friends().open() as house:
        romeo = await house.appear(ORCHARD)
        juliet = await house.log_in(BALCONY)
        juliet.send("<presence><show>chat</show></presence>")
        shown = "<show>chat</show>"
        assert await juliet.hears() == said(presence(BALCONY, JULIET, "", shown), presence(ORCHARD, BALCONY))
        assert await romeo.hears() == said(
            presence(BALCONY, JULIET, "", shown).replace(f"to='{JULIET}'", f"to='{ROMEO}'")
        )
        juliet.send("<presence><status>☺</status></presence>")
        assert await romeo.hears() == said(presence(BALCONY, ROMEO, "", "<status>☺</status>"))
        assert await juliet.hears() == said(presence(BALCONY, JULIET, "", "<status>☺</status>"))


async def test_resources_of_one_account_see_each_other() -> None:
    async with House().open() as house:
        orchard = await house.appear(ORCHARD, "<priority>5</priority>")
        garden = await house.log_in(f"{ROMEO}/garden")
        garden.send("<presence/>")
        assert await garden.hears() == said(
            presence(f"{ROMEO}/garden", ROMEO), presence(ORCHARD, ROMEO, "", "<priority>5</priority>")
        )
        assert await orchard.hears() == said(presence(f"{ROMEO}/garden", ROMEO))


@pytest.mark.parametrize("way", ["says so", "closes the stream", "vanishes"])
async def test_contacts_and_the_directed_hear_that_a_client_has_gone(way: str) -> None:
    house = friends(accounts=(ROMEO, JULIET, "nurse@localhost"))
    async with house.open():
        juliet, nurse = await house.appear(BALCONY), await house.appear("nurse@localhost/x")
        romeo = await house.appear(ORCHARD)
        romeo.send("<presence to='nurse@localhost'/>")
        await house.settle()
        juliet.stanzas.clear()
        nurse.stanzas.clear()
        match way:
            case "says so":
                romeo.send("<presence type='unavailable'><status>bye</status></presence>")
            case "closes the stream":
                romeo.log_out()
            case _:
                romeo.hang_up()
        status = "<status>bye</status>" if way == "says so" else ""
        assert await juliet.hears() == said(presence(ORCHARD, JULIET, "unavailable", status))
        assert await nurse.hears() == said(presence(ORCHARD, "nurse@localhost", "unavailable", status))
        assert house.account(ROMEO).last_status == ("bye" if status else None)
        assert house.account(ROMEO).last_logout_ms is not None


async def test_replaced_session_takes_its_directed_presence_back() -> None:
    async with friends(accounts=(ROMEO, JULIET, "nurse@localhost")).open() as house:
        nurse = await house.appear("nurse@localhost/x")
        romeo = await house.appear(ORCHARD)
        romeo.send("<presence to='nurse@localhost/x'/>")
        await nurse.hears()
        await house.log_in(ORCHARD)
        await house.settle()
        assert (romeo.is_open, romeo.error) == (False, "conflict")
        assert await nurse.hears() == said(presence(ORCHARD, "nurse@localhost/x", "unavailable"))


async def test_probe_of_somebody_away_tells_since_when(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo = await house.appear(ORCHARD)
        await trio.sleep(100)
        romeo.send("<presence type='unavailable'><status>zzz</status></presence>")
        await house.settle()
        juliet = await house.log_in(BALCONY)
        juliet.send("<presence/>")
        delay = f"<delay xmlns='urn:xmpp:delay' from='{ROMEO}' stamp='2020-09-13T12:28:20.000Z'/>"
        last = presence(ROMEO, BALCONY, "unavailable", f"<status>zzz</status>{delay}")
        assert said(last)[0] in await juliet.hears()


async def test_priority_that_is_none_is_refused() -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send("<presence id='p1'><priority>500</priority></presence>")
        (refusal,) = await romeo.hears()
        assert "<bad-request " in refusal


# -- requests to a resource (§8.5.3.1)


QUERY = "<iq type='get' id='q1' to='{}'><query xmlns='urn:x'/></iq>"


async def test_request_to_a_resource_is_for_those_who_share_presence() -> None:
    async with friends(accounts=(ROMEO, JULIET, "tybalt@localhost")).open() as house:
        juliet = await house.log_in(BALCONY)
        romeo, tybalt = await house.log_in(ORCHARD), await house.log_in("tybalt@localhost/x")
        romeo.send(QUERY.format(BALCONY))
        (request,) = await juliet.hears()
        assert f'from="{ORCHARD}"' in request
        assert "<service-unavailable " in await tybalt.ask(QUERY.format(BALCONY))
        assert await juliet.hears() == []


@pytest.mark.parametrize("to", ["tybalt@localhost/x", "tybalt@localhost"])
async def test_request_to_a_resource_is_for_those_it_sent_presence_to(to: str) -> None:
    async with House(accounts=(JULIET, "tybalt@localhost")).open() as house:
        juliet, tybalt = await house.appear(BALCONY), await house.appear("tybalt@localhost/x")
        juliet.send(f"<presence to='{to}'/>")
        await house.settle()
        tybalt.send(QUERY.format(BALCONY))
        (request,) = await juliet.hears()
        assert 'xmlns="urn:x"' in request
        juliet.send(f"<presence type='unavailable' to='{to}'/>")
        await house.settle()
        tybalt.stanzas.clear()
        assert "<service-unavailable " in await tybalt.ask(QUERY.format(BALCONY))


# -- accounts that come and go


async def test_stanzas_for_an_account_that_is_not_there() -> None:
    async with House().open() as house:
        romeo = await house.appear(ORCHARD)
        romeo.send("<message to='nobody@localhost' id='m1'><body>hi</body></message>")
        (refusal,) = await romeo.hears()
        assert "<service-unavailable " in refusal


async def test_contact_whose_account_has_gone_is_found_out_at_the_next_login() -> None:
    house = House(accounts=())
    house.make_account(ROMEO, roster=(RosterItem("nobody@localhost", subscription="both"),))
    async with house.open():
        romeo = await house.log_in(ORCHARD)
        await romeo.ask(ROSTER)
        romeo.send("<presence/>")
        assert await romeo.hears() == said(
            presence(ORCHARD, ROMEO),
            presence("nobody@localhost", ROMEO, "unsubscribed"),
            push(ORCHARD, 1, "<item jid='nobody@localhost' subscription='from'/>"),
        )


# -- life and death


async def test_actor_with_nobody_there_goes_and_comes_back_when_needed(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        romeo = await house.appear(ORCHARD)
        first = house.presence_of(ROMEO)
        await trio.sleep(3 * IDLE_SECONDS)
        assert house.presence_of(ROMEO) is first, "somebody is there"
        romeo.log_out()
        await end_idle(house)
        assert house.presence_of(ROMEO) is None
        assert house.server.directory.users == {}
        again = await house.appear(ORCHARD)
        assert house.presence_of(ROMEO) is not None
        assert len((await again.ask(ROSTER)).split("<item ")) == 2


async def test_killed_actor_goes_on_with_what_it_knew() -> None:
    async with friends().open() as house:
        romeo, juliet = await interested(house, ORCHARD), await interested(house, BALCONY)
        await romeo.hears()
        for _ in range(3):
            slot = house.presence_of(ROMEO)
            assert slot is not None
            slot.kill()
            romeo.send("<presence><show>away</show></presence>")
            juliet.send(f"<message to='{ROMEO}'><body>hi</body></message>")
            assert "<body>hi</body>" in "".join(await romeo.hears())
            assert await juliet.hears() == said(presence(ORCHARD, JULIET, "", "<show>away</show>"))
        assert len(house.forgive()) == 3


@pytest.mark.parametrize("point", IN_HAND)
async def test_kill_with_a_request_in_hand_loses_and_doubles_nothing(point: Point) -> None:
    async with House().open() as house:
        romeo = await interested(house, ORCHARD)
        kills = [KillHere("chaos")]

        def probe(at: Point, _slot: Slot[Any], message: object) -> None:
            if at is point and isinstance(message, Routed | Planned) and kills:
                raise kills.pop()

        house.runtime.probe = probe
        romeo.send("<iq type='set' id='s1'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>")
        answers = await romeo.hears()
        house.runtime.probe = None
        assert kills == []
        assert house.forgive()
        assert house.account(ROMEO).roster == (RosterItem("a@b", version=1),)
        assert len(answers) == 2
        assert "<item " in await romeo.ask(ROSTER)


def poison(at: Point, words: str) -> Any:
    """A probe by which routed stanzas with these words kill the actor."""

    def probe(point: Point, _slot: Slot[Any], message: object) -> None:
        cause = message.message if isinstance(message, Planned) else message
        if point is at and isinstance(cause, Routed) and words.encode() in cause.stanza.data:
            raise ValueError("poison")

    return probe


@pytest.mark.parametrize("point", IN_HAND)
async def test_request_that_kills_is_set_aside_and_answered_once(point: Point) -> None:
    async with House().open() as house:
        romeo = await interested(house, ORCHARD)
        house.runtime.probe = poison(point, "x@y")
        answer = await romeo.ask(
            "<iq type='set' id='s1'><query xmlns='jabber:iq:roster'><item jid='x@y'/></query></iq>"
        )
        assert 'type="result"' in answer, "it had been committed when it killed"
        assert {type(report) for report in house.forgive()} == {ChildTerminated, MessageSetAside}
        house.runtime.probe = poison(point, "ping")
        assert "<internal-server-error " in await romeo.ask(
            "<iq type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
        house.runtime.probe = None
        house.forgive()
        assert "<item " in await romeo.ask(ROSTER)


async def test_message_that_kills_when_it_is_kept_already_stays_kept() -> None:
    async with House().open() as house:
        romeo = await house.appear(ORCHARD)
        house.runtime.probe = poison(Point.BEFORE_DECIDE, "kept")
        romeo.send(f"<message to='{JULIET}' id='m1'><body>kept</body></message>")
        romeo.send(f"<message to='{JULIET}' id='m2'><body>next</body></message>")
        assert await romeo.hears() == []
        house.runtime.probe = None
        assert house.forgive()
        assert house.server.directory.entry(JULIET).waiting == 0
        juliet = await house.log_in(BALCONY)
        juliet.send("<presence/>")
        heard = "".join(await juliet.hears())
        assert heard.index("<body>kept</body>") < heard.index("<body>next</body>")


async def test_document_that_somebody_else_wrote_is_read_anew() -> None:
    async with House().open() as house:
        romeo = await interested(house, ORCHARD)
        stored = house.account(ROMEO)
        theirs = replace(stored, rev=stored.rev + 1, roster=(RosterItem("x@y", version=7),), roster_version=7)
        house.store.commit([ReplaceUser(theirs, stored.rev)])
        romeo.send("<iq type='set' id='s1'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>")
        await romeo.hears()
        died = [report for report in house.forgive() if isinstance(report, ChildTerminated)]
        assert [type(report.reason) for report in died] == [Crashed]
        await romeo.ask(
            "<iq type='set' id='s2'><query xmlns='jabber:iq:roster'><item jid='c@d'/></query></iq>"
        )
        assert {"x@y", "c@d"} <= {item.jid for item in house.account(ROMEO).roster}


# -- the database away


async def test_presence_and_chat_go_on_without_the_database(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        house.faults = lambda _operation: Fault.AWAY
        romeo.send("<presence><show>dnd</show></presence>")
        romeo.send(f"<message to='{JULIET}' type='chat'><body>still here</body></message>")
        assert set(await juliet.hears()) == set(
            said(
                presence(ORCHARD, JULIET, "", "<show>dnd</show>"),
                f"<message from='{ORCHARD}' to='{JULIET}' type='chat'><body>still here</body></message>",
            )
        )
        await romeo.hears()
        romeo.send("<iq type='set' id='s1'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>")
        await trio.sleep(5)
        (refusal,) = await romeo.hears()
        assert 'type="wait"' in refusal
        romeo.hang_up()
        await trio.sleep(5)
        assert await juliet.hears() == said(presence(ORCHARD, JULIET, "unavailable"))
        house.faults = None
        await trio.sleep(5)
        await juliet.ask(
            "<iq type='set' id='s2'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>"
        )
        assert len(house.account(JULIET).roster) == 2


async def test_presence_of_a_contact_reaches_who_is_there_without_the_database(
    autojump_clock: MockClock,
) -> None:
    """Behind something else for her account, and while nobody can read her document."""
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        actor = house.server.directory.entry(JULIET).presence
        assert actor is not None
        assert isinstance(actor.slot.state, PresenceState)
        actor.slot.state.forget_document()
        house.faults = lambda _operation: Fault.AWAY
        romeo.send(f"<presence type='probe' to='{JULIET}'/>")
        romeo.send("<presence><show>dnd</show></presence>")
        await trio.sleep(1)
        assert await juliet.hears() == said(presence(ORCHARD, JULIET, "", "<show>dnd</show>"))
        assert await romeo.hears() == said(presence(ORCHARD, ROMEO, "", "<show>dnd</show>"))
        house.faults = None
        await trio.sleep(5)
        assert await romeo.hears() == said(presence(BALCONY, ORCHARD))


async def test_client_is_unavailable_when_it_says_so_without_the_database(autojump_clock: MockClock) -> None:
    async with friends(limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        actor = house.server.directory.entry(ROMEO).presence
        assert actor is not None
        assert isinstance(actor.slot.state, PresenceState)
        actor.slot.state.forget_document()
        house.faults = lambda _operation: Fault.AWAY
        romeo.send("<presence type='unavailable'/>")
        await trio.sleep(5)
        assert await romeo.hears() == []
        assert await juliet.hears() == said(presence(ORCHARD, JULIET, "unavailable"))
        house.faults = None
        await trio.sleep(5)
