"""Presence and subscriptions between real clients (RFC 6121 §3, §4)."""

from typing import Literal

import pytest
from slixmpp import Presence

from tests.support.server import Account, RunningServer
from tests.support.slixmpp_client import Client, Contact, befriend, connected, on_asyncio, online

Subscription = Literal["subscribe", "subscribed", "unsubscribe", "unsubscribed"]


def subscription(client: Client, type: Subscription, to: Account) -> None:
    client.send_presence_subscription(pto=to.jid, ptype=type)


async def in_roster(client: Client, account: Account) -> Contact | None:
    return (await client.roster_items()).get(account.jid)


async def settle_all(*clients: Client) -> None:
    """Whatever the first has caused has come to the others too."""
    for client in (*clients, *clients):
        await client.settle()


@on_asyncio
async def test_subscription_is_asked_approved_and_mutual(server: RunningServer) -> None:
    romeo, juliet = server.account(), server.account()
    async with online(server, romeo, "orchard") as he, online(server, juliet, "balcony") as she:
        subscription(he, "subscribe", juliet)
        assert await he.push() == Contact("none", ask="subscribe")
        request = await she.presence("subscribe", romeo.jid)
        assert request["from"].full == romeo.jid
        assert await in_roster(she, romeo) is None

        subscription(she, "subscribed", romeo)
        assert await she.push() == Contact("from")
        assert (await he.next())["type"] == "subscribed"  # before the push: RFC 6121 §3.1.6
        assert await he.push() == Contact("to")
        await he.presence("available", f"{juliet.jid}/balcony")

        subscription(she, "subscribe", romeo)
        assert await she.push() == Contact("from", ask="subscribe")
        await he.presence("subscribe", juliet.jid)
        subscription(he, "subscribed", juliet)
        assert await he.push() == Contact("both")
        await she.presence("subscribed", romeo.jid)
        assert await she.push() == Contact("both")
        await she.presence("available", f"{romeo.jid}/orchard")

        await settle_all(he, she)
        assert he.unexpected == she.unexpected == []


@on_asyncio
async def test_presence_goes_both_ways_with_show_and_status(server: RunningServer) -> None:
    async with online(server, server.account(), "a") as one, online(server, server.account(), "b") as other:
        await befriend(one, other)
        for sender, hearer, show, status in (
            (one, other, "away", "在洗澡 🛁"),
            (other, one, "dnd", "לא עכשיו"),
            (one, other, "xa", "e\N{COMBINING ACUTE ACCENT}tude"),
            (other, one, "chat", ""),
        ):
            sender.send_presence(pshow=show, pstatus=status)
            presence = await hearer.presence("available", sender.boundjid.full)
            assert (presence["show"], presence["status"]) == (show, status)
            assert presence["to"].bare == hearer.boundjid.bare


@on_asyncio
async def test_newcomer_learns_who_is_there_and_they_learn_of_it(server: RunningServer) -> None:
    early, late = server.account(), server.account()
    async with online(server, early, "a") as one:
        async with online(server, late, "b") as other:
            await befriend(one, other)
        await one.presence("unavailable", f"{late.jid}/b")
        one.send_presence(pshow="away", pstatus="still here")
        async with connected(server, late, "c") as other:
            await other.become_available()
            presence = await other.presence("available", f"{early.jid}/a")
            assert (presence["show"], presence["status"]) == ("away", "still here")
            await one.presence("available", f"{late.jid}/c")


@on_asyncio
async def test_own_resources_learn_of_each_other(server: RunningServer) -> None:
    account = server.account()
    async with online(server, account, "a") as one, online(server, account, "b") as other:
        await one.presence("available", other.boundjid.full)
        await other.presence("available", one.boundjid.full)
        one.send_presence(pshow="away")
        assert (await other.presence("available", one.boundjid.full))["show"] == "away"


@pytest.mark.parametrize("end", ["unavailable", "stream closed", "connection lost"])
@on_asyncio
async def test_end_of_presence_is_told_once(server: RunningServer, end: str) -> None:
    async with online(server, server.account(), "a") as one, online(server, server.account(), "b") as other:
        await befriend(one, other)
        match end:
            case "unavailable":
                one.send_presence(ptype="unavailable", pstatus="good night")
            case "stream closed":
                await one.leave()
            case _:
                one.break_off()
        presence = await other.presence("unavailable", one.boundjid.full)
        assert presence["status"] == ("good night" if end == "unavailable" else "")
        await one.leave()
        await other.settle()
        assert other.unexpected == []


@on_asyncio
async def test_request_to_somebody_away_is_told_at_each_login_until_answered(server: RunningServer) -> None:
    asking, asked = server.account(), server.account()
    async with online(server, asking, "a") as one:
        subscription(one, "subscribe", asked)
        await one.settle()
        for resource in ("first", "second"):
            async with online(server, asked, resource) as other:
                await other.presence("subscribe", asking.jid)
        async with online(server, asked, "third") as other:
            await other.presence("subscribe", asking.jid)
            subscription(other, "subscribed", asking)
            await one.presence("available", other.boundjid.full)
        async with online(server, asked, "fourth") as other:
            await other.settle()
            assert [each for each in other.unexpected if each["type"] == "subscribe"] == []


@on_asyncio
async def test_request_denied_leaves_nothing(server: RunningServer) -> None:
    asking, asked = server.account(), server.account()
    async with online(server, asking, "a") as one, online(server, asked, "b") as other:
        subscription(one, "subscribe", asked)
        await other.presence("subscribe", asking.jid)
        subscription(other, "unsubscribed", asking)
        await one.presence("unsubscribed", asked.jid)
        assert await in_roster(one, asked) == Contact("none")
        assert await in_roster(other, asking) is None
        await settle_all(other, one)
        assert [each for each in one.unexpected if isinstance(each, Presence)] == []


@on_asyncio
async def test_unsubscribe_ends_one_direction(server: RunningServer) -> None:
    leaving, contact = server.account(), server.account()
    async with online(server, leaving, "a") as one, online(server, contact, "b") as other:
        await befriend(one, other)
        subscription(one, "unsubscribe", contact)
        await one.presence("unavailable", other.boundjid.full)
        await other.presence("unsubscribe", leaving.jid)
        assert await in_roster(one, contact) == Contact("from")
        assert await in_roster(other, leaving) == Contact("to")
        one.forget()
        other.send_presence(pstatus="not for you")
        one.send_presence(pstatus="still for you")
        await other.presence("available", one.boundjid.full)
        await one.presence("available", one.boundjid.full)  # every client sees its own
        await settle_all(other, one)
        assert one.unexpected == []


@on_asyncio
async def test_subscription_cancelled_ends_other_direction(server: RunningServer) -> None:
    cancelling, contact = server.account(), server.account()
    async with online(server, cancelling, "a") as one, online(server, contact, "b") as other:
        await befriend(one, other)
        subscription(one, "unsubscribed", contact)
        await other.presence("unavailable", one.boundjid.full)
        await other.presence("unsubscribed", cancelling.jid)
        assert await in_roster(one, contact) == Contact("to")
        assert await in_roster(other, cancelling) == Contact("from")


@on_asyncio
async def test_preapproved_request_is_approved_at_once(server: RunningServer) -> None:
    asking, asked = server.account(), server.account()
    async with online(server, asking, "a") as one, online(server, asked, "b") as other:
        subscription(other, "subscribed", asking)
        await other.settle()
        assert await in_roster(other, asking) == Contact("none", approved="true")
        subscription(one, "subscribe", asked)
        await one.presence("subscribed", asked.jid)
        await one.presence("available", other.boundjid.full)
        await other.settle()
        assert [each for each in other.unexpected if each["type"] == "subscribe"] == []
        contact = await in_roster(other, asking)
        assert contact is not None
        assert contact.subscription == "from"


@on_asyncio
async def test_directed_presence_is_taken_back_at_the_end(server: RunningServer) -> None:
    async with (
        online(server, server.account(), "a") as one,
        online(server, server.account(), "b") as stranger,
    ):
        one.send_presence(pto=stranger.boundjid.full, pstatus="just for you")
        presence = await stranger.presence("available", one.boundjid.full)
        assert presence["status"] == "just for you"
        one.send_presence(pshow="away")
        await settle_all(one, stranger)
        assert stranger.unexpected == []
        one.break_off()
        await stranger.presence("unavailable", one.boundjid.full)


@on_asyncio
async def test_probe_by_stranger_tells_nothing(server: RunningServer) -> None:
    account = server.account()
    async with online(server, server.account(), "a") as stranger, online(server, account, "b"):
        stranger.send_presence(pto=account.jid, ptype="probe")
        await settle_all(stranger)
        assert stranger.unexpected == []


@on_asyncio
async def test_priority_out_of_range_is_refused(server: RunningServer) -> None:
    async with connected(server, server.account(), "a") as client:
        for priority in ("128", "-129", "high"):
            presence = client.make_presence()
            priority_element = presence.xml.makeelement("{jabber:client}priority", {})
            priority_element.text = priority
            presence.xml.append(priority_element)
            presence.send()
            error = await client.next()
            assert error["type"] == "error"
            assert error["error"]["condition"] == "bad-request"
