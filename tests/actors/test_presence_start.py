"""The beginning of a user's presence actor, and its end with messages left."""

from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from actors.presence_apply import RETRY_SECONDS
from actors.presence_messages import OwnPresence, PassOn, PresenceMessage, Routed
from actors.presence_start import start_presence
from actors.presence_state import OwnResource, PresenceState, successor
from protocols.jid import parse_jid
from protocols.stanza import build_message, build_presence
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.slot import Status
from tests.actors.house import House
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO
from tests.actors.presence_support import FakeSession


async def test_start_notes_it_in_the_directory(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        slot = start_presence(house.server, parse_jid(BALCONY))
        assert house.server.directory.entry(JULIET).presence is slot.ref
        assert house.presence_of(JULIET) is slot


async def test_start_beyond_the_maximum_is_refused(autojump_clock: MockClock) -> None:
    async with House(limits={"sessions_max": 1}).open() as house:
        for name in ("a", "b"):
            start_presence(house.server, parse_jid(f"{name}@localhost"))
        with pytest.raises(NotAcceptingError):
            start_presence(house.server, parse_jid("c@localhost"))


async def give_up(house: House, bare_jid: str) -> None:
    """More deaths than are allowed, of which the supervisor of all presence actors dies as well."""
    presence = house.presence_of(bare_jid)
    assert presence is not None
    while house.presence_of(bare_jid) is presence and presence.status is not Status.CLOSED:
        presence.kill()
        await house.settle()
    assert house.forgive()


async def test_end_of_one_that_is_given_up_leaves_its_sessions_to_a_successor(
    autojump_clock: MockClock,
) -> None:
    """Whoever is there is there as before: for messages, for presence, and for changes of the roster."""
    async with House(limits={"restarts_max": 2}).open() as house:
        house.befriend(ROMEO, JULIET)
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        await juliet.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
        await give_up(house, JULIET)
        romeo.send(f"<message to='{JULIET}' type='chat'><body>hi</body></message>")
        (message,) = await juliet.hears()
        assert "<body>hi" in message
        romeo.send("<presence><show>away</show></presence>")
        assert "<show>away" in "".join(await juliet.hears())
        juliet.send("<presence><show>dnd</show></presence>")
        assert "<show>dnd" in "".join(await romeo.hears())
        juliet.send("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='a@x'/></query></iq>")
        assert 'jid="a@x"' in "".join(await juliet.hears())


async def test_end_of_one_that_is_given_up_takes_nothing_that_was_announced(
    autojump_clock: MockClock,
) -> None:
    """What it did not come to, and what had been kept for nobody meanwhile."""
    async with House(limits={"restarts_max": 2}).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.log_in(BALCONY)
        presence = house.presence_of(JULIET)
        announced = OwnPresence(
            house.server.directory.entry(JULIET).sessions["balcony"],
            build_presence(to=None, sender=parse_jid(BALCONY), content=b"<priority>1</priority>"),
        )
        await give_up(house, JULIET)
        former = house.server.former[JULIET]
        assert presence is not None
        assert presence.spec.abandoned is not None
        presence.spec.abandoned([announced])
        assert former.kept == {"balcony": announced}
        romeo.send(f"<message to='{JULIET}' type='chat'><body>hi</body></message>")
        await trio.sleep(2 * RETRY_SECONDS)
        assert "<body>hi" in "".join(await juliet.hears())
        assert house.server.former == {}


async def test_successor_knows_who_lives_and_doubts_whom_its_predecessor_did_not_know() -> None:
    one, other, third = (cast("Any", FakeSession(name)) for name in ("one", "other", "third"))
    former = PresenceState(parse_jid(JULIET))
    former.resources = {"a": OwnResource(one, None, 5), "b": OwnResource(other, None, 0)}
    former.interested = {"b": None, "a": None}
    state = successor(former, {"a": one, "b": third, "c": other})
    assert state.resources == {
        "a": OwnResource(one, None, 5),
        "b": OwnResource(third, None, 0, is_stale=True),
        "c": OwnResource(other, None, 0, is_stale=True),
    }
    assert state.interested == {"a": None}


async def test_end_what_is_left_is_refused_or_passed_on(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        slot = start_presence(house.server, parse_jid("nurse@localhost"))
        to, sender = parse_jid("nurse@localhost"), parse_jid(ORCHARD)
        body = b"<body>hi</body>"
        left: list[PresenceMessage] = [
            Routed(build_message(to=to, sender=sender, type="chat", content=body), 0, "id"),
            Routed(build_presence(to=to, sender=sender, type="probe"), 0, "id"),
            PassOn(build_message(to=parse_jid(BALCONY), sender=sender, type="chat", content=body)),
            OwnPresence(slot.ref, build_presence(to=None, sender=sender, type="unavailable")),
        ]
        assert slot.spec.abandoned is not None
        slot.spec.abandoned(left)
        (refused,) = await romeo.hears()
        assert "resource-constraint" in refused
        (passed,) = await juliet.hears()
        assert "<body>hi" in passed
