"""What was routed to a presence actor is decided by what is known when its turn has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.presence_effects import Refuse, Send, TryLater
from actors.presence_messages import Again, PassOn, Routed
from actors.presence_routed import RoutedRules, turned_away
from actors.presence_state import PresenceState
from protocols.conditions import StanzaCondition
from protocols.jid import parse_jid
from protocols.stanza import Stanza, build_iq, build_message, build_presence
from tests.actors.gate_support import REFUSED, gated
from tests.actors.house import House
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO
from tests.actors.presence_support import make_state

if TYPE_CHECKING:
    from actors.gates import Passage

TO_JULIET = build_message(to=parse_jid(BALCONY), sender=parse_jid(ORCHARD))
FROM_JULIET = build_message(to=parse_jid(ROMEO), sender=parse_jid(BALCONY))
ANSWER = build_iq(to=parse_jid(ROMEO), sender=parse_jid(BALCONY), type="result", id="1")
PRESENCE = build_presence(to=parse_jid(JULIET), sender=parse_jid(ORCHARD))
PING = build_iq(to=parse_jid("localhost"), sender=parse_jid(BALCONY), type="get", id="1")


async def rules(house: House) -> RoutedRules:
    """Those of Juliet, who is there, as an actor would have them."""
    await house.appear(BALCONY)
    actor = house.presence_of(JULIET)
    assert actor is not None
    assert isinstance(actor.state, PresenceState)
    return RoutedRules(house.server, actor.state)


@pytest.mark.parametrize("stanza", [TO_JULIET, PRESENCE, FROM_JULIET, ANSWER])
async def test_what_goes_on_later_goes_through_the_gates(stanza: Stanza) -> None:
    async with gated(lambda _passage: REFUSED).open() as house:
        expected = [] if stanza is PRESENCE else [Refuse(REFUSED)]
        assert (await rules(house)).pass_on(Again(stanza)) == expected
    async with gated(None).open() as house:
        assert (await rules(house)).pass_on(PassOn(stanza)) == [Send(stanza)]


async def test_routed_stanza_that_may_not_pass_is_turned_away() -> None:
    async with gated(lambda _passage: REFUSED).open() as house:
        made = await rules(house)
        assert await made.plan(Routed(TO_JULIET, 0, "1")) == [Refuse(REFUSED)]
        assert await made.plan(Routed(PRESENCE, 0, "1")) == []
        assert made.plan_without_store(PRESENCE) == []


def test_turned_away_presence_is_not_answered() -> None:
    assert turned_away(PRESENCE, REFUSED) == []
    assert turned_away(TO_JULIET, REFUSED) == [Refuse(REFUSED)]


async def test_nothing_goes_on_while_the_gates_are_unknown() -> None:
    """What can be refused is, what cannot waits, what is for the server passes."""

    def never(_passage: Passage) -> None:
        raise AssertionError("nobody knows this gate")

    async with gated(never).open() as house:
        made = RoutedRules(house.server, make_state({"balcony": 0}))
        made._state.jid = parse_jid(JULIET)
        (refused,) = made.pass_on_without_store(PassOn(FROM_JULIET))
        assert isinstance(refused, Refuse)
        assert refused.error.condition is StanzaCondition.RESOURCE_CONSTRAINT
        assert made.pass_on_without_store(PassOn(ANSWER)) == [TryLater(Again(ANSWER))]
        assert made.pass_on_without_store(Again(TO_JULIET)) == [TryLater(Again(TO_JULIET))]
        assert made.pass_on_without_store(PassOn(PING)) == [Send(PING)]
        assert made.plan_without_store(PRESENCE) == [TryLater(Again(PRESENCE))]
