"""What a presence actor does about a message that kills it, once or again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.presence_messages import OwnPresence, OwnSubscription, Planned, Routed, SessionBound, SessionEnded
from supervision.report import MessageSetAside
from supervision.runtime import KillHere, Point
from tests.actors.house import House
from tests.actors.house_client import said
from tests.actors.managed_house import friends

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision.slot import Slot

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ORCHARD, BALCONY = f"{ROMEO}/orchard", f"{JULIET}/balcony"
ROSTER = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"
FOREVER = 1_000
ONCE = [(Point.BEFORE_DECIDE, 2), (Point.IN_APPLY, 1)]
"""So many deaths at that point make a message suspect."""


def killer(point: Point, times: int, kind: type, of: str) -> Callable[[Point, Slot[Any], object], None]:
    """A probe by which that account's actor dies of messages of that kind."""
    left = [None] * times

    def probe(at: Point, slot: Slot[Any], message: object) -> None:
        cause = message.message if isinstance(message, Planned) else message
        if at is point and left and slot.path.startswith(f"/users/{of}") and isinstance(cause, kind):
            left.pop()
            raise KillHere(point.value)

    return probe


def set_aside(house: House) -> int:
    return sum(isinstance(report, MessageSetAside) for report in house.forgive())


async def test_what_was_committed_is_told_to_all_whom_it_concerns() -> None:
    async with friends().open() as house:
        romeo, garden = await house.appear(ORCHARD), await house.appear(f"{ROMEO}/garden")
        for client in (romeo, garden):
            await client.ask(ROSTER)
        await garden.hears()
        house.runtime.probe = killer(Point.IN_APPLY, 1, Routed, ROMEO)
        romeo.send(
            "<iq type='set' id='s1'><query xmlns='jabber:iq:roster'>"
            f"<item jid='{JULIET}' subscription='remove'/></query></iq>"
        )
        heard, pushed = "".join(await romeo.hears()), "".join(await garden.hears())
        assert set_aside(house) == 1
        assert 'id="s1"' in heard
        for each in (heard, pushed):
            assert f'<item jid="{JULIET}" subscription="remove">' in each
        assert house.account(JULIET).roster[0].subscription == "none", "she is told as well"


@pytest.mark.parametrize(("point", "times"), ONCE)
async def test_probe_that_killed_is_answered_all_the_same(point: Point, times: int) -> None:
    async with friends().open() as house:
        await house.appear(ORCHARD)
        house.runtime.probe = killer(point, times, Routed, ROMEO)
        juliet = await house.log_in(BALCONY)
        juliet.send("<presence/>")
        assert said(f"<presence from='{ORCHARD}' to='{BALCONY}'/>")[0] in await juliet.hears()
        assert set_aside(house) == 1


@pytest.mark.parametrize(("point", "times"), ONCE)
async def test_goodbye_that_killed_is_passed_on_all_the_same(point: Point, times: int) -> None:
    async with friends().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await juliet.hears()
        house.runtime.probe = killer(point, times, OwnPresence, ROMEO)
        romeo.send("<presence type='unavailable'/>")
        assert await juliet.hears() == said(
            f"<presence type='unavailable' from='{ORCHARD}' to='{JULIET}'></presence>"
        )
        assert set_aside(house) == 1
        assert house.server.directory.entry(ROMEO).unsettled == 0


async def test_subscription_that_killed_is_granted_all_the_same() -> None:
    async with House().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        romeo.send(f"<presence type='subscribe' to='{JULIET}'/>")
        await romeo.hears()
        house.runtime.probe = killer(Point.BEFORE_DECIDE, 2, OwnSubscription, JULIET)
        juliet.send(f"<presence type='subscribed' to='{ROMEO}'/>")
        assert await romeo.hears() == said(f"<presence from='{BALCONY}' to='{ROMEO}'/>")
        house.forgive()


@pytest.mark.parametrize(("point", "times"), ONCE)
async def test_end_of_a_session_that_killed_is_told_to_contacts(point: Point, times: int) -> None:
    async with friends().open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await juliet.hears()
        house.runtime.probe = killer(point, times, SessionEnded, ROMEO)
        romeo.log_out()
        assert await juliet.hears() == said(f"<presence type='unavailable' from='{ORCHARD}' to='{JULIET}'/>")
        assert set_aside(house) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_end_of_a_session_that_killed_leaves_the_one_in_its_place(times: int) -> None:
    async with friends().open() as house:
        await house.appear(ORCHARD)
        juliet = await house.appear(BALCONY)
        await juliet.hears()
        house.runtime.probe = killer(Point.IN_APPLY, times, SessionEnded, ROMEO)
        romeo = await house.log_in(ORCHARD)
        await house.settle()
        assert set_aside(house) == times
        romeo.send("<presence><show>away</show></presence>")
        assert "<show>away</show>" in "".join(await juliet.hears())


@pytest.mark.parametrize("kind", [Routed, OwnPresence, SessionBound, SessionEnded])
async def test_what_kills_again_is_given_up_and_the_account_lives_on(kind: type) -> None:
    async with friends().open() as house:
        romeo = await house.log_in(ORCHARD)
        house.runtime.probe = killer(Point.IN_APPLY, FOREVER, kind, ROMEO)
        for xml in ("<presence type='unavailable'/>", f"<presence type='probe' to='{ROMEO}'/>"):
            romeo.send(xml)
        await house.log_in(f"{ROMEO}/garden")
        romeo.log_out()
        await house.settle()
        house.runtime.probe = None
        assert set_aside(house) >= 2
        entry = house.server.directory.entry(ROMEO)
        assert (entry.waiting, entry.unsettled) == (0, 0)
        romeo = await house.appear(ORCHARD)
        assert f'<item jid="{JULIET}"' in await romeo.ask(ROSTER)
