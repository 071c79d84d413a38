"""The roster as clients see it: get, set, remove, push and versions (RFC 6121 §2)."""

import pytest

from tests.support.server import RunningServer
from tests.support.slixmpp_client import Client, Contact, befriend, connected, contacts, on_asyncio, online

ROMEO = "romeo@montague.example"
NURSE = "nurse@capulet.example"


def roster_set(item: str) -> str:
    return f"<query xmlns='jabber:iq:roster'>{item}</query>"


async def version(client: Client) -> str:
    answer = await client.request("<query xmlns='jabber:iq:roster'/>")
    return answer.xml[0].attrib["ver"]


@on_asyncio
async def test_roster_of_new_account_is_empty(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        assert await client.roster_items() == {}


@on_asyncio
async def test_roster_set_is_kept_and_pushed_to_who_asked_for_the_roster(server: RunningServer) -> None:
    account = server.account()
    async with (
        connected(server, account, "a") as setting,
        connected(server, account, "b") as interested,
        connected(server, account, "c") as other,
    ):
        await setting.roster_items()
        await interested.roster_items()
        item = (
            f"<item jid='{ROMEO}' name='Ромео &amp; 🌹'><group>Друзья</group><group>a &lt; b</group></item>"
        )
        await setting.request(roster_set(item), type="set")
        romeo = Contact("none", "Ромео & 🌹", ("Друзья", "a < b"))
        for client in (setting, interested):
            assert await client.push() == romeo
        assert await other.roster_items() == {ROMEO: romeo}
        assert other.unexpected == []


@on_asyncio
async def test_roster_set_replaces_name_and_groups(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        await client.request(roster_set(f"<item jid='{ROMEO}' name='R'><group>G</group></item>"), type="set")
        await client.request(roster_set(f"<item jid='{ROMEO}' subscription='both'/>"), type="set")
        assert await client.roster_items() == {ROMEO: Contact("none")}


@on_asyncio
async def test_roster_remove_is_pushed_and_lasts(server: RunningServer) -> None:
    account = server.account()
    async with connected(server, account) as client:
        await client.roster_items()
        for jid in (ROMEO, NURSE):
            await client.request(roster_set(f"<item jid='{jid}'/>"), type="set")
            assert (await client.push()).subscription == "none"
        await client.request(roster_set(f"<item jid='{ROMEO}' subscription='remove'/>"), type="set")
        assert await client.push() == Contact("remove")
    async with connected(server, account) as client:
        assert await client.roster_items() == {NURSE: Contact("none")}


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        (roster_set(f"<item jid='{ROMEO}'/><item jid='{NURSE}'/>"), "bad-request"),
        (roster_set(""), "bad-request"),
        (roster_set("<item/>"), "bad-request"),
        (roster_set("<item jid='@montague.example'/>"), "bad-request"),
        (roster_set(f"<item jid='{ROMEO}'><group>G</group><group>G</group></item>"), "bad-request"),
        (roster_set(f"<item jid='{ROMEO}'><group/></item>"), "not-acceptable"),
        (roster_set(f"<item jid='{ROMEO}' name='{'n' * 1_024}'/>"), "not-acceptable"),
        (roster_set(f"<item jid='{ROMEO}' subscription='remove'/>"), "item-not-found"),
    ],
)
@on_asyncio
async def test_roster_set_at_fault_is_refused_and_changes_nothing(
    server: RunningServer, payload: str, condition: str
) -> None:
    async with connected(server, server.account()) as client:
        assert await client.refusal(payload, type="set") == condition
        assert await client.roster_items() == {}
        await client.settle()
        assert client.unexpected == []


@on_asyncio
async def test_roster_of_others_is_forbidden(server: RunningServer) -> None:
    owner, stranger = server.account(), server.account()
    async with connected(server, owner) as client, connected(server, stranger) as other:
        assert await other.refusal(roster_set(""), to=owner.jid) == "forbidden"
        set_ = roster_set(f"<item jid='{ROMEO}'/>")
        assert await other.refusal(set_, to=owner.jid, type="set") == "forbidden"
        assert await client.roster_items() == {}


@on_asyncio
async def test_roster_get_with_current_version_brings_nothing(server: RunningServer) -> None:
    async with connected(server, server.account()) as client:
        await client.request(roster_set(f"<item jid='{ROMEO}'/>"), type="set")
        known = await version(client)
        client.forget()
        answer = await client.request(f"<query xmlns='jabber:iq:roster' ver='{known}'/>")
        assert len(answer.xml) == 0
        await client.settle()
        assert client.unexpected == []


@on_asyncio
async def test_roster_get_with_older_version_brings_asker_the_changes_only(server: RunningServer) -> None:
    account = server.account()
    async with connected(server, account, "a") as client, connected(server, account, "b") as other:
        for jid in (ROMEO, NURSE):
            await client.request(roster_set(f"<item jid='{jid}'/>"), type="set")
        known = await version(other)
        await client.request(roster_set(f"<item jid='{ROMEO}' subscription='remove'/>"), type="set")
        await client.request(roster_set("<item jid='tybalt@capulet.example' name='T'/>"), type="set")
        await other.settle()
        other.forget()
        answer = await client.request(f"<query xmlns='jabber:iq:roster' ver='{known}'/>")
        changes = contacts(answer)
        if not changes:
            changes = {"first": await client.push(), "second": await client.push()}
        assert [each.subscription for each in changes.values()] == ["remove", "none"]
        await other.settle()
        assert other.unexpected == []


@pytest.mark.parametrize("known", ["", "999999", "what", "-1", "1e3"])
@on_asyncio
async def test_roster_get_with_unknown_version_brings_all(server: RunningServer, known: str) -> None:
    async with connected(server, server.account()) as client:
        await client.request(roster_set(f"<item jid='{ROMEO}'/>"), type="set")
        answer = await client.request(f"<query xmlns='jabber:iq:roster' ver='{known}'/>")
        assert contacts(answer) == {ROMEO: Contact("none")}


@on_asyncio
async def test_roster_remove_ends_subscriptions_both_ways(server: RunningServer) -> None:
    one, other = server.account(), server.account()
    async with online(server, one, "x") as client, online(server, other, "y") as contact:
        await befriend(client, contact)
        await contact.roster_items()
        await client.request(roster_set(f"<item jid='{other.jid}' subscription='remove'/>"), type="set")
        await contact.presence("unavailable", client.boundjid.full)
        assert (await contact.push()).subscription in {"to", "from"}
        assert (await contact.push()).subscription == "none"
        assert await client.roster_items() == {}
        assert await contact.roster_items() == {one.jid: Contact("none")}
        contact.forget()
        client.send_presence(pstatus="after the end")
        await client.settle()
        await contact.settle()
        assert contact.unexpected == []
