"""Modules fit together or do not start; what one of them does wrong harms nobody else."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

import pytest
import trio
from trio.testing import MockClock

from actors.module import (
    GET,
    GET_SET,
    SET,
    AccountIq,
    Asker,
    Context,
    DomainIq,
    Module,
    ModuleFaultError,
    Request,
    StrangerContext,
    StrangerIq,
)
from actors.module_host import JOB_SECONDS_MAX, HandlerFailed
from actors.modules import MODULES
from actors.modules.mod_disco import MODULE as DISCO
from actors.offline_queue import OfflineQueue
from actors.presence_effects import Answer, Send
from actors.settings import RegistrationSettings, Settings
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import PayloadName, Stanza, StanzaKind, build_message
from store.errors import StoreUnavailable
from supervision.dynamic_supervisor import DynamicState
from supervision.reply import DeadlineExceeded
from tests.actors.house import House
from tests.actors.house_client import said

Q = PayloadName("urn:x", "q")
ME = "romeo@localhost/orchard"
Handler = Callable[[Any, Request], Awaitable[Sequence[Any]]]


async def answer(_context: Context, _request: Request) -> tuple[Answer]:
    return (Answer(b"<done xmlns='urn:x'/>"),)


async def never_ending(_context: Context, _request: Request) -> NoReturn:
    await trio.sleep_forever()


def module(name: str = "test", **fields: Any) -> Module:
    return Module(name=name, summary="A test.", **fields)


def ask(to: str = "localhost", type: str = "get", name: str = "q") -> str:
    return f"<iq type='{type}' id='1' to='{to}'><{name} xmlns='urn:x'/></iq>"


def house_with(*modules: Module, **fields: Any) -> House:
    return House(modules=(*MODULES, *modules), **fields)


# -- modules that do not fit


async def fault_of(*modules: Module) -> str:
    """Why a server with these modules does not start."""
    with pytest.RaisesGroup(ModuleFaultError) as caught:
        async with House(modules=modules).open():
            pass
    (fault,) = caught.value.exceptions
    return str(fault)


@pytest.mark.parametrize("kind", [DomainIq, StrangerIq])
async def test_two_handlers_for_one_request_are_a_fault(kind: type[Any]) -> None:
    one = module("one", iqs=(kind(Q, GET_SET, answer),))
    other = module("other", iqs=(kind(Q, SET, answer),))
    assert await fault_of(one, other) == "modules one and other both handle set of q in urn:x"


async def test_two_handlers_for_one_request_to_accounts_are_a_fault() -> None:
    twice = (AccountIq(Q, GET, Asker.ANYBODY, answer), AccountIq(Q, GET, Asker.OWNER, answer))
    assert "both handle get of q" in await fault_of(module(iqs=twice))


async def test_handlers_for_different_requests_are_none() -> None:
    async with House(
        modules=(
            module("one", iqs=(DomainIq(Q, GET, answer), AccountIq(Q, GET, Asker.OWNER, answer))),
            module("other", iqs=(DomainIq(Q, SET, answer), StrangerIq(Q, GET, answer))),
        )
    ).open():
        pass


async def test_module_without_what_it_needs_is_a_fault() -> None:
    assert await fault_of(module(needs=("disco", "pubsub")), DISCO) == "module test needs pubsub"
    assert await fault_of(module(uses=(OfflineQueue, House))) == "module test needs House"


async def test_two_modules_of_one_name_are_a_fault() -> None:
    assert await fault_of(module(), module()) == "two modules are called test"


# -- requests to the server


async def test_domain_request_that_nobody_handles_is_unavailable() -> None:
    async with house_with(module(iqs=(DomainIq(Q, GET, answer),))).open() as house:
        romeo = await house.log_in(ME)
        assert "service-unavailable" in await romeo.ask(ask(name="other"))
        assert "service-unavailable" in await romeo.ask(ask(type="set"))
        assert "<done " in await romeo.ask(ask())


async def test_domain_handler_may_send_besides_its_answer() -> None:
    async def send(context: Context, request: Request) -> Sequence[Answer | Send]:
        note = build_message(to=request.asker, sender=context.domain, content=b"<body>first</body>")
        return (Answer(), Send(note))

    async with house_with(module(iqs=(DomainIq(Q, GET, send),))).open() as house:
        romeo = await house.log_in(ME)
        romeo.send(ask())
        assert await romeo.hears() == said(
            f"<message from='localhost' to='{ME}'><body>first</body></message>",
            f"<iq type='result' id='1' from='localhost' to='{ME}'/>",
        )


def raising(error: Exception) -> Handler:
    async def fail(_context: Any, _request: Request) -> Sequence[Any]:
        raise error

    return fail


def returning(*effects: Any) -> Handler:
    async def give(_context: Any, _request: Request) -> Sequence[Any]:
        return effects

    return give


FORBIDDEN = StanzaError(StanzaCondition.FORBIDDEN, "no")


@pytest.mark.parametrize("to", ["localhost", "romeo@localhost"])
@pytest.mark.parametrize(
    ("handle", "condition", "type", "is_reported"),
    [
        (raising(FORBIDDEN), "forbidden", "auth", False),
        (raising(StoreUnavailable("away")), "resource-constraint", "wait", False),
        (raising(KeyError("bug")), "internal-server-error", "wait", True),
        (returning(), "internal-server-error", "wait", True),
        (returning(Answer(), Answer()), "internal-server-error", "wait", True),
    ],
)
async def test_handler_that_fails_is_reported_and_answered(
    handle: Handler, condition: str, type: str, is_reported: bool, to: str
) -> None:
    iqs = (DomainIq(Q, GET, handle), AccountIq(Q, GET, Asker.OWNER, handle))
    async with house_with(module(iqs=iqs)).open() as house:
        romeo = await house.log_in(ME)
        for _ in range(2):
            reply = await romeo.ask(ask(to))
            assert f'type="{type}"' in reply
            assert f"<{condition} " in reply
        failures = [note for note in house.forgive() if isinstance(note, HandlerFailed)]
        assert len(failures) == (2 if is_reported else 0)
        assert all(failure.module == "test" for failure in failures)
        assert 'type="result"' in await romeo.ask(
            f"<iq type='get' id='2' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"
        )


async def test_domain_handler_that_waited_for_an_actor_in_vain_is_no_fault_of_its_own() -> None:
    async with house_with(module(iqs=(DomainIq(Q, GET, raising(DeadlineExceeded())),))).open() as house:
        romeo = await house.log_in(ME)
        assert 'type="wait"' in await romeo.ask(ask())


async def test_domain_handler_that_never_ends_is_ended(autojump_clock: MockClock) -> None:
    async with house_with(module(iqs=(DomainIq(Q, GET, never_ending),))).open() as house:
        romeo = await house.log_in(ME)
        romeo.send(ask())
        assert await romeo.hears() == []
        await trio.sleep(JOB_SECONDS_MAX + 1)
        (reply,) = await romeo.hears()
        assert "internal-server-error" in reply
        (failure,) = house.forgive()
        assert isinstance(failure, HandlerFailed)
        assert isinstance(failure.error, trio.TooSlowError)
        assert house.slots("jobs") == []


async def test_domain_request_whose_job_is_killed_is_answered() -> None:
    async with house_with(module(iqs=(DomainIq(Q, GET, never_ending),))).open() as house:
        romeo = await house.log_in(ME)
        romeo.send(ask())
        await house.settle()
        (job,) = house.slots("jobs")
        job.kill()
        (reply,) = await romeo.hears()
        assert "internal-server-error" in reply
        assert house.forgive()


async def test_domain_request_beyond_the_bound_of_jobs_must_wait() -> None:
    async with house_with(module(iqs=(DomainIq(Q, GET, answer),))).open() as house:
        romeo = await house.log_in(ME)
        assert isinstance(house.server.jobs._state, DynamicState)
        house.server.jobs._state.children_max = 0
        assert 'type="wait"' in await romeo.ask(ask())


# -- strangers


async def test_stranger_is_told_apart_by_address_and_answered_whatever_happens() -> None:
    async def tell(context: StrangerContext, request: Request) -> Sequence[Answer]:
        if request.is_set:
            raise KeyError("bug")
        return (Answer(f"<query xmlns='jabber:iq:register'>{context.address}</query>".encode()),)

    register = PayloadName("jabber:iq:register", "query")
    strangers = module(iqs=(StrangerIq(register, GET_SET, tell),))
    settings = Settings(registration=RegistrationSettings(open=True))
    async with House(modules=(strangers,), settings=settings).open() as house:
        client = house.connect(ME, "192.0.2.7")
        await client.begin()
        query = "<query xmlns='jabber:iq:register'/>"
        assert ">192.0.2.7<" in await client.ask(f"<iq type='get' id='1'>{query}</iq>")
        assert "internal-server-error" in await client.ask(f"<iq type='set' id='2'>{query}</iq>")
        assert house.forgive()
        await client.authenticate()
    async with House(modules=(), settings=settings).open() as house:
        client = house.connect(ME)
        await client.begin()
        assert "service-unavailable" in await client.ask(f"<iq type='get' id='1'>{query}</iq>")


# -- accounts


@pytest.mark.parametrize(
    ("asker", "of_oneself", "of_a_friend", "of_a_stranger"),
    [
        (Asker.ANYBODY, "<done ", "<done ", "<done "),
        (Asker.SUBSCRIBERS, "<done ", "<done ", "<service-unavailable "),
        (Asker.OWNER, "<done ", "<forbidden ", "<forbidden "),
    ],
)
async def test_account_is_asked_by_those_who_may(
    asker: Asker, of_oneself: str, of_a_friend: str, of_a_stranger: str
) -> None:
    accounts = ("romeo@localhost", "juliet@localhost", "tybalt@localhost")
    house = house_with(module(iqs=(AccountIq(Q, GET, asker, answer),)), accounts=accounts)
    house.befriend("romeo@localhost", "juliet@localhost")
    async with house.open():
        romeo = await house.log_in(ME)
        assert of_oneself in await romeo.ask(ask("romeo@localhost"))
        assert of_a_friend in await romeo.ask(ask("juliet@localhost"))
        assert of_a_stranger in await romeo.ask(ask("tybalt@localhost"))
        assert "<service-unavailable " in await romeo.ask(ask("nobody@localhost"))


async def test_account_handler_also_for_the_domain_answers_in_its_name() -> None:
    iq = AccountIq(Q, GET, Asker.OWNER, answer, to_domain=True)
    async with house_with(module(iqs=(iq,))).open() as house:
        romeo = await house.log_in(ME)
        assert [await romeo.ask(ask())] == said(
            f"<iq type='result' id='1' from='localhost' to='{ME}'><done xmlns='urn:x'/></iq>"
        )
        stranger = parse_jid("romeo@example.org/x")
        foreign = Stanza(
            StanzaKind.IQ, parse_jid("localhost"), stranger, "get", "1", None, ask().encode(), Q, 1
        )
        house.server.modules.start_domain_iq(foreign)
        await house.settle()
        assert house.presence_of("romeo@example.org") is None
