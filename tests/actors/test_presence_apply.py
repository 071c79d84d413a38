"""How what was planned for an account is carried out, one effect at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import trio
from trio.testing import MockClock

from actors.connection_messages import ConnectionMessage
from actors.offline_queue import Waiting
from actors.outlet import NO_OUTLET
from actors.presence_apply import RETRY_SECONDS, PresenceApply
from actors.presence_effects import (
    DropResource,
    DropWaiting,
    HandOver,
    NotePending,
    NoteResource,
    PassResume,
    Refuse,
    RemoveAccount,
    SetReply,
    TellRoster,
    TryLater,
)
from actors.presence_messages import CreateAccount, DescribeUser, LoadSessions, PresenceMessage, ResumeStored
from actors.presence_state import NOTHING_PENDING, PendingSize
from actors.session_messages import (
    CloseStream,
    Deliver,
    HandedOver,
    Resume,
    ResumeOutcome,
    ResumeRefused,
    RosterKnown,
)
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from store.errors import StoreUnavailable
from store.log import StanzaNumber
from store.users import RosterItem
from supervision.child_spec import ChildSpec
from supervision.exit_reason import Normal
from supervision.reply import Reply
from supervision.slot import Slot
from tests.actors.house import House
from tests.actors.managed_house import ROMEO
from tests.actors.presence_support import make_state
from tests.actors.session_support import chat

if TYPE_CHECKING:
    from supervision.ref import Ref

LOAD = LoadSessions()


def parked(house: House, messages_max: int = 10) -> Slot[Any]:
    """A slot in which nobody lives, so that what it is told can be looked at."""
    spec = ChildSpec("parked", lambda _slot: pytest.fail("never started"), messages_max=messages_max)
    return Slot(spec, None, house.runtime)


def told(slot: Slot[Any]) -> list[object]:
    """What is in its mailbox."""
    return [message for message, _size in (*(slot.mailbox.control or ()), *slot.mailbox.queue)]


class Desk:
    """Romeo's account with one resource, `orchard`, and his presence actor, which does not live."""

    def __init__(self, house: House, items: tuple[RosterItem, ...] = (), **fields: Any) -> None:
        self.house = house
        self.session = parked(house)
        self.own: Slot[PresenceMessage] = parked(house)
        self.state = make_state({"orchard": 0}, items, **fields)
        orchard = self.state.resources["orchard"]
        self.state.resources["orchard"] = orchard._replace(session=self.session.ref)
        self.effects = PresenceApply(house.server, self.state, self.own)

    def apply(self, effect: Any, cause: PresenceMessage = LOAD) -> None:
        self.effects.apply(effect, cause)


def resume() -> Resume:
    connection = cast("Ref[ConnectionMessage]", "a connection")
    return Resume(0, connection, NO_OUTLET, Reply[ResumeOutcome]())


async def test_hand_over_is_taken_even_by_a_session_that_is_full(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        desk = Desk(house)
        desk.state.pending = PendingSize(1, 100)
        desk.session.mailbox.is_accepting = False
        messages = (Waiting(7, 0, chat("hi")),)
        desk.apply(HandOver("orchard", messages))
        (handed_over,) = told(desk.session)
        assert isinstance(handed_over, HandedOver)
        assert handed_over.messages == messages
        assert [parcel.seq for parcel in handed_over.parcels] == [7]
        assert desk.state.pending == NOTHING_PENDING


async def test_hand_over_what_is_on_its_way_is_not_part_of_the_queue(autojump_clock: MockClock) -> None:
    """Two reasons to read the queue may come at once, faster than the session gets its first share."""
    async with House().open() as house:
        desk = Desk(house)
        messages = (Waiting(7, 0, chat("1")),)
        desk.apply(HandOver("orchard", messages))
        assert house.server.ledger_of(parse_jid(ROMEO)).is_owed(7)
        desk.apply(HandOver("orchard", (*messages, Waiting(8, 0, chat("2")))))
        each = [handed.messages for handed in told(desk.session) if isinstance(handed, HandedOver)]
        assert [[message.seq for message in messages] for messages in each] == [[7], [8]]


async def test_hand_over_to_a_resource_that_has_gone_leaves_the_queue_as_it_is(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        desk = Desk(house)
        desk.state.pending = PendingSize(1, 100)
        desk.apply(HandOver("elsewhere", (Waiting(7, 0, chat("hi")),)))
        desk.session.close(Normal())
        desk.apply(HandOver("orchard", (Waiting(7, 0, chat("hi")),)))
        assert desk.state.pending == PendingSize(1, 100)
        assert not house.server.ledger_of(parse_jid(ROMEO)).is_owed(7)


async def test_drop_waiting_leaves_the_log_when_that_is_safe(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        desk = Desk(house)
        desk.apply(DropWaiting((Waiting(7, 0, chat("hi"), StanzaNumber("somebody's", 3)),)))
        ledger = house.server.ledger_of(parse_jid(ROMEO))
        assert [parcel.seq for parcel in ledger.done] == [7]
        assert ledger.is_owed(7), "no part of the queue any more"


async def test_pass_resume_reaches_a_session_that_has_just_come_back(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        desk, message = Desk(house), resume()
        house.server.streams.add("sm", parse_jid(f"{ROMEO}/orchard"), desk.session.ref)
        desk.apply(PassResume("sm", message))
        assert told(desk.session) == [message]
        assert not message.reply.is_filled


@pytest.mark.parametrize("h", [None, 7])
async def test_pass_resume_session_that_did_not_come_back_is_refused(
    autojump_clock: MockClock, h: int | None
) -> None:
    async with House().open() as house:
        desk, message = Desk(house), resume()
        if h is not None:
            house.server.streams.remove("sm", ROMEO, h)
        desk.apply(PassResume("sm", message))
        assert message.reply.result() == ResumeRefused(StanzaCondition.ITEM_NOT_FOUND, h)


async def test_try_later_comes_again_in_a_while(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        desk = Desk(house)
        desk.apply(TryLater(LOAD))
        assert told(desk.own) == []
        await trio.sleep(1.5 * RETRY_SECONDS)
        assert told(desk.own) == [LOAD]


async def test_tell_roster_pushes_what_has_changed_since_then_one_item_at_a_time(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        items = tuple(RosterItem(f"{name}@localhost", version=at) for at, name in enumerate("abc", 1))
        desk = Desk(house, items, roster_version=3)
        desk.apply(TellRoster("orchard", 1))
        *pushes, known = told(desk.session)
        texts = [push.stanza.data.decode() for push in pushes if isinstance(push, Deliver)]
        assert ["b@localhost" in texts[0], "c@localhost" in texts[1], len(texts)] == [True, True, 2]
        assert known == RosterKnown(3)
        desk.apply(TellRoster("elsewhere", 1))
        assert len(told(desk.session)) == 3


async def test_refuse_tells_whoever_asked(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        desk, message = Desk(house), resume()
        error = Refuse(StanzaError(StanzaCondition.RESOURCE_CONSTRAINT))
        desk.apply(error, ResumeStored("sm", message, message.reply))
        assert message.reply.result() == ResumeRefused(StanzaCondition.RESOURCE_CONSTRAINT)
        created, described = Reply[bool](), Reply[Any]()
        desk.apply(error, CreateAccount((), 0, created))
        desk.apply(error, DescribeUser(described))
        for reply in (created, described):
            with pytest.raises(StoreUnavailable):
                reply.result()
        desk.apply(error, LOAD)  # which nobody waits for


async def test_set_reply_answers(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        reply = Reply[bool]()
        Desk(house).apply(SetReply(reply, value=True))
        assert reply.result() is True


async def test_notes_are_what_the_actor_knows_from_then_on(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        desk = Desk(house)
        desk.apply(NotePending(PendingSize(2, 30)))
        other = parked(house)
        desk.apply(NoteResource("balcony", other.ref, None, 5))
        assert desk.state.pending == PendingSize(2, 30)
        assert (list(desk.state.resources), desk.state.priorities) == (["orchard", "balcony"], {"orchard": 0})
        desk.apply(DropResource("orchard"))
        assert list(desk.state.resources) == ["balcony"]


async def test_remove_account_ends_its_sessions_behind_all_else_and_forgets_its_ledger(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        desk = Desk(house)
        before = house.server.ledger_of(parse_jid(ROMEO))
        assert desk.session.ref.cast(Deliver(chat("on its way")))
        desk.apply(RemoveAccount())
        delivered, closed = told(desk.session)
        assert isinstance(delivered, Deliver)
        assert isinstance(closed, CloseStream)
        assert house.server.ledger_of(parse_jid(ROMEO)) is not before
        full = Desk(house)
        full.session.mailbox.is_accepting = False
        full.apply(RemoveAccount())
        assert [type(each) for each in told(full.session)] == [CloseStream]
