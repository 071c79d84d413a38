"""Tests of `ops.chaos.client` against a stand-in server: coming back, sending again, counting."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import trio

from ops.chaos.cast import Addresses, Part, Way
from ops.chaos.client import UNACKNOWLEDGED_MAX, Client, Clock, Stage
from ops.chaos.ledger import Ledger
from ops.chaos.tally import Tally
from tests.ops.chaos.stand_in import Bug, StandIn, stand_in

SECONDS_MAX = 20.0
# A client that says so little says nothing by itself in a test.
SILENT_PACE = 0.0001


class Scene(NamedTuple):
    server: StandIn
    clients: tuple[Client, ...]
    ledger: Ledger
    tally: Tally


async def until(is_so: Callable[[], bool]) -> None:
    with trio.fail_after(SECONDS_MAX):
        while not is_so():
            await trio.lowlevel.checkpoint()


@asynccontextmanager
async def scene(bug: Bug = Bug.NONE, pace: float = SILENT_PACE) -> AsyncIterator[Scene]:
    """Two clients that talk to each other, both logged in."""
    parts = tuple(
        Part(number, f"c{number}", "desk", 1 - number, Way.WEBSOCKET, Addresses.FULL) for number in (0, 1)
    )
    ledger, tally = Ledger({0: "c0", 1: "c1"}), Tally()
    async with stand_in(bug) as (server, place):
        stage = Stage(place, parts, "secret", 1, pace, ledger, tally, trio.CapacityLimiter(2), Clock())
        clients = tuple(Client(part, stage) for part in parts)
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(client.run)
            await until(lambda: all(client.is_online for client in clients))
            yield Scene(server, clients, ledger, tally)
            nursery.cancel_scope.cancel()


async def test_message_is_sent_acknowledged_and_received() -> None:
    async with scene() as (_, clients, ledger, tally):
        clients[0]._say()
        await until(lambda: ledger.is_settled and clients[0].owes_nothing)
        balance = ledger.balance()
        assert (balance.sent, balance.acknowledged, balance.delivered) == (1, 1, 1)
        assert not tally.violations


async def test_client_that_was_cut_resumes_and_sends_again_what_was_not_acknowledged() -> None:
    async with scene() as (server, clients, ledger, tally):
        clients[0]._say()
        assert clients[0].cut()
        clients[0]._say()
        await until(lambda: ledger.is_settled and clients[0].owes_nothing)
        assert ledger.balance().holds
        assert ledger.balance().sent == 2
        assert (tally.resumed, dict(tally.closed)) == (1, {"cut by the harness": 1})
        assert [kind for kind, _ in tally.recoveries] == ["cut"]
        assert len(server.sessions) == 2


async def test_client_hears_what_came_while_it_was_away_once() -> None:
    async with scene() as (server, clients, ledger, _):
        clients[1].cut()
        await until(lambda: not clients[1].is_online)
        clients[0]._say()
        await until(lambda: ledger.is_settled)
        assert ledger.balance().holds
        assert server.routed == 1


async def test_client_whose_resumption_is_refused_begins_anew_with_the_same_ids() -> None:
    async with scene(Bug.RESUMES_NOBODY) as (_, clients, ledger, tally):
        clients[0].cut()
        clients[0]._say()  # never reaches the server by the old session
        await until(lambda: ledger.is_settled and clients[0].owes_nothing)
        balance = ledger.balance()
        assert (balance.sent, balance.sent_again, balance.delivered) == (1, 1, 1)
        assert (tally.resumed, dict(tally.not_resumed)) == (0, {"item-not-found": 1})


async def test_client_that_is_lost_by_the_server_says_so() -> None:
    async with scene() as (server, clients, _, tally):
        for connection in tuple(server.connections):
            await connection.stream.aclose()
        await until(lambda: tally.resumed == 2)
        assert dict(tally.closed) == {"by the server: without a word": 2}
        await until(lambda: all(client.is_online for client in clients))


async def test_client_that_stalls_hears_later() -> None:
    async with scene() as (_, clients, ledger, _tally):
        clients[0]._say()
        await until(lambda: ledger.is_settled)
        assert clients[1].stall(0.3)
        for _ in range(2):
            clients[0]._say()
        await until(lambda: ledger.is_settled)
        assert ledger.balance().holds


async def test_client_asks_its_account_and_counts_the_answer() -> None:
    async with scene() as (_, clients, _ledger, tally):
        for _ in range(20):
            clients[0]._say()
        await until(lambda: tally.answered == 2)
        assert tally.asked == 2


async def test_client_talks_until_it_falls_silent_and_leaves_in_order() -> None:
    async with scene(pace=100.0) as (server, clients, ledger, tally):
        clients[0].begin_to_talk()
        await until(lambda: ledger.sent_count > 10)
        clients[0].fall_silent()
        await until(lambda: ledger.is_settled and clients[0].owes_nothing)
        for client in clients:
            client.leave()
        await until(lambda: not server.connections)
        assert ledger.balance().holds
        assert not tally.closed


async def test_client_says_no_more_while_much_is_unacknowledged() -> None:
    async with scene(pace=1_000.0) as (server, clients, _ledger, _):
        for connection in server.connections:
            connection._r = lambda _element, _text: None  # type: ignore[method-assign] # never acknowledges
        clients[0].begin_to_talk()
        session = clients[0]._managed
        assert session is not None
        await until(lambda: len(session.unacknowledged) >= UNACKNOWLEDGED_MAX)
        await clients[1]._back_off(0)  # many times as long as it waits between two messages
        # A question and a presence may have come with the last message.
        assert len(session.unacknowledged) <= UNACKNOWLEDGED_MAX + 2


async def test_client_reports_an_impossible_h_and_comes_back() -> None:
    async with scene(Bug.ACKNOWLEDGES_TOO_MUCH) as (server, clients, _, tally):
        server.answers = 9  # the next is the tenth
        clients[0]._say()
        await until(lambda: bool(tally.closed) and clients[0].is_online)
        assert "h is 100" in tally.violations[0]
        assert tally.closed == {"by the server: impossible h": 1}


async def test_cut_of_a_client_that_is_away_is_none() -> None:
    async with scene() as (_, clients, _ledger, _tally):
        assert clients[0].cut()
        await until(lambda: not clients[0].is_online)
        assert not clients[0].cut()
        assert not clients[0].owes_nothing
