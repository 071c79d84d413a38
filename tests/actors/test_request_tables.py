"""Services beside the domain are asked by their addresses, and nobody else answers for them."""

from collections.abc import Sequence

import pytest

from actors.module import (
    GET,
    SET,
    AccountContext,
    AccountIq,
    Asker,
    Context,
    DomainIq,
    Module,
    ModuleFaultError,
    Request,
    Service,
)
from actors.modules import MODULES
from actors.presence_effects import AccountEffect, Answer
from actors.request_tables import hosts_of
from protocols.jid import parse_jid
from protocols.stanza import PayloadName
from tests.actors.house import House
from tests.actors.house_client import said

Q = PayloadName("urn:x", "q")
ME = "romeo@localhost/orchard"
USERS = "users.localhost"


async def name_host(context: Context, _request: Request) -> Sequence[Answer]:
    return (Answer(f"<host xmlns='urn:x'>{context.host}</host>".encode()),)


async def name_account(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    return (Answer(f"<account xmlns='urn:x'>{context.jid} {context.host}</account>".encode()),)


def ask(to: str, type: str = "get", payload: str = "<q xmlns='urn:x'/>") -> str:
    return f"<iq type='{type}' id='1' to='{to}'>{payload}</iq>"


def module(*iqs: DomainIq | AccountIq, label: str = "users", name: str = "test") -> Module:
    return Module(name=name, summary="A test.", services=(Service(label, (), (), iqs),))


def house(*iqs: DomainIq | AccountIq) -> House:
    return House(modules=(*MODULES, module(*iqs, label="test")))


async def test_service_is_asked_at_its_host_and_nowhere_else() -> None:
    async with house(DomainIq(Q, GET, name_host)).open() as here:
        romeo = await here.log_in(ME)
        for to in ("test.localhost", "test.localhost/x"):
            assert [await romeo.ask(ask(to))] == said(
                f"<iq type='result' id='1' from='{to}' to='{ME}'>"
                "<host xmlns='urn:x'>test.localhost</host></iq>"
            )
        for to in ("localhost", "romeo@localhost", "romeo@test.localhost"):
            assert "<service-unavailable " in await romeo.ask(ask(to))
        assert "<service-unavailable " in await romeo.ask(ask("test.localhost", "set"))
        assert "<remote-server-not-found " in await romeo.ask(ask("other.localhost"))


async def test_service_is_asked_about_the_account_of_who_asks() -> None:
    async with house(AccountIq(Q, GET, Asker.OWNER, name_account)).open() as here:
        romeo = await here.log_in(ME)
        assert [await romeo.ask(ask("test.localhost"))] == said(
            f"<iq type='result' id='1' from='test.localhost' to='{ME}'>"
            "<account xmlns='urn:x'>romeo@localhost test.localhost</account></iq>"
        )
        assert "<service-unavailable " in await romeo.ask(ask("localhost"))
        assert "<service-unavailable " in await romeo.ask(ask("romeo@localhost"))


async def test_service_takes_no_messages_and_ignores_presence() -> None:
    async with house().open() as here:
        romeo = await here.log_in(ME)
        for to in ("test.localhost", "romeo@test.localhost"):
            romeo.send(f"<presence to='{to}'/><presence to='{to}' type='subscribe'/>")
            romeo.send(f"<iq type='result' id='2' to='{to}'/><message to='{to}' type='error'/>")
            assert "<service-unavailable " in await romeo.ask(
                f"<message id='1' to='{to}'><body>?</body></message>"
            )


async def test_service_answers_what_the_server_answers_for_all() -> None:
    async with house().open() as here:
        romeo = await here.log_in(ME)
        assert 'type="result"' in await romeo.ask(
            ask("test.localhost", payload="<ping xmlns='urn:xmpp:ping'/>")
        )
        private = "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>"
        assert "<service-unavailable " in await romeo.ask(ask("test.localhost", payload=private))


@pytest.mark.parametrize(
    "own",
    [DomainIq(Q, GET, name_host), AccountIq(Q, GET, Asker.OWNER, name_account)],
    ids=["domain", "account"],
)
def test_service_answers_by_itself_what_it_has_a_handler_for(own: DomainIq | AccountIq) -> None:
    shared = DomainIq(Q, frozenset({"get", "set"}), name_host, to_services=True)
    common = Module(name="common", summary="For all.", iqs=(shared,))
    host = hosts_of(parse_jid("localhost"), (common, module(own)))[USERS]
    assert host.domain[Q, "set", ""] == (common, shared)
    found = host.domain if isinstance(own, DomainIq) else host.accounts
    assert found[Q, "get", ""][1] is own
    assert ((Q, "get", "") in host.domain) == isinstance(own, DomainIq)


def test_two_services_of_one_name_are_a_fault() -> None:
    with pytest.raises(ModuleFaultError, match="two modules bring a service users"):
        hosts_of(parse_jid("localhost"), (module(), module(name="other")))


def test_two_handlers_of_a_service_for_one_request_are_a_fault() -> None:
    twice = module(DomainIq(Q, SET, name_host), DomainIq(Q, SET, name_host))
    with pytest.raises(ModuleFaultError, match="both handle set of q"):
        hosts_of(parse_jid("localhost"), (twice,))


def test_services_there_are_none_below_an_address() -> None:
    assert list(hosts_of(parse_jid("[::1]"), (module(),))) == ["[::1]"]
