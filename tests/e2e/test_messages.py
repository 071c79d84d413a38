"""Messages between real clients: addresses, scripts, priorities, and what waits for who is away."""

from datetime import UTC, datetime, timedelta

import pytest
from slixmpp import Message

from tests.support.raw_client import RawClient
from tests.support.server import RunningServer
from tests.support.slixmpp_client import Client, connected, on_asyncio, online

DELAY = "{urn:xmpp:delay}delay"

TEXTS = (
    "plain",
    "😀 👩‍👩‍👧‍👦 🏳️‍🌈",
    "e\N{COMBINING ACUTE ACCENT} is not é",
    "שלום \N{RIGHT-TO-LEFT MARK}(עולם)",
    "日本語\n\tтекст ünd <tags> & 'quotes' \"all\"",
    "]]> \N{ZERO WIDTH JOINER}\N{REPLACEMENT CHARACTER} 𝄞",
)


def say(client: Client, to: object, body: str, type: str = "chat") -> None:
    client.send_message(to, body, mtype=type)  # type: ignore[arg-type] # takes any of its own types


def bodies(client: Client) -> list[str]:
    """The messages that have come and that nobody has expected."""
    return [each["body"] for each in client.unexpected if isinstance(each, Message)]


async def settle_all(*clients: Client) -> None:
    for client in (*clients, *clients):
        await client.settle()


@on_asyncio
async def test_chat_both_ways_in_every_script(server: RunningServer) -> None:
    async with online(server, server.account(), "a") as one, online(server, server.account(), "b") as other:
        for text in TEXTS:
            for sender, recipient in ((one, other), (other, one)):
                for address in (recipient.boundjid.full, recipient.boundjid.bare):
                    say(sender, address, text)
                    message = await recipient.message()
                    assert message["body"] == text
                    assert message["from"] == sender.boundjid
                    assert message["to"].full == address
                    assert message["type"] == "chat"


@on_asyncio
async def test_chat_between_names_of_other_scripts(server: RunningServer) -> None:
    first, second = server.account(f"Юлия{server.unique()}"), server.account(f"ジュリエット{server.unique()}")
    async with online(server, first, "бал кон ☎") as one, online(server, second, "a'b") as other:
        assert one.boundjid.username == first.username.lower()
        say(one, other.boundjid.full, "hello")
        message = await other.message()
        assert message["from"].full == f"{first.jid.lower()}/бал кон ☎"
        say(other, message["from"], "hello yourself")
        assert (await one.message())["from"].full == f"{second.jid}/a'b"


def test_message_is_passed_on_as_it_came(server: RunningServer) -> None:
    """Unknown children, their order and their prefixes included; its `from` is stamped and its id stays."""
    account = server.account()
    inside = (
        "<subject xml:lang='de'>Betreff</subject><subject>subject</subject><thread parent='p'>t</thread>"
        "<x xmlns='urn:example:a' b='1' c=\"2\"><y:z xmlns:y='urn:example:b'>&lt;&#x1F339;&amp;</y:z></x>"
        "<body/><![CDATA[<raw>]]><body xml:lang='fr'>corps</body>"
    )
    with RawClient(server, "c2s_tls") as one, RawClient(server, "c2s_tls") as other:
        address = one.log_in(account, "one")
        sender = other.log_in(account, "other")
        other.send(f"<message to='{address}' id='Ä1' type='chat' xml:lang='en'>{inside}</message>")
        received = one.read_until(rb"</message>").decode()
        start, _, rest = received.partition(">")
        assert rest == f"{inside}</message>"
        assert f"from='{sender}'" in start
        assert "id='Ä1'" in start


@on_asyncio
async def test_message_without_to_comes_back_to_the_account(server: RunningServer) -> None:
    async with online(server, server.account(), "a") as client:
        message = client.make_message(None, "to myself")  # type: ignore[arg-type] # that is the test
        del message["to"]
        message.send()
        assert (await client.message())["body"] == "to myself"


# -- priorities


@on_asyncio
async def test_message_to_account_goes_to_highest_priority_only(server: RunningServer) -> None:
    """The example of RFC 6121 §8.5.2.1.1: the balcony (2) beats the chamber (1)."""
    account = server.account()
    async with (
        online(server, account, "balcony", priority=2) as balcony,
        online(server, account, "chamber", priority=1) as chamber,
        online(server, server.account(), "x") as sender,
    ):
        say(sender, account.jid, "to the balcony")
        assert (await balcony.message())["body"] == "to the balcony"
        await settle_all(sender, chamber)
        assert bodies(chamber) == []

        await chamber.become_available(priority=3)
        say(sender, account.jid, "to the chamber")
        assert (await chamber.message())["body"] == "to the chamber"
        await settle_all(sender, balcony)
        assert bodies(balcony) == []


@on_asyncio
async def test_message_to_account_goes_to_all_of_highest_priority(server: RunningServer) -> None:
    account = server.account()
    async with (
        online(server, account, "a", priority=5) as one,
        online(server, account, "b", priority=5) as other,
        online(server, account, "c", priority=4) as lower,
        online(server, server.account(), "x") as sender,
    ):
        say(sender, account.jid, "to both")
        assert (await one.message())["body"] == (await other.message())["body"] == "to both"
        await settle_all(sender, lower)
        assert bodies(lower) == []


@on_asyncio
async def test_negative_priority_gets_nothing_for_the_account(server: RunningServer) -> None:
    """It is stored; what is for its full address it gets."""
    account = server.account()
    async with (
        online(server, account, "shy", priority=-1) as shy,
        online(server, server.account(), "x") as sender,
    ):
        say(sender, account.jid, "for the account")
        say(sender, shy.boundjid.full, "for the resource")
        assert (await shy.message())["body"] == "for the resource"
        await settle_all(sender, shy)
        assert bodies(shy) == []
        await shy.become_available(priority=0)
        assert (await shy.message())["body"] == "for the account"


@on_asyncio
async def test_connected_resource_without_presence_gets_what_is_for_it_alone(server: RunningServer) -> None:
    account = server.account()
    async with connected(server, account, "mute") as mute, connected(server, server.account()) as sender:
        say(sender, mute.boundjid.full, "for the resource")
        say(sender, account.jid, "for the account")
        assert (await mute.message())["body"] == "for the resource"
        await settle_all(sender, mute)
        assert bodies(mute) == []


@on_asyncio
async def test_headline_goes_to_all_resources_not_negative(server: RunningServer) -> None:
    account = server.account()
    async with (
        online(server, account, "a", priority=5) as high,
        online(server, account, "b", priority=0) as low,
        online(server, account, "c", priority=-1) as negative,
        online(server, server.account(), "x") as sender,
    ):
        say(sender, account.jid, "news", "headline")
        assert (await high.message())["body"] == (await low.message())["body"] == "news"
        await settle_all(sender, negative)
        assert bodies(negative) == []


# -- offline


@on_asyncio
async def test_offline_messages_are_delivered_once_with_their_delay(server: RunningServer) -> None:
    """In their order, of the kinds that are kept, to the first login and no other."""
    account = server.account()
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with online(server, server.account(), "x") as sender:
        for number, text in enumerate(TEXTS):
            say(sender, account.jid, text, ("chat", "normal")[number % 2])
        await sender.has_reached(account.jid)
        async with online(server, account, "a") as client:
            for text in TEXTS:
                message = await client.message()
                assert message["body"] == text
                assert message["from"] == sender.boundjid
                delays = message.xml.findall(DELAY)
                assert [delay.get("from") for delay in delays] == [server.domain]
                stamp = datetime.fromisoformat(delays[0].attrib["stamp"])
                assert delays[0].attrib["stamp"].endswith("Z")
                assert before <= stamp <= datetime.now(UTC) + timedelta(seconds=1)
            await client.settle()
            assert bodies(client) == []
        async with online(server, account, "a") as client:
            say(sender, account.jid, "live")
            message = await client.message()
            assert message["body"] == "live"
            assert message.xml.find(DELAY) is None


@on_asyncio
async def test_offline_message_for_resource_that_has_gone_is_kept(server: RunningServer) -> None:
    account = server.account()
    async with online(server, server.account(), "x") as sender:
        say(sender, f"{account.jid}/gone", "where are you?")
        await sender.has_reached(account.jid)
        async with online(server, account, "a") as client:
            assert (await client.message())["body"] == "where are you?"


@on_asyncio
async def test_chat_state_alone_is_not_kept(server: RunningServer) -> None:
    account = server.account()
    async with online(server, server.account(), "x") as sender:
        sender.send_raw(
            f"<message to='{account.jid}' type='chat'>"
            "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
        )
        say(sender, account.jid, "written")
        await sender.has_reached(account.jid)
        async with online(server, account, "a") as client:
            assert (await client.message())["body"] == "written"
            await client.settle()
            assert client.unexpected == []


# -- errors


@pytest.mark.parametrize(
    ("name", "type", "condition"),
    [
        ("nobody-{unique}@localhost", "chat", "service-unavailable"),
        ("nobody-{unique}@localhost/gone", "normal", "service-unavailable"),
        ("{known}", "groupchat", "service-unavailable"),
        ("{known}/gone", "headline", "service-unavailable"),
        ("{known}/gone", "normal", "service-unavailable"),
        ("somebody@elsewhere.example", "chat", "remote-server-not-found"),
    ],
)
@on_asyncio
async def test_message_that_goes_nowhere_comes_back(
    server: RunningServer, name: str, type: str, condition: str
) -> None:
    address = name.format(unique=server.unique(), known=server.account().jid)
    async with online(server, server.account(), "x") as sender:
        say(sender, address, "hello?", type)
        error = await sender.message()
        assert error["type"] == "error"
        assert error["from"].full == address
        assert error["error"]["condition"] == condition


@on_asyncio
async def test_error_that_goes_nowhere_is_not_answered(server: RunningServer) -> None:
    known = server.account()
    async with online(server, server.account(), "x") as sender:
        for address in (f"nobody-{server.unique()}@localhost", f"{known.jid}/gone", "a@elsewhere.example"):
            say(sender, address, "an error", "error")
        await settle_all(sender)
        assert sender.unexpected == []
