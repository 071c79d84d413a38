"""slixmpp resumes by its own stream management plugin: after a loss, a restart and a crash of everything.

It is a client as people use it, so what it counts and when it asks is not ours to choose.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from slixmpp import Message

from tests.support.server import RunningServer
from tests.support.slixmpp_client import Client, befriend, connected, on_asyncio, online


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that is ended and started again."""
    server = RunningServer(tmp_path_factory.mktemp("resumed"))
    yield server
    assert server.stop() == 0, server.log.tail()
    assert server.log.faults() == []


def say(client: Client, to: object, body: str) -> None:
    client.send_message(to, body, mtype="chat")  # type: ignore[arg-type] # takes any of its own types


def bodies(client: Client) -> list[str]:
    """The messages that have come and that nobody has expected."""
    return [each["body"] for each in client.unexpected if isinstance(each, Message)]


async def assert_goes_on(one: Client, other: Client) -> None:
    """Both hear of each other once more, and nothing that they should not."""
    say(one, other.boundjid, "to the other")
    assert (await other.message())["body"] == "to the other"
    say(other, one.boundjid, "to the one")
    assert (await one.message())["body"] == "to the one"
    for client in (one, other):
        await client.settle()
        assert bodies(client) == []


@asynccontextmanager
async def friends(server: RunningServer) -> AsyncIterator[tuple[Client, Client]]:
    """Two clients with managed streams that are contacts of each other."""
    async with (
        online(server, server.account(), "one", managed=True) as one,
        online(server, server.account(), "other", managed=True) as other,
    ):
        await befriend(one, other)
        yield one, other


@on_asyncio
async def test_slixmpp_resumes_after_a_cut_connection(server: RunningServer) -> None:
    """Messages of both directions sent meanwhile arrive once; contacts hear nothing of it."""
    async with friends(server) as (one, other):
        for round_ in range(3):
            one.break_off()
            await one.wait_ended()
            say(one, other.boundjid, f"from away {round_}")  # it keeps that until the session goes on
            for number in range(10):
                say(other, (one.boundjid.full, one.boundjid.bare)[number % 2], f"n{round_}.{number}")
            await other.settle()
            await one.come_back()
            for number in range(10):
                assert (await one.message())["body"] == f"n{round_}.{number}"
            assert (await other.message())["body"] == f"from away {round_}"
            await assert_goes_on(one, other)
            assert one.unexpected == other.unexpected == []


def stop_in_order(server: RunningServer) -> None:
    assert server.stop() == 0, server.log.tail()


def kill_with_database(server: RunningServer) -> None:
    server.kill_with_database()


@pytest.mark.parametrize("end", [stop_in_order, kill_with_database])
@on_asyncio
async def test_slixmpp_resumes_on_a_server_started_again(
    own_server: RunningServer, end: Callable[[RunningServer], None]
) -> None:
    """What was sent right before the end arrives once, and so does what is sent right behind it."""
    server = own_server
    async with friends(server) as (one, other):
        for number in range(20):
            say(one, other.boundjid, f"n{number}")
            say(other, one.boundjid.bare, f"m{number}")
        assert (await other.message())["body"] == "n0"
        end(server)
        await one.wait_ended()
        await other.wait_ended()
        server.restart()
        await one.come_back()
        say(one, other.boundjid, "while the other is away")
        await other.come_back()
        for number in range(1, 20):
            assert (await other.message())["body"] == f"n{number}"
        assert (await other.message())["body"] == "while the other is away"
        for number in range(20):
            assert (await one.message())["body"] == f"m{number}"
        await assert_goes_on(one, other)


@pytest.mark.parametrize("end", [stop_in_order, kill_with_database])
@on_asyncio
async def test_slixmpp_misses_nothing_that_came_before_it_resumed(
    own_server: RunningServer, end: Callable[[RunningServer], None]
) -> None:
    """It has lost its connection before the server ends, and the server is sent to before it comes back."""
    server = own_server
    async with friends(server) as (one, other):
        one.break_off()
        await one.wait_ended()
        say(other, one.boundjid, "before the end")
        await other.settle()
        end(server)
        await other.wait_ended()
        server.restart()
        async with connected(server, server.account(), "third") as third:
            say(third, one.boundjid, "to the resource")
            say(third, one.boundjid.bare, "to the account")
            await third.has_reached(one.boundjid.bare)
        await other.come_back()
        await one.come_back()
        came = [(await one.message())["body"] for _ in range(3)]
        # What no acknowledgement had covered when everything died is sent again, behind what came meanwhile.
        assert sorted(came) == ["before the end", "to the account", "to the resource"]
        assert came.index("to the resource") < came.index("to the account")
        await assert_goes_on(one, other)


@pytest.mark.long
@on_asyncio
async def test_slixmpp_resumes_after_several_ends_in_a_row(own_server: RunningServer) -> None:
    """An orderly one, a crash, and another crash before anybody has come back."""
    server = own_server
    async with friends(server) as (one, other):
        say(one, other.boundjid, "first")
        assert (await other.message())["body"] == "first"
        say(one, other.boundjid, "second")
        for end in (stop_in_order, kill_with_database, kill_with_database):
            end(server)
            server.restart()
        await one.wait_ended()
        await other.wait_ended()
        await other.come_back()
        await one.come_back()
        assert (await other.message())["body"] == "second"
        await assert_goes_on(one, other)
