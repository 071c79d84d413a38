"""Clients over WebSocket among clients over TCP: the same conversations, whatever carries them (RFC 7395)."""

import re
from collections.abc import Awaitable, Callable

import pytest
import trio
from slixmpp import JID

from tests.support.raw_client import RawClient
from tests.support.server import Account, RunningServer
from tests.support.slixmpp_client import Contact, on_asyncio, online
from tests.support.websocket_client import WebSocketClient, websocket_client

CLIENT = "xmlns='jabber:client'"
ROSTER_GET = f"<iq {CLIENT} type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"

FROM_HIM = "Но тише! Что за свет блеснул в окне? 🌅"
FROM_HER = "رومیو! چرا «رومیو» هستی؟ e\N{COMBINING ACUTE ACCENT} 👩‍🚀"


async def both(web: Callable[[], Awaitable[None]], tcp: Callable[[], None]) -> None:
    """Play two parts at a time: one on Trio, one in a thread of its own."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(web)
        nursery.start_soon(trio.to_thread.run_sync, tcp)


async def test_client_over_tcp_and_client_over_websocket_find_each_other_and_talk(
    server: RunningServer,
) -> None:
    """Subscription both ways, presence both ways, chat both ways, and the end of it."""
    romeo, juliet = server.account(), server.account()

    @on_asyncio
    async def he() -> None:
        async with online(server, romeo, "orchard") as client:
            client.send_presence_subscription(pto=juliet.jid)
            await client.presence("subscribed", juliet.jid)
            await client.presence("available", f"{juliet.jid}/balcony")
            await client.presence("subscribe", juliet.jid)
            client.send_presence_subscription(pto=juliet.jid, ptype="subscribed")
            message = await client.message()
            assert message["body"] == FROM_HER
            assert message["from"].full == f"{juliet.jid}/balcony"
            client.send_message(JID(juliet.jid), FROM_HIM, mtype="chat")
            client.send_presence(pshow="away", pstatus="hidden 🌳")
            await client.presence("unavailable", f"{juliet.jid}/balcony")
            assert await client.roster_items() == {juliet.jid: Contact("both")}

    async def she() -> None:
        async with websocket_client(server) as client:
            assert await client.log_in(juliet, "balcony") == f"{juliet.jid}/balcony"
            await client.send(ROSTER_GET)
            await client.send(f"<presence {CLIENT}/>")
            await client.read_until(presence("subscribe", romeo.jid))
            await send_presence(client, "subscribed", romeo)
            await send_presence(client, "subscribe", romeo)
            await client.read_until(presence("subscribed", romeo.jid))
            await client.read_until(f"^<presence [^>]*from='{romeo.jid}/orchard'")
            await client.send(
                f"<message {CLIENT} to='{romeo.jid}/orchard' type='chat'><body>{FROM_HER}</body></message>"
            )
            assert f">{FROM_HIM}<" in await client.read_until("^<message ")
            away = await client.read_until("<show>away</show>")
            assert "<status>hidden 🌳</status>" in away
            await client.close_stream()

    await both(she, he)


def presence(type: str, sender: str) -> str:
    """A pattern for presence of this type; attributes come as their sender wrote them."""
    return f"^<presence (?=[^>]*type=['\"]{type}['\"])(?=[^>]*from='{re.escape(sender)}')"


async def send_presence(client: WebSocketClient, type: str, to: Account) -> None:
    await client.send(f"<presence {CLIENT} to='{to.jid}' type='{type}'/>")


async def test_offline_message_is_delivered_over_websocket_with_its_delay(server: RunningServer) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as sender:
        sender.log_in(server.account())
        sender.send(f"<message to='{account.jid}' type='chat'><body>早安</body></message>")
        sender.send(f"<iq to='{account.jid}' type='get' id='stored'><ping xmlns='urn:xmpp:ping'/></iq>")
        sender.read_until(rb"<iq [^>]*id='stored'")
    for expected in (True, False):
        async with websocket_client(server) as client:
            await client.log_in(account)
            await client.send(f"<presence {CLIENT}/>")
            await client.send(f"<message {CLIENT} to='{account.jid}'><body>end</body></message>")
            message = await client.read_until("^<message ")
            assert (">早安<" in message) is expected
            assert ("<delay xmlns='urn:xmpp:delay'" in message) is expected
            await client.close_stream()


async def test_older_client_over_websocket_is_closed_by_newer_over_tcp(server: RunningServer) -> None:
    account = server.account()
    async with websocket_client(server) as older:
        await older.log_in(account, "balcony")
        with RawClient(server, "c2s_tls") as newer:
            await trio.to_thread.run_sync(newer.log_in, account, "balcony")
            assert "<conflict " in await older.read()
            assert (await older.read()).startswith("<close ")


async def test_older_client_over_tcp_is_closed_by_newer_over_websocket(server: RunningServer) -> None:
    account = server.account()
    with RawClient(server, "c2s_tls") as older:
        older.log_in(account, "balcony")
        async with websocket_client(server) as newer:
            await newer.log_in(account, "balcony")
            assert b"<conflict " in await trio.to_thread.run_sync(older.read_to_end)
            await newer.close_stream()


@pytest.mark.parametrize("is_sender", [True, False])
async def test_order_of_bare_then_full_address_holds_over_websocket(
    server: RunningServer, is_sender: bool
) -> None:
    web, tcp = server.account(), server.account()
    total = 400

    def message(to: Account, resource: str, number: int) -> str:
        address = to.jid if number % 2 == 0 else f"{to.jid}/{resource}"
        return f"<message {CLIENT} to='{address}' type='chat'><body>{number}.</body></message>"

    async with websocket_client(server) as client:
        with RawClient(server, "c2s_tls") as other:
            await client.log_in(web, "web")
            await client.become_available()
            other.log_in(tcp, "tcp")
            other.become_available()
            if is_sender:
                for number in range(total):
                    await client.send(message(tcp, "tcp", number))
                received = [other.read_until(rb"</message>").decode() for _ in range(total)]
            else:
                other.send("".join(message(web, "web", number) for number in range(total)))
                received = [await client.read() for _ in range(total)]
        numbers = [re.findall(r"<body>(\d+)\.</body>", each) for each in received]
        assert numbers == [[str(number)] for number in range(total)]
        await client.close_stream()
