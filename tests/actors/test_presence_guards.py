"""When what may pass changes, everybody sees what they may see by now, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trio

from actors.presence_state import PresenceState
from protocols.errors import StanzaError
from tests.actors.gate_support import REFUSED, gated, keep, save
from tests.actors.managed_client import appear, died
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, WINDOW, after, chat, kept

if TYPE_CHECKING:
    from trio.testing import MockClock

    from actors.gates import Passage
    from tests.actors.house import House


@dataclass
class Wall:
    """Between Juliet and Romeo; it may stand or not."""

    stands: bool = False

    def __call__(self, passage: Passage) -> StanzaError | None:
        return REFUSED if self.stands and passage.peer.localpart == "romeo" else None


def state_of(house: House) -> PresenceState:
    """What Juliet's actor knows."""
    actor = house.presence_of(JULIET)
    assert actor is not None
    assert isinstance(actor.state, PresenceState)
    return actor.state


GONE = f'<presence from="{BALCONY}" to="{ROMEO}" type="unavailable"></presence>'


@pytest.mark.parametrize("resource", [None, "balcony"])
async def test_closed_resource_sees_nobody_and_is_seen_by_nobody(resource: str | None) -> None:
    async with gated(None).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY, "<show>away</show>")
        other = await house.appear(WINDOW) if resource else None
        for client in (romeo, juliet):
            await client.hears()
        await juliet.ask(keep("yes"))
        assert await romeo.hears() == [GONE]
        assert await juliet.hears() == [
            f'<presence from="{ROMEO}" to="{BALCONY}" type="unavailable"></presence>'
        ]
        if other is not None:
            await other.hears()
        juliet.send("<presence><show>dnd</show></presence>")
        romeo.send("<presence><show>xa</show></presence>")
        assert "dnd" not in "".join(await romeo.hears())
        assert "xa" not in "".join(await juliet.hears())
        assert other is None or "xa" in "".join(await other.hears())
        await juliet.ask(keep(None))
        assert "<show>dnd" in "".join(await romeo.hears())
        assert "<show>xa" in "".join(await juliet.hears())


async def test_closed_resource_takes_back_what_it_has_sent_to_others() -> None:
    house = gated(None)
    house.make_account("paris@localhost")
    async with house.open():
        paris, juliet = await house.log_in("paris@localhost/hall"), await house.appear(BALCONY)
        juliet.send("<presence to='paris@localhost/hall'/>")
        await paris.hears()
        await juliet.ask(keep("yes"))
        (gone,) = await paris.hears()
        assert 'type="unavailable"' in gone


async def test_one_who_is_no_contact_any_more_is_told_by_the_rules_of_subscription_alone() -> None:
    async with gated(None).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await juliet.ask(keep("yes"))
        await romeo.hears()
        juliet.send(
            f"<iq type='set' id='x'><query xmlns='jabber:iq:roster'>"
            f"<item jid='{ROMEO}' subscription='remove'/></query></iq>"
        )
        heard = await romeo.hears()
        assert not [each for each in heard if "type=" not in each], "no presence of hers"


# -- what waits


async def test_message_from_the_offline_queue_reaches_no_closed_resource(autojump_clock: MockClock) -> None:
    async with gated(None).open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send(chat(JULIET, "1"))
        juliet = await house.log_in(BALCONY)
        await juliet.ask(keep("yes"))
        juliet.send("<presence/>")
        assert "<body>" not in "".join(await juliet.hears())
        assert kept(house) == ["1"], "it waits for another"
        window = await house.log_in(WINDOW)
        window.send("<presence/>")
        assert "<body>1" in "".join(await window.hears())


async def test_message_from_somebody_shut_out_meanwhile_leaves_the_offline_queue(
    autojump_clock: MockClock,
) -> None:
    wall = Wall()
    async with gated(wall).open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send(chat(JULIET, "1"))
        await house.settle()
        assert kept(house) == ["1"]
        wall.stands = True
        juliet = await house.log_in(BALCONY)
        juliet.send("<presence/>")
        assert "<body>" not in "".join(await juliet.hears())
        await trio.sleep(60)
        assert kept(house) == []
        wall.stands = False
        romeo.send(chat(JULIET, "2"))
        assert "<body>2" in "".join(await juliet.hears())


# -- after the end of everything


async def test_session_that_comes_back_is_as_closed_as_before(autojump_clock: MockClock) -> None:
    async with gated(None).open() as house:
        romeo, juliet = await appear(house, ORCHARD), await appear(house, BALCONY)
        juliet.send(keep("yes"))
        await juliet.hears()
        await romeo.hears()
        store = died(house, romeo, juliet)
    second = after(store, modules=house._modules)
    async with second.open():
        await juliet.resume(second)
        await juliet.hears()
        romeo_again = await second.log_in("romeo@localhost/garden")
        romeo_again.send(chat(BALCONY, "hi"))
        (error,) = await romeo_again.hears()
        assert "<not-allowed " in error


async def test_document_read_anew_brings_what_has_changed(autojump_clock: MockClock) -> None:
    """Somebody was shut out, and the actor died before it could tell."""
    async with gated(None).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await romeo.hears()
        state = state_of(house)
        state.notes["balcony"] = {"closed": "yes"}
        state.forget_document()
        await juliet.ask(save())
        assert GONE in await romeo.hears()
