"""The beginning of a user's presence actor, and its end with messages left."""

import pytest
from trio.testing import MockClock

from actors.presence_messages import OwnPresence, PassOn, PresenceMessage, Routed
from actors.presence_start import start_presence
from protocols.jid import parse_jid
from protocols.stanza import build_message, build_presence
from supervision.dynamic_supervisor import NotAcceptingError
from tests.actors.house import House
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD


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
