"""Requests to server, accounts and resources, and their answers (RFC 6120 §8.2.3, RFC 6121 §8.5)."""

import re

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqError

from tests.support.raw_client import RawClient
from tests.support.server import RunningServer
from tests.support.slixmpp_client import PING, befriend, connected, on_asyncio, online

UNKNOWN = "<query xmlns='urn:example:unknown'/>"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"


@pytest.mark.parametrize("to", ["localhost", "localhost/server", None, "own"])
@on_asyncio
async def test_ping_of_server_and_own_account_is_answered(server: RunningServer, to: str | None) -> None:
    account = server.account()
    async with connected(server, account) as client:
        answer = await client.request(PING, to=account.jid if to == "own" else to)
        assert answer["type"] == "result"
        assert len(answer.xml) == 0
        expected = {"own": {account.jid}, None: {"", account.jid}}.get(to, {to})
        assert answer["from"].full in expected


@pytest.mark.parametrize("type", ["get", "set"])
@pytest.mark.parametrize("to", ["localhost", None, "own", "other", "other/gone", "nobody@localhost"])
@on_asyncio
async def test_unknown_request_is_refused_wherever_it_goes(
    server: RunningServer, to: str | None, type: str
) -> None:
    account, other = server.account(), server.account()
    address = None if to is None else to.replace("own", account.jid).replace("other", other.jid)
    async with connected(server, account) as client:
        condition = await client.refusal(UNKNOWN, to=address, type=type)  # type: ignore[arg-type] # it is one
        assert condition == "service-unavailable"


@on_asyncio
async def test_request_to_another_domain_is_refused(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        assert await client.refusal(PING, to="elsewhere.example") == "remote-server-not-found"


@on_asyncio
async def test_request_to_resource_is_answered_by_it_where_presence_is_shared(server: RunningServer) -> None:
    async with online(server, server.account(), "a") as one, online(server, server.account(), "b") as other:
        assert await one.refusal(PING, to=other.boundjid.full) == "service-unavailable"
        await befriend(one, other)
        other.plugin["xep_0092"].software_name = "a client"
        answer = await one.plugin["xep_0092"].get_version(other.boundjid)
        assert answer["from"] == other.boundjid
        assert answer["software_version"]["name"] == "a client"


@on_asyncio
async def test_request_to_own_other_resource_is_answered_by_it(server: RunningServer) -> None:
    account = server.account()
    async with online(server, account, "a") as one, online(server, account, "b") as other:
        answer = await one.request(PING, to=other.boundjid.full)
        assert answer["from"] == other.boundjid
        assert await one.refusal(UNKNOWN, to=other.boundjid.full) == "feature-not-implemented"


@pytest.mark.parametrize(
    "iq",
    [
        "<iq type='get' id='{id}'/>",
        "<iq type='set' id='{id}' to='localhost'/>",
        f"<iq type='get' id='{{id}}' to='localhost'>{PING}{PING}</iq>",
        f"<iq type='ask' id='{{id}}'>{PING}</iq>",
        f"<iq id='{{id}}'>{PING}</iq>",
        f"<iq type='get' to='localhost'>{PING}</iq>",
    ],
)
def test_iq_at_fault_is_refused_as_bad_request(server: RunningServer, iq: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        id_ = f"Ünique &amp; {server.unique()}"
        client.send(iq.format(id=id_))
        answer = client.read_until(rb"</iq>").decode()
        assert "type='error'" in answer
        assert "<bad-request " in answer
        assert ("id=" in iq) == (f"id='{id_}'" in answer)
        client.send("<iq type='get' id='next'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert "id='next'" in client.read_until(rb"<iq [^>]*>").decode()


def test_every_request_gets_one_answer_with_its_id(server: RunningServer) -> None:
    """A hundred at once, of every kind of addressee and outcome."""
    account = server.account()
    with RawClient(server, "c2s_tls") as client:
        client.log_in(account)
        addresses = ("", " to='localhost'", f" to='{account.jid}'", f" to='{account.jid}/raw2'")
        ids = {f"{kind}-{number}" for kind in range(8) for number in range(13)}
        for id_ in sorted(ids):
            kind = int(id_[0])
            payload = (PING, UNKNOWN)[kind % 2]
            client.send(f"<iq type='get' id='{id_}'{addresses[kind // 2]}>{payload}</iq>")
        answers = [client.read_until(rb"<iq [^>]*?type='(?:result|error)'[^>]*>") for _ in ids]
        found = [re.search(rb" id='([^']*)'", answer) for answer in answers]
        assert sorted(each[1].decode() for each in found if each) == sorted(ids)
        for to in addresses:
            client.send(f"<iq type='get' id='end'{to}>{PING}</iq>")
            assert b"id='end'" in client.read_until(rb"<iq [^>]*?>")  # and no second answer before it


def test_answer_to_no_request_is_not_answered(server: RunningServer) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as client:
        client.log_in(account)
        for to in ("", " to='localhost'", f" to='{account.jid}'", " to='nobody@localhost/gone'"):
            client.send(f"<iq type='result' id='stray'{to}/>")
            client.send(f"<iq type='error' id='stray'{to}><error type='cancel'/></iq>")
        client.send(f"<iq type='get' id='end' to='{account.jid}'>{PING}</iq>")
        received = client.read_until(rb"id='end'[^>]*>").decode()
        assert "stray" not in received


# -- what the server says of itself


@on_asyncio
async def test_disco_info_of_server_names_what_it_does(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        info = (await client.plugin["xep_0030"].get_info(jid=JID(server.domain)))["disco_info"]
        assert ("server", "im") in {(category, type) for category, type, *_ in info["identities"]}
        assert {DISCO_INFO, DISCO_ITEMS, "urn:xmpp:ping", "jabber:iq:version"} <= set(info["features"])


@on_asyncio
async def test_disco_items_of_server_is_answered(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        answer = await client.plugin["xep_0030"].get_items(jid=JID(server.domain))
        assert answer["type"] == "result"


@on_asyncio
async def test_disco_of_unknown_node_is_refused(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        for namespace in (DISCO_INFO, DISCO_ITEMS):
            query = f"<query xmlns='{namespace}' node='urn:example:no-such-node'/>"
            assert await client.refusal(query, to=server.domain) == "item-not-found"


@on_asyncio
async def test_disco_of_account_is_for_those_who_share_presence(server: RunningServer) -> None:
    account = server.account()
    async with online(server, account, "a") as owner, online(server, server.account(), "b") as other:
        info = (await owner.plugin["xep_0030"].get_info(jid=JID(account.jid)))["disco_info"]
        assert ("account", "registered") in {(category, type) for category, type, *_ in info["identities"]}
        with pytest.raises(IqError) as refused:
            await other.plugin["xep_0030"].get_info(jid=JID(account.jid))
        assert refused.value.condition == "service-unavailable"
        await befriend(owner, other)
        items = await other.plugin["xep_0030"].get_items(jid=JID(account.jid))
        assert {item[0] for item in items["disco_items"]["items"]} == {owner.boundjid.full}


@on_asyncio
async def test_version_of_server_is_told(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        answer = await client.plugin["xep_0092"].get_version(JID(server.domain))
        assert answer["software_version"]["name"] == "Trouper"
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", answer["software_version"]["version"])
