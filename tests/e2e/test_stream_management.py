"""Stream management on the wire (XEP-0198): offered, enabled, acknowledged both ways, resumed."""

import re
from xml.etree import ElementTree as ET

import pytest

from tests.support.managed_client import CLIENT, SM, ManagedClient, Refused, child
from tests.support.raw_client import RawClient
from tests.support.server import Account, RunningServer
from tests.support.websocket_client import WebSocketClient, websocket_client

FEATURE = f"<sm xmlns='{SM}'>".encode()
RESUME_SECONDS = 600
"""The default of `limits.resume_seconds_max`."""


def bodies(elements: list[ET.Element]) -> list[str]:
    """The bodies of the messages among these."""
    return [child(each, "body") or "" for each in elements if each.tag == f"{{{CLIENT}}}message"]


def managed(
    server: RunningServer, account: Account | None = None, resource: str = "managed"
) -> ManagedClient:
    """A client with a managed stream that is available."""
    client = ManagedClient(server, account or server.account(), resource).log_in()
    client.become_available()
    return client


def say_while_away(server: RunningServer, to: str, texts: list[str]) -> None:
    """Somebody else writes, and the server has dealt with it."""
    with RawClient(server, "c2s_tls") as other:
        other.log_in(server.account(), "other")
        for text in texts:
            other.send(f"<message to='{to}' type='chat'><body>{text}</body></message>")
        bare = to.partition("/")[0]
        other.send(f"<iq type='get' to='{bare}' id='dealt'><ping xmlns='urn:xmpp:ping'/></iq>")
        other.read_until(rb"<iq [^>]*id='dealt'")


# -- enabling


@pytest.mark.parametrize("way", ["c2s", "c2s_tls"])
def test_feature_is_offered_behind_the_log_in_only(server: RunningServer, way: str) -> None:
    account = server.account()
    with RawClient(server, way) as client:
        assert FEATURE[:-1] not in client.secure()
        assert b"<success" in client.attempt_plain(account.username, account.password)
        assert FEATURE[:-1] in client.open_stream()


def test_enable_with_resumption_tells_id_and_time(server: RunningServer) -> None:
    account = server.account()
    with (
        ManagedClient(server, account, "one").log_in() as one,
        ManagedClient(server, account, "other").log_in() as other,
    ):
        assert one.seconds == other.seconds == RESUME_SECONDS
        assert one.sm_id is not None
        assert other.sm_id is not None
        assert one.sm_id != other.sm_id
        assert min(len(one.sm_id), len(other.sm_id)) >= 20  # nobody guesses it


@pytest.mark.parametrize(("asked", "told"), [("5", 5), ("1", 1), ("100000", RESUME_SECONDS)])
def test_enable_with_max_gets_no_more_than_it_asks_for(server: RunningServer, asked: str, told: int) -> None:
    with ManagedClient(server, server.account()).log_in(f"resume='1' max='{asked}'") as client:
        assert client.seconds == told


@pytest.mark.parametrize("request_", ["", "resume='false'", "resume='0' max='60'"])
def test_enable_without_resumption_tells_neither_id_nor_time(server: RunningServer, request_: str) -> None:
    with ManagedClient(server, server.account()).log_in(request_) as client:
        assert client.sm_id is None
        assert client.seconds is None
        client.say(client.address, "hello")
        assert client.message() == "hello"
        client.wait_acknowledged()


# -- acknowledging


def test_server_acknowledges_what_it_has_handled_and_no_nonza(server: RunningServer) -> None:
    """Stanzas of every kind count, those that are refused as well; what is no stanza does not."""
    with managed(server) as client:
        client.wait_acknowledged()
        assert client.acked == 1  # its presence
        client.say(f"nobody@{server.domain}", "is refused")
        client.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
        client.send("<iq type='get' id='2'><unknown xmlns='urn:example:unknown'/></iq>")
        client.send("<message to='@'/>")
        client.send(f"<presence to='{client.account.jid}' type='probe'/>")
        client.acknowledge()
        client.wait_acknowledged()
        assert client.acked == 6


def test_ack_request_is_answered_whether_there_is_news_or_not(server: RunningServer) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        client.send(f"<enable xmlns='{SM}'/>")
        client.read_until(rb"<enabled [^>]*/>")
        for _ in range(3):
            client.send(f"<r xmlns='{SM}'/>")
            assert re.search(rb"<a [^>]*h='0'", client.read_until(rb"<a [^>]*/>"))


def test_server_asks_for_acknowledgement_of_what_it_has_sent(server: RunningServer) -> None:
    """Of one stanza after a moment, of many at once."""
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(server.account())
        client.send(f"<enable xmlns='{SM}'/>")
        client.read_until(rb"<enabled [^>]*/>")
        client.send(f"<message to='{address}' id='1'/>")
        assert b"<message " in client.read_until(rb"<r [^>]*/>")
        client.send(f"<a xmlns='{SM}' h='1'/>")
        client.send(f"<message to='{address}'/>" * 20)
        assert client.read_until(rb"<r [^>]*/>").count(b"<message ") >= 1


def test_acknowledged_message_is_not_sent_again_and_unacknowledged_is(server: RunningServer) -> None:
    with managed(server) as client:
        say_while_away(server, client.address, ["one", "two", "three"])
        assert [client.message() for _ in range(3)] == ["one", "two", "three"]
        client.handled -= 1  # as if the third had been lost on the wire
        client.cut()
        assert client.resume() is None
        assert client.message() == "three"
        assert bodies(client.settle()) == []


# -- resuming


def test_session_resumed_has_missed_nothing(server: RunningServer) -> None:
    """What came meanwhile comes once and in order, and what the client had sent has gone out once."""
    with managed(server) as other, managed(server) as client:
        client.say(other.address, "before")
        assert other.message() == "before"
        client.cut()
        texts = [f"n{number}" for number in range(30)]
        say_while_away(server, client.address, texts[:15])
        say_while_away(server, client.account.jid, texts[15:])
        client.unacked.append(
            f"<message to='{other.address}' type='chat' id='lost'><body>lost</body></message>"
        )
        assert client.resume() is None
        assert [client.message() for _ in texts] == texts
        assert other.message() == "lost"
        client.wait_acknowledged()
        client.say(other.address, "after")
        assert other.message() == "after"
        assert bodies(client.settle()) == bodies(other.settle()) == []


def test_session_is_resumed_time_and_again(server: RunningServer) -> None:
    with managed(server) as client:
        for number in range(5):
            client.cut()
            say_while_away(server, client.address, [f"n{number}"])
            assert client.resume() is None
            assert client.message() == f"n{number}"
            client.say(client.address, f"m{number}")
            assert client.message() == f"m{number}"


def test_stanza_resent_though_handled_is_passed_on_once(server: RunningServer) -> None:
    """The client has not read the acknowledgement: it goes by the `h` of `<resumed/>`."""
    with managed(server) as other, managed(server) as client:
        for number in range(5):
            client.say(other.address, f"n{number}")
            assert other.message() == f"n{number}"
        client.cut()
        assert client.resume() is None
        client.say(other.address, "last")
        assert other.message() == "last"
        assert bodies(other.settle()) == []


def test_session_resumed_while_its_old_stream_is_open_closes_that_with_conflict(
    server: RunningServer,
) -> None:
    with managed(server) as client:
        old = client.client
        with old:
            assert client.resume() is None
            ended = old.read_to_end()
        assert b"<conflict " in ended
        assert ended.endswith(b"</stream:stream>")
        client.say(client.address, "still here")
        assert client.message() == "still here"


def test_answer_to_request_waits_for_the_client(server: RunningServer) -> None:
    account = server.account()
    with managed(server, account, "asking") as client, managed(server, account, "asked") as other:
        client.send(f"<iq type='get' to='{other.address}' id='q1'><query xmlns='jabber:iq:version'/></iq>")
        while (request := other.read()).get("id") != "q1":
            pass
        client.cut()
        other.send(f"<iq type='result' to='{request.get('from')}' id='q1'><x xmlns='urn:x'/></iq>")
        other.settle()
        assert client.resume() is None
        while (answer := client.read()).get("id") != "q1":
            pass
        assert answer.get("type") == "result"


def test_presence_of_session_without_connection_stays(server: RunningServer) -> None:
    """Others of the account hear nothing of the loss, nor of the return."""
    account = server.account()
    with managed(server, account, "witness") as witness, managed(server, account, "client") as client:
        assert witness.read().get("from") == client.address
        client.cut()
        say_while_away(server, client.address, ["hello"])
        assert witness.settle() == []
        assert client.resume() is None
        assert client.message() == "hello"
        assert witness.settle() == []


# -- the end


def test_stream_closed_by_client_ends_its_session(server: RunningServer) -> None:
    """And what it has not acknowledged waits for its next one."""
    account = server.account()
    with managed(server, account) as client:
        say_while_away(server, client.address, ["not acknowledged"])
        assert client.message() == "not acknowledged"
        client.client.send("</stream:stream>")
        client.client.read_to_end()
        answer = client.resume()
        assert answer == Refused("item-not-found", 1)
        client.client.bind("next")
        client.client.send("<presence/>")
        assert b"not acknowledged" in client.client.read_until(rb"</message>")


def test_session_that_cannot_be_resumed_ends_with_its_connection(server: RunningServer) -> None:
    """What it was owed goes to the account's next one."""
    account = server.account()
    with (
        managed(server, account, "witness") as witness,
        ManagedClient(server, account, "client").log_in("") as client,
    ):
        client.become_available()
        assert witness.read().get("from") == client.address
        say_while_away(server, client.address, ["owed"])
        assert client.message() == "owed"
        client.cut()
        came = [witness.read(), witness.read()]
        assert bodies(came) == ["owed"]
        assert ("unavailable", client.address) in {(each.get("type"), each.get("from")) for each in came}


def test_resource_bound_anew_ends_the_session_that_waits(server: RunningServer) -> None:
    """What that was owed reaches the new one, with its delay."""
    account = server.account()
    with managed(server, account, "same") as client:
        client.cut()
        say_while_away(server, client.address, ["for whoever comes"])
        with RawClient(server, "c2s_tls") as newer:
            newer.log_in(account, "same")
            newer.send("<presence/>")
            message = newer.read_until(rb"</message>")
            assert b"for whoever comes" in message
            assert b"urn:xmpp:delay" in message
        assert client.resume() == Refused("item-not-found", 1)


# -- over WebSocket


async def _resume_over_websocket(client: WebSocketClient, account: Account, sm_id: str, h: int) -> str:
    await client.open_stream()
    assert (await client.attempt_plain(account.username, account.password)).startswith("<success")
    assert f"<sm xmlns='{SM}'" in await client.open_stream()
    await client.send(f"<resume xmlns='{SM}' previd='{sm_id}' h='{h}'/>")
    return await client.read()


async def test_session_over_websocket_is_resumed_over_websocket(server: RunningServer) -> None:
    account = server.account()
    async with websocket_client(server) as client:
        address = await client.log_in(account)
        await client.send(f"<enable xmlns='{SM}' resume='true'/>")
        enabled = await client.read()
        found = re.search(" id='([^']*)'", enabled)
        assert found is not None
        await client.send(f"<message xmlns='{CLIENT}' to='{address}'><body>one</body></message>")
        assert ">one<" in await client.read_until("^<message ")
        await client.send(f"<r xmlns='{SM}'/>")
        assert "h='1'" in await client.read_until("^<a ")
        async with websocket_client(server) as newer:
            resumed = await _resume_over_websocket(newer, account, found[1], 0)
            assert resumed.startswith("<resumed ")
            assert "h='1'" in resumed
            assert "<conflict " in await client.read_until("error")
            assert ">one<" in await newer.read()
            await newer.send(f"<message xmlns='{CLIENT}' to='{address}'><body>two</body></message>")
            assert ">two<" in await newer.read_until("^<message ")
            await newer.close_stream()


async def test_session_over_tcp_is_resumed_over_websocket(server: RunningServer) -> None:
    account = server.account()
    with ManagedClient(server, account).log_in() as client:
        assert client.sm_id is not None
        client.say(client.address, "one")
        client.cut()
        async with websocket_client(server) as newer:
            resumed = await _resume_over_websocket(newer, account, client.sm_id, 0)
            assert resumed.startswith("<resumed ")
            assert ">one<" in await newer.read()
            await newer.close_stream()
