"""What a connection asks of others while it negotiates: that each answer finds its way back."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from actors.connection_messages import ConnectionMessage, Filled
from actors.connection_requests import Request, Requests
from actors.connection_state import ConnectionState
from actors.outlet import NO_OUTLET
from protocols.conditions import SaslCondition, StanzaCondition
from protocols.jid import parse_jid
from protocols.negotiation_values import (
    Answer,
    BindRefused,
    BindResource,
    Bound,
    CredentialsFound,
    CredentialsMissing,
    FetchCredentials,
    LoginFailed,
    PasswordRefused,
    PasswordVerified,
    RegistrationAnswered,
    RequestRegistration,
    Resumed,
    ResumeRefused,
    ResumeSession,
    VerifyPassword,
)
from protocols.stanza import build_iq
from supervision.child_spec import ChildSpec
from supervision.slot import Slot
from tests.actors.house import ADDRESS, House
from tests.actors.house_client import PASSWORD
from tests.actors.managed_client import appear
from tests.actors.managed_house import BALCONY, JULIET, slow


class Desk:
    """A connection that only asks: nobody lives in its slot, and what comes is looked at."""

    def __init__(self, house: House) -> None:
        spec = ChildSpec("desk", lambda _slot: pytest.fail("never started"))
        self.slot: Slot[ConnectionMessage] = Slot(spec, None, house.runtime)
        self.state = ConnectionState(NO_OUTLET, house.server.tcp_setup(secure=True), ADDRESS)
        self.at_once: list[Answer] = []
        self.requests = Requests(house.server, self.slot.ref, self.state, self.at_once.append)

    def ask(self, request: Request) -> list[Answer]:
        """What is known in this moment."""
        self.requests.make(request)
        return self.heard()

    def heard(self) -> list[Answer]:
        """The answers that have come as messages."""
        control = self.slot.mailbox.control or ()
        found: list[Answer] = []
        for message, _size in tuple(control):
            assert isinstance(message, Filled)
            found.append(message.convert(message.outcome))
        if self.slot.mailbox.control is not None:
            self.slot.mailbox.control.clear()
        return found


async def test_credentials_are_fetched_for_an_account_that_is_there_and_one_that_is_not(
    autojump_clock: MockClock,
) -> None:
    async with House().open() as house:
        desk = Desk(house)
        (found,) = desk.ask(FetchCredentials(parse_jid(JULIET)))
        assert isinstance(found, CredentialsFound)
        assert desk.ask(FetchCredentials(parse_jid("nobody@localhost"))) == [CredentialsMissing()]
        (keys, *_rest) = found.keys
        assert desk.ask(VerifyPassword(PASSWORD, keys)) == [PasswordVerified()]
        assert desk.ask(VerifyPassword("another", keys)) == [PasswordRefused()]
        assert desk.at_once == []


async def test_answer_that_takes_its_time_comes_as_a_message_then(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        desk = Desk(house)
        with slow(house):
            before = desk.ask(FetchCredentials(parse_jid("nobody@localhost")))
            await trio.sleep(2)
        assert (before, desk.heard()) == ([], [CredentialsMissing()])


async def test_failed_login_is_noted_and_counted(autojump_clock: MockClock) -> None:
    async with House(limits={"failed_logins_max": 1}).open() as house:
        desk = Desk(house)
        failure = LoginFailed(parse_jid(JULIET), SaslCondition.NOT_AUTHORIZED)
        assert desk.ask(failure) == []
        assert house.notes == [failure]
        assert house.server.login_throttle.is_blocked(ADDRESS)


async def test_registration_is_answered_by_who_is_responsible(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        request = build_iq(to=None, sender=None, type="get", id="r")
        desk = Desk(house)
        desk.requests.make(RequestRegistration(request))
        await house.settle()
        (answer,) = desk.heard()
        assert isinstance(answer, RegistrationAnswered)
        assert (answer.answer.id, answer.answer.type) == ("r", "error"), "it is not open to everybody"


async def test_bind_starts_a_session_and_says_so_at_once(autojump_clock: MockClock) -> None:
    async with House(limits={"sessions_per_user_max": 1}).open() as house:
        desk = Desk(house)
        assert desk.ask(BindResource(parse_jid(BALCONY))) == []
        assert desk.at_once == [Bound(parse_jid(BALCONY))]
        assert desk.state.session is house.server.directory.session(parse_jid(BALCONY))
        other = Desk(house)
        other.ask(BindResource(parse_jid(f"{JULIET}/other")))
        (refused,) = other.at_once
        assert isinstance(refused, BindRefused)
        assert refused.error.condition is StanzaCondition.RESOURCE_CONSTRAINT
        assert other.state.session is None


async def test_resume_accepted_is_of_this_session_from_then_on(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        juliet = await appear(house, BALCONY)
        session = house.server.directory.session(juliet.client.jid)
        desk = Desk(house)
        request = ResumeSession(parse_jid(JULIET), juliet.sm_id or "", juliet.handled)
        assert desk.ask(request) == []
        await house.settle()
        assert desk.heard() == [Resumed(juliet.client.jid)]
        assert (desk.state.session, desk.state.via) == (session, 1)


@pytest.mark.parametrize("previd", ["", "nobody"])
async def test_resume_what_nobody_knows_is_refused_at_once(autojump_clock: MockClock, previd: str) -> None:
    async with House().open() as house:
        desk = Desk(house)
        answers = desk.ask(ResumeSession(parse_jid(JULIET), previd, 0))
        assert answers == [ResumeRefused(StanzaCondition.ITEM_NOT_FOUND)]
        assert (desk.state.session, desk.state.via) == (None, 0)
