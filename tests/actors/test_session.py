"""The session among others: what its client says, what is for its client, and every way in which it ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from actors.connection_state import ConnectionState
from actors.presence_state import PresenceState
from actors.session import DIRECTED_MAX
from actors.session_messages import (
    CloseStream,
    Deliver,
    Drained,
    FromClient,
    SessionMessage,
    StillCongested,
    StreamEnded,
)
from actors.session_state import SessionState
from protocols.conditions import StreamCondition
from protocols.jid import parse_jid
from protocols.stanza import Stanza, build_message
from store.log import SEQ_MAX
from supervision.report import MessageSetAside
from supervision.runtime import Point
from tests.actors.house import House
from tests.actors.house_client import Client, said

if TYPE_CHECKING:
    from supervision.slot import Slot

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ORCHARD, BALCONY = f"{ROMEO}/orchard", f"{JULIET}/balcony"
CONFLICT = CloseStream(StreamCondition.CONFLICT)


def chat(to: str, text: object) -> str:
    return f"<message to='{to}' type='chat'><body>{text}</body></message>"


def stanza(to: str, text: object, sender: str | None = None) -> Stanza:
    """The same as a value."""
    return build_message(
        to=parse_jid(to),
        sender=None if sender is None else parse_jid(sender),
        type="chat",
        content=f"<body>{text}</body>".encode(),
    )


def session(house: House, client: Client) -> Slot[SessionMessage]:
    return house.session_of(client.jid)


def state(slot: Slot[Any]) -> SessionState:
    assert isinstance(slot.state, SessionState)
    return slot.state


def connection(client: Client) -> ConnectionState:
    assert client.wire.slot is not None
    assert isinstance(client.wire.slot.state, ConnectionState)
    return client.wire.slot.state


async def texts(client: Client) -> list[str]:
    """The bodies of the messages heard since the last time."""
    return [body for each in await client.hears() for body in re.findall("<body>(.*?)</body>", each)]


def friends(**fields: Any) -> House:
    house = House(**fields)
    house.befriend(ROMEO, JULIET)
    return house


# -- what the client says


@pytest.mark.parametrize("own", [ORCHARD, ROMEO])
async def test_from_client_own_address_may_be_given(own: str) -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        romeo.send(chat(BALCONY, "it is I").replace("<message", f"<message from='{own}'"))
        (heard,) = await juliet.hears()
        assert f'from="{ORCHARD}"' in heard


@pytest.mark.parametrize("forged", [BALCONY, JULIET, "localhost", f"{ROMEO}/other"])
async def test_from_client_forged_address_ends_the_stream_and_nothing_more_is_heard(forged: str) -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        romeo.send(
            chat(BALCONY, "first")
            + chat(BALCONY, "forged").replace("<message", f"<message from='{forged}'")
            + chat(BALCONY, "behind")
        )
        assert await texts(juliet) == ["first"]
        assert romeo.error == "invalid-from"


async def test_message_without_address_is_for_the_account_itself() -> None:
    """RFC 6120 §10.3.1."""
    async with House().open() as house:
        romeo = await house.appear(ORCHARD)
        romeo.send("<message type='chat'><body>to myself</body></message>")
        assert await texts(romeo) == ["to myself"]


@pytest.mark.parametrize(
    "iq",
    [
        "<iq type='fetch' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1'/>",
        "<iq type='set' id='1'><one xmlns='urn:1'/><two xmlns='urn:2'/></iq>",
        "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<presence type='invisible'/>",
    ],
)
async def test_malformed_request_is_refused(iq: str) -> None:
    """RFC 6120 §8.2.3."""
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send(iq)
        (heard,) = await romeo.hears()
        assert "bad-request" in heard


async def test_answer_of_the_client_to_the_server_is_for_nobody() -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send("<iq type='result' id='push-1'/><iq type='error' id='push-2'/>")
        assert await romeo.hears() == []


async def test_directed_presence_is_bounded() -> None:
    """Addresses known already may still hear of a change, or of the end."""
    async with House().open() as house:
        romeo = await house.appear(ORCHARD)
        romeo.send("".join(f"<presence to='user{number}@localhost'/>" for number in range(DIRECTED_MAX)))
        assert await romeo.hears() == []
        romeo.send("<presence to='one-more@localhost'/><presence to='user7@localhost'/>")
        (refused,) = await romeo.hears()
        assert "resource-constraint" in refused
        assert 'from="one-more@localhost"' in refused
        romeo.send("<presence to='user7@localhost' type='unavailable'/><presence to='one-more@localhost'/>")
        assert await romeo.hears() == []


# -- one session among several


async def test_start_session_account_has_its_maximum_is_refused() -> None:
    async with House(limits={"sessions_per_user_max": 2}).open() as house:
        for resource in ("one", "two"):
            await house.log_in(f"{ROMEO}/{resource}")
        third = house.connect(f"{ROMEO}/three")
        with pytest.raises(AssertionError, match=r"type='wait'.*resource-constraint"):
            await third.log_in()
        assert third.is_open, "it may try again, or another resource"
        await house.log_in(f"{JULIET}/one")


async def test_start_session_taking_over_a_resource_is_not_one_more() -> None:
    async with House(limits={"sessions_per_user_max": 2}).open() as house:
        one, two = await house.log_in(f"{ROMEO}/one"), await house.log_in(f"{ROMEO}/two")
        again = await house.log_in(f"{ROMEO}/one")
        await house.settle()
        assert (one.error, two.error, again.error) == ("conflict", None, None)


async def test_start_session_server_has_its_maximum_is_refused() -> None:
    async with House(limits={"sessions_max": 1}).open() as house:
        await house.log_in(ORCHARD)
        with pytest.raises(AssertionError, match="resource-constraint"):
            await house.log_in(BALCONY)


async def test_bound_and_ended_reach_a_user_whose_actor_takes_no_more() -> None:
    """It would take a resource for connected or gone for ever."""
    async with House().open() as house:
        await house.log_in(ORCHARD)
        presence = house.presence_of(ROMEO)
        assert presence is not None
        presence.mailbox.is_accepting = False
        other = await house.log_in(f"{ROMEO}/other")
        await house.settle()
        assert resources(presence) == {"orchard", "other"}
        other.hang_up()
        await house.settle()
        assert resources(presence) == {"orchard"}


def resources(presence: Slot[Any]) -> set[str]:
    assert isinstance(presence.state, PresenceState)
    return set(presence.state.resources)


# -- the end


async def test_conflict_what_the_old_client_said_before_is_still_delivered() -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        old = session(house, romeo)
        for number in range(200):
            assert old.ref.cast(FromClient(stanza(BALCONY, number)))
        assert old.ref.tell(CONFLICT)
        assert await texts(juliet) == [str(number) for number in range(200)]
        assert romeo.error == "conflict"
        assert not old.ref.is_alive


async def test_conflict_what_is_for_the_old_client_goes_to_the_new() -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        old = session(house, romeo)
        connection(romeo).outlet.end()
        again = await house.log_in(ORCHARD)
        assert session(house, again) is not old
        assert old.ref.cast(Deliver(stanza(ORCHARD, "for one of you", BALCONY)))
        assert await texts(again) == ["for one of you"]
        assert await texts(romeo) == []
        assert await juliet.hears() == []


async def test_end_client_says_good_bye_contacts_hear_that_and_no_more() -> None:
    async with friends().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        romeo.send("<presence type='unavailable'><status>bye</status></presence></stream:stream>")
        assert await juliet.hears() == said(
            f"<presence type='unavailable' from='{ORCHARD}' to='{JULIET}'><status>bye</status></presence>"
        )


async def test_end_client_vanishes_contacts_and_the_others_it_greeted_hear_of_it() -> None:
    house = friends(accounts=[ROMEO, JULIET, "nurse@localhost"])
    async with house.open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        nurse = await house.appear("nurse@localhost/room")
        romeo.send("<presence to='nurse@localhost/room'/>")
        await nurse.hears()
        romeo.hang_up()
        gone = f"<presence type='unavailable' from='{ORCHARD}' to='%s'/>"
        assert await juliet.hears() == said(gone % JULIET)
        assert await nurse.hears() == said(gone % "nurse@localhost/room")


async def test_end_what_waits_for_the_client_is_kept_for_the_next() -> None:
    """In order, whether it waited in the mailbox or had come to the outlet too late."""
    async with House().open() as house:
        juliet = await house.appear(BALCONY)
        slot = session(house, juliet)
        connection(juliet).outlet.end()
        for number in range(3):
            assert slot.ref.cast(Deliver(stanza(JULIET, number, ORCHARD)))
        await house.settle()
        for number in range(3, 6):
            assert slot.ref.cast(Deliver(stanza(BALCONY, number, ORCHARD)))
        slot.ref.tell(StreamEnded())
        await house.settle()
        again = await house.log_in(f"{JULIET}/window")
        again.send("<presence/>")
        assert await texts(again) == [str(number) for number in range(6)]
        assert await texts(juliet) == []


async def test_end_what_others_of_the_user_got_as_well_is_not_repeated() -> None:
    async with House().open() as house:
        balcony, window = await house.appear(BALCONY), await house.appear(f"{JULIET}/window")
        romeo = await house.log_in(ORCHARD)
        await balcony.hears()
        connection(balcony).outlet.end()
        romeo.send(chat(JULIET, "to both") + chat(BALCONY, "to one"))
        await house.settle()
        balcony.hang_up()
        await house.settle()
        heard = await texts(window)
        assert heard == ["to both", "to one"]


async def test_end_requests_that_wait_are_answered() -> None:
    async with friends().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        connection(juliet).outlet.end()
        romeo.send(f"<iq type='get' id='v' to='{BALCONY}'><query xmlns='jabber:iq:version'/></iq>")
        await house.settle()
        juliet.hang_up()
        answers = [each for each in await romeo.hears() if each.startswith("<iq")]
        assert len(answers) == 1
        assert "service-unavailable" in answers[0]


async def test_server_stops_clients_are_told_and_contacts_hear_nothing_of_it() -> None:
    """They are going as well, and there may be thousands of each."""
    house = friends()
    async with house.open():
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        seen = [len(client.log) for client in (romeo, juliet)]
    assert [client.error for client in (romeo, juliet)] == ["system-shutdown"] * 2
    assert [len(client.log) for client in (romeo, juliet)] == seen


async def test_server_stops_what_was_accepted_before_is_kept() -> None:
    """Whether it waits to be heard, to be delivered or to be stored."""
    house = House()
    async with house.open():
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        for number in range(100):
            assert session(house, romeo).ref.cast(FromClient(stanza(JULIET, number)))
        for number in range(100, 200):
            assert session(house, juliet).ref.cast(Deliver(stanza(BALCONY, number, ORCHARD)))
        connection(juliet).outlet.end()
    heard = {int(text) for text in re.findall("<body>(.*?)</body>", "".join(juliet.log))}
    kept = house.store.pending(JULIET, 0, SEQ_MAX, 1_000)
    stored = {int(re.findall(b"<body>(.*?)</body>", record.data)[0]) for record in kept}
    assert not heard & stored
    assert heard | stored == set(range(200))


# -- a client that does not read


async def congested(house: House) -> Client:
    """Juliet, who has stopped reading and has more than her bound to read."""
    juliet = await house.log_in(BALCONY)
    juliet.wire.is_read = False
    slot = session(house, juliet)
    while slot.mailbox.is_accepting:
        assert slot.ref.cast(Deliver(stanza(BALCONY, "x" * 5_000, ORCHARD)))
        await house.settle()
    return juliet


def read(client: Client) -> None:
    client.wire.is_read = True
    connection(client).outlet.flush()


async def test_congested_takes_nothing_until_the_client_has_read() -> None:
    async with House(limits={"output_bytes_max": 20_000}).open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await congested(house)
        romeo.send(chat(BALCONY, "too much"))
        (refused,) = await romeo.hears()
        assert "resource-constraint" in refused
        read(juliet)
        await juliet.hears()
        romeo.send(chat(BALCONY, "now"))
        assert await texts(juliet) == ["now"]
        assert state(session(house, juliet)).congested is None


async def test_congested_for_too_long_is_closed(autojump_clock: MockClock) -> None:
    async with House(limits={"output_bytes_max": 20_000, "write_seconds_max": 30.0}).open() as house:
        juliet = await congested(house)
        slot = session(house, juliet)
        await trio.sleep(29.0)
        await house.settle()
        assert slot.ref.is_alive
        await trio.sleep(5.0)  # the rest, and what its connection is given to close
        await house.settle()
        assert not slot.ref.is_alive


async def test_congested_timer_that_comes_too_late_does_nothing() -> None:
    async with House(limits={"output_bytes_max": 20_000}).open() as house:
        juliet = await congested(house)
        slot = session(house, juliet)
        slot.ref.tell(Drained())
        slot.ref.tell(StillCongested())
        await house.settle()
        assert slot.ref.is_alive
        read(juliet)


# -- death


async def test_kill_goes_on_with_address_outlet_and_directed_presence() -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        slot = session(house, romeo)
        romeo.send(f"<presence to='{BALCONY}'/>")
        await juliet.hears()
        slot.kill()
        romeo.send(chat(BALCONY, "still here"))
        juliet.send(chat(ORCHARD, "so am I"))
        assert await texts(juliet) == ["still here"]
        assert await texts(romeo) == ["so am I"]
        assert state(slot).directed == {parse_jid(BALCONY)}
        house.forgive()


def poison(house: House, kind: type, words: bytes = b"") -> None:
    """Let messages of this kind, about a stanza with these words, kill whoever has one in hand."""

    def probe(point: Point, _slot: Slot[Any], message: object) -> None:
        if point is Point.AFTER_DECIDE and isinstance(message, kind):
            carried = getattr(message, "stanza", None)
            if carried is None or words in carried.data:
                raise ZeroDivisionError("poison")

    house.runtime.probe = probe


async def test_set_aside_stanza_of_the_client_is_answered_once() -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        poison(house, FromClient, b"poison")
        romeo.send(chat(BALCONY, "before") + chat(BALCONY, "poison") + chat(BALCONY, "behind"))
        assert await texts(juliet) == ["before", "behind"]
        (answer,) = await romeo.hears()
        assert "internal-server-error" in answer
        assert MessageSetAside in {type(fault) for fault in house.forgive()}


async def test_set_aside_stanza_for_the_client_is_delivered_all_the_same() -> None:
    async with House().open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        poison(house, Deliver, b"poison")
        romeo.send(chat(BALCONY, "before") + chat(BALCONY, "poison") + chat(BALCONY, "behind"))
        assert await texts(juliet) == ["before", "poison", "behind"]
        house.forgive()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (StreamEnded(), None),
        (CONFLICT, "conflict"),
        (CloseStream(StreamCondition.NOT_AUTHORIZED), "not-authorized"),
    ],
)
async def test_set_aside_end_is_the_end_all_the_same(message: SessionMessage, error: str | None) -> None:
    async with House().open() as house:
        romeo = await house.log_in(ORCHARD)
        slot = session(house, romeo)
        poison(house, type(message))
        slot.ref.tell(message)
        await house.settle()
        house.runtime.probe = None
        await house.settle()
        assert romeo.error == error
        assert not romeo.is_open
        assert not slot.ref.is_alive
        house.forgive()


async def test_set_aside_news_of_the_client_is_heeded_all_the_same() -> None:
    async with House(limits={"output_bytes_max": 20_000}).open() as house:
        juliet = await congested(house)
        slot = session(house, juliet)
        poison(house, Drained)
        read(juliet)
        await house.settle()
        assert slot.mailbox.is_accepting
        poison(house, StillCongested)
        slot.ref.tell(StillCongested())
        await house.settle()
        assert juliet.error == "resource-constraint"
        house.forgive()


async def test_given_up_its_client_is_told_and_its_name_is_free() -> None:
    async with House(limits={"restarts_max": 2}).open() as house:
        romeo = await house.log_in(ORCHARD)
        slot = session(house, romeo)
        while slot.ref.is_alive:
            slot.kill()
            await house.settle()
        assert romeo.error == "internal-server-error"
        again = await house.log_in(ORCHARD)
        assert again.is_open
        house.forgive()
