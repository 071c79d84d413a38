"""Gates: what they let pass, on every way that a stanza takes; and that they fail closed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors.gates import UNKNOWN, Guard, Guards, NamedGuard, Passage, is_exempt, shut
from actors.module import Gate, Module
from actors.module_host import HandlerFailed
from actors.modules import MODULES
from actors.presence_state import PresenceState
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import StanzaKind, build_message
from store.memory.faults import Fault
from tests.actors.gate_support import REFUSED, gate_module, gated, keep, save
from tests.actors.house import House
from tests.actors.house_client import Client
from tests.actors.managed_house import BALCONY, JULIET, ORCHARD, ROMEO, WINDOW, chat

if TYPE_CHECKING:
    from trio.testing import MockClock

PAGE = Path(__file__).resolve().parents[2] / "docs" / "modules.md"
MESSAGE = build_message(to=parse_jid(JULIET), sender=parse_jid(ORCHARD))
PASSAGE = Passage(MESSAGE, parse_jid(ORCHARD), is_outgoing=False, resource=None)
OTHER = StanzaError(StanzaCondition.GONE)


def guards(*each: Guard) -> tuple[Guards, list[BaseException]]:
    failed: list[BaseException] = []
    named = [NamedGuard(Module(name="gate", summary="A gate."), guard) for guard in each]
    return Guards(named, lambda _guard, error: failed.append(error)), failed


def let_pass(_passage: Passage) -> None:
    return None


def raises(error: BaseException) -> Guard:
    def guard(_passage: Passage) -> StanzaError | None:
        raise error

    return guard


# -- what is asked


@pytest.mark.parametrize(
    ("each", "fault"),
    [
        ((), None),
        ((let_pass, let_pass), None),
        ((let_pass, lambda _: REFUSED, lambda _: OTHER), REFUSED),
        ((raises(OTHER), lambda _: REFUSED), OTHER),
    ],
)
def test_guards_let_pass_what_none_of_them_stops(each: tuple[Guard, ...], fault: StanzaError | None) -> None:
    asked, failed = guards(*each)
    assert asked.fault(PASSAGE) is fault
    assert failed == []


def test_guard_that_fails_stops_the_stanza_and_is_reported() -> None:
    asked, failed = guards(raises(ZeroDivisionError()), let_pass)
    fault = asked.fault(PASSAGE)
    assert fault is not None
    assert fault.condition is StanzaCondition.INTERNAL_SERVER_ERROR
    assert [type(each) for each in failed] == [ZeroDivisionError]


def test_nothing_passes_what_is_unknown_or_shut() -> None:
    assert UNKNOWN.fault(PASSAGE) is not None
    assert shut(PASSAGE).condition is StanzaCondition.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    ("peer", "is_open"),
    [
        (None, True),
        (JULIET, True),
        (BALCONY, True),
        ("localhost", True),
        ("localhost/announce", True),
        ("users.localhost", False),
        (ROMEO, False),
        ("juliet@example.com", False),
    ],
)
def test_own_account_and_own_server_are_never_asked_about(peer: str | None, is_open: bool) -> None:
    assert is_exempt(JULIET, None if peer is None else parse_jid(peer)) is is_open


# -- on the way in


def no_messages(passage: Passage) -> StanzaError | None:
    is_message = passage.stanza.kind is StanzaKind.MESSAGE and not passage.is_outgoing
    return REFUSED if is_message and passage.peer.localpart == "romeo" else None


@pytest.mark.parametrize("to", [JULIET, BALCONY, WINDOW])
@pytest.mark.parametrize("is_there", [True, False])
async def test_message_that_may_not_pass_is_refused_wherever_its_recipient_is(
    autojump_clock: MockClock, to: str, is_there: bool
) -> None:
    async with gated(no_messages).open() as house:
        romeo = await house.log_in(ORCHARD)
        juliet = await (house.appear if is_there else house.log_in)(BALCONY)
        romeo.send(chat(to, "1") + chat(to, "2"))
        errors = await romeo.hears()
        assert [re.findall("<(not-allowed) ", each) for each in errors] == [["not-allowed"]] * 2
        assert await juliet.hears() == []
        assert house.store._log == {}


async def test_message_for_somebody_offline_is_refused_before_it_is_stored(autojump_clock: MockClock) -> None:
    async with gated(no_messages).open() as house:
        romeo = await house.log_in(ORCHARD)
        romeo.send(chat(JULIET, "1"))
        (error,) = await romeo.hears()
        assert "<not-allowed " in error
        assert house.store._log == {}


async def test_message_goes_to_those_resources_that_may_have_it() -> None:
    async with gated(None).open() as house:
        romeo = await house.log_in(ORCHARD)
        balcony, window = await house.appear(BALCONY), await house.appear(WINDOW)
        await balcony.ask(keep("yes"))
        romeo.send(chat(JULIET, "1") + chat(BALCONY, "2"))
        assert [re.findall("<not-allowed |body>.<", each) for each in await romeo.hears()] == [
            ["<not-allowed "]
        ]
        assert "<body>1" in "".join(await window.hears())
        assert "<body>" not in "".join(await balcony.hears())
        await window.ask(keep("yes"))
        romeo.send(chat(JULIET, "3"))
        (error,) = await romeo.hears()
        assert "<not-allowed " in error
        await balcony.ask(keep(None))
        romeo.send(chat(JULIET, "4"))
        assert "<body>4" in "".join(await balcony.hears())


async def test_what_a_session_keeps_goes_with_it() -> None:
    async with gated(None).open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.appear(BALCONY)
        await juliet.ask(keep("yes"))
        await house.appear(BALCONY)
        romeo.send(chat(BALCONY, "hi"))
        assert await romeo.hears() == []


# -- on the way out


def nothing_out(passage: Passage) -> StanzaError | None:
    return REFUSED if passage.is_outgoing and passage.peer.localpart == "romeo" else None


@pytest.mark.parametrize(
    ("xml", "is_answered"),
    [
        (chat(ROMEO, "hi"), True),
        (chat(ORCHARD, "hi"), True),
        (f"<iq to='{ORCHARD}' type='get' id='1'><q xmlns='urn:q'/></iq>", True),
        (f"<iq to='{ORCHARD}' type='result' id='1'/>", False),
        (f"<presence to='{ORCHARD}'/>", True),
        (f"<presence to='{ROMEO}' type='subscribe'/>", True),
        (f"<presence to='{ROMEO}' type='unsubscribe'/>", False),
        (f"<presence to='{ROMEO}' type='probe'/>", False),
    ],
)
async def test_stanza_that_may_not_go_out_is_refused(xml: str, is_answered: bool) -> None:
    async with gated(nothing_out).open() as house:
        romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
        await juliet.hears()
        juliet.send(xml)
        assert ["<not-allowed " in each for each in await juliet.hears()] == [True] * is_answered
        assert await romeo.hears() == []
        assert house.account(JULIET).roster[0].subscription == "both"


async def test_presence_that_may_not_go_out_is_seen_by_nobody() -> None:
    async with gated(nothing_out).open() as house:
        romeo = await house.appear(ORCHARD)
        juliet = await house.appear(BALCONY)
        juliet.send("<presence><show>away</show></presence>")
        romeo.send(f"<presence to='{JULIET}' type='probe'/>")
        await house.settle()
        juliet.hang_up()
        assert await romeo.hears() == []


async def test_account_always_reaches_itself_and_its_server() -> None:
    async with gated(lambda _passage: REFUSED).open() as house:
        juliet, other = await house.appear(BALCONY), await house.appear(WINDOW)
        juliet.send(chat(WINDOW, "hi"))
        assert "<body>hi" in "".join(await other.hears())
        for to in ("localhost", JULIET):
            ping = f"<iq type='get' id='p' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"
            assert "not-allowed" not in await juliet.ask(ping)


# -- failing closed


async def test_gate_that_fails_refuses_and_is_reported() -> None:
    async with gated(raises(ZeroDivisionError())).open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.appear(BALCONY)
        house.forgive()
        romeo.send(chat(JULIET, "1"))
        (error,) = await romeo.hears()
        assert "<internal-server-error " in error
        assert await juliet.hears() == []
        (note,) = house.forgive()
        assert isinstance(note, HandlerFailed)
        assert note.module == "gate"


async def test_gate_that_cannot_be_made_refuses_everything_and_is_reported() -> None:
    def make(_user: Any, _notes: Any) -> Guard | None:
        raise ZeroDivisionError

    async with House(modules=(*MODULES, Module(name="g", summary="", hooks=(Gate(make),)))).open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.appear(BALCONY)
        romeo.send(chat(JULIET, "1"))
        (error,) = await romeo.hears()
        assert "<internal-server-error " in error
        assert await juliet.hears() == []
        assert {type(note) for note in house.forgive()} == {HandlerFailed}


def state_of(house: House) -> PresenceState:
    actor = house.server.directory.entry(JULIET).presence
    assert actor is not None
    assert isinstance(actor.slot.state, PresenceState)
    return actor.slot.state


async def unread(house: House) -> tuple[Client, Client]:
    """Both are there; then Juliet's actor dies, and while the database is away nobody reads her document."""
    romeo, juliet = await house.appear(ORCHARD), await house.appear(BALCONY)
    await juliet.hears()
    await romeo.hears()
    state_of(house).forget_document()
    house.faults = lambda _operation: Fault.AWAY
    actor = house.presence_of(JULIET)
    assert actor is not None
    actor.kill()
    await house.settle()
    house.forgive()
    return romeo, juliet


async def test_nothing_passes_by_guess_while_nobody_can_read_what_is_to_be_checked(
    autojump_clock: MockClock,
) -> None:
    async with gated(None, limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await unread(house)
        await trio.sleep(5)
        romeo.send(chat(BALCONY, "1") + "<presence><show>dnd</show></presence>")
        juliet.send(chat(ORCHARD, "2") + f"<iq type='result' id='r' to='{ORCHARD}'/>")
        await trio.sleep(5)
        for client in (romeo, juliet):
            texts = [each for each in await client.hears() if ROMEO not in each or "<presence" not in each]
            assert [re.findall("<resource-constraint |<body>", each) for each in texts] == [
                ["<resource-constraint "]
            ]
        house.faults = None
        await trio.sleep(5)
        assert "<show>dnd" in "".join(await juliet.hears()), "presence has waited"
        assert "<iq" in "".join(await romeo.hears()), "so has the answer"
        romeo.send(chat(BALCONY, "3"))
        assert "<body>3" in "".join(await juliet.hears())


async def test_what_waited_is_looked_at_when_it_is_known_what_may_pass(autojump_clock: MockClock) -> None:
    async with gated(lambda _passage: REFUSED, limits={"store_away_seconds": 1.0}).open() as house:
        romeo, juliet = await unread(house)
        await trio.sleep(5)
        romeo.send("<presence><show>dnd</show></presence>")
        juliet.send(f"<iq type='result' id='r' to='{ORCHARD}'/>")
        await trio.sleep(5)
        house.faults = None
        await trio.sleep(5)
        assert "<show>dnd" not in "".join(await juliet.hears())
        assert "<iq" not in "".join(await romeo.hears())


async def test_server_is_reached_while_nobody_can_read_what_is_to_be_checked(
    autojump_clock: MockClock,
) -> None:
    async with gated(None, limits={"store_away_seconds": 1.0}).open() as house:
        _romeo, juliet = await unread(house)
        ping = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        assert 'type="result"' in await juliet.ask(ping)


# -- the example


async def test_example_keeps_strangers_out() -> None:
    """The gate of docs/modules.md, as it stands there."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (source,) = [each for each in blocks if "def keep_strangers_out" in each]
    names: dict[str, Any] = {"StanzaError": StanzaError, "StanzaCondition": StanzaCondition}
    names |= {"StanzaKind": StanzaKind}
    exec(f"from __future__ import annotations\n{source}", names)  # noqa: S102 - the page is ours
    module = Module(name="g", summary="", hooks=(Gate(names["keep_strangers_out"]),))
    house = House((ROMEO, JULIET, "paris@localhost"), modules=(*MODULES, module))
    house.befriend(ROMEO, JULIET)
    async with house.open():
        romeo, paris = await house.log_in(ORCHARD), await house.log_in("paris@localhost/orchard")
        juliet = await house.appear(BALCONY)
        romeo.send(chat(JULIET, "1"))
        paris.send(chat(JULIET, "2"))
        assert await romeo.hears() == []
        (error,) = await paris.hears()
        assert "<service-unavailable " in error
        assert "<body>1" in "".join(await juliet.hears())


async def test_two_modules_may_declare_the_same_gate() -> None:
    asked: list[str] = []

    def verdict(passage: Passage) -> StanzaError | None:
        asked.append(passage.stanza.type)
        return None

    first = gate_module(verdict)
    second = Module(name="second", summary="The same gate.", hooks=first.hooks)
    async with House(modules=(*MODULES, first, second)).open() as house:
        romeo, juliet = await house.log_in(ORCHARD), await house.log_in(BALCONY)
        await juliet.ask(save())
        asked.clear()
        romeo.send(chat(BALCONY, "1"))
        await house.settle()
        assert asked == ["chat"]
