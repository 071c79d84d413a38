"""XEP-0094: agents are what the server hosts, told with what old clients know to use."""

import pytest

from actors.module import Identity, Module, Service
from actors.modules import mod_agents
from tests.actors.house import House
from tests.actors.house_client import said

HOSTS = Module(
    name="hosts",
    summary="Hosts.",
    identities=(Identity("server", "im", "S & T"),),
    features=("jabber:iq:register", "urn:x"),
    services=(
        Service("users", (Identity("directory", "user", "Who"),), ("jabber:iq:search", "jabber:iq:register")),
        Service("rooms", (Identity("pubsub", "pep"), Identity("conference", "text", "<MUC>"))),
        Service("irc", (Identity("gateway", "irc"),), ("jabber:iq:gateway",)),
        Service("x", (Identity("component", "generic"),)),
    ),
)


def ask(kind: str, type: str = "get", to: str = "localhost") -> str:
    return f"<iq type='{type}' id='a' to='{to}'><query xmlns='jabber:iq:{kind}'/></iq>"


def told(kind: str, content: str) -> list[str]:
    return said(
        "<iq type='result' id='a' from='localhost' to='romeo@localhost/orchard'>"
        f"<query xmlns='jabber:iq:{kind}'>{content}</query></iq>"
    )


async def test_agents_are_what_the_server_hosts() -> None:
    async with House(modules=(mod_agents.MODULE, HOSTS)).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert [await romeo.ask(ask("agents"))] == told(
            "agents",
            "<agent jid='users.localhost'><name>Who</name><service>jud</service><register/><search/></agent>"
            "<agent jid='rooms.localhost'><name>&lt;MUC></name><groupchat/><service>public</service></agent>"
            "<agent jid='irc.localhost'><transport/><service>irc</service></agent>"
            "<agent jid='x.localhost'/>",
        )


async def test_agent_is_the_server_itself() -> None:
    async with House(modules=(mod_agents.MODULE, HOSTS)).open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert [await romeo.ask(ask("agent"))] == told(
            "agent", "<name>S &amp; T</name><service>jabber</service><register/>"
        )
        said_of_users = "<name>Who</name><service>jud</service><register/><search/>"
        asked = await romeo.ask(ask("agent", to="users.localhost"))
        assert [asked.replace("users.localhost", "localhost")] == told("agent", said_of_users)


@pytest.mark.parametrize("kind", ["agent", "agents"])
async def test_agents_cannot_be_set(kind: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert 'code="405"' in await romeo.ask(ask(kind, "set"))


@pytest.mark.parametrize("kind", ["agent", "agents"])
async def test_agents_are_no_business_of_accounts(kind: str) -> None:
    async with House().open() as house:
        romeo = await house.log_in("romeo@localhost/orchard")
        assert "<service-unavailable " in await romeo.ask(ask(kind, to="romeo@localhost"))
