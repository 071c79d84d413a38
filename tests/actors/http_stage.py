"""A stage for the HTTP port: driver, connections and a listener of the real tree, with no store behind them.

What the store would be asked waits for the test to answer, and so does a log-in that has begun.
"""

from __future__ import annotations

import itertools
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeVar

import trio

from actors.http_connection import HttpState, start_http_connection
from actors.listener import listener_spec
from actors.port_driver import PortTable, port_driver_spec
from actors.port_stream import PortStream
from actors.server import Server
from actors.settings import Address, LimitSettings, Settings
from actors.websocket_connection import WebSocketState
from actors.world import World
from supervision.child_spec import ChildSpec
from supervision.reply import Reply
from supervision.report import Report
from supervision.runtime import Runtime
from supervision.supervisor import supervisor_spec
from supervision.timers import timers_spec
from supervision.tree import Tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from supervision.slot import Slot

R = TypeVar("R")
K = TypeVar("K", bound=Report)

SECONDS_MAX: Final = 10.0
"""Bounds failure only."""


class SilentPool:
    """Takes every job and does none; tests answer instead."""

    def __init__(self) -> None:
        self.replies: list[Reply[Any]] = []

    def submit(self, _job: Callable[[], R]) -> Reply[R]:
        """See `BlockingPool`."""
        reply: Reply[R] = Reply()
        self.replies.append(reply)
        return reply


class NoCertificates:
    """For servers without TLS."""

    @property
    def end_point(self) -> None:
        """Nothing to bind to."""

    def addresses_in(self, _certificate: bytes) -> tuple[str, ...]:
        """Nobody shows any."""
        return ()

    @property
    def context(self) -> NoReturn:
        """There is none."""
        raise AssertionError("nobody asked for TLS")


class Stage(NamedTuple):
    """What tests look at."""

    server: Server
    port: int
    reports: list[Report]
    pool: SilentPool

    async def answer(self, value: object) -> None:
        """Answer what a pool was asked, once it is."""
        with trio.fail_after(SECONDS_MAX):
            while not self.pool.replies:
                await trio.lowlevel.checkpoint()
        self.pool.replies.pop().set(value)

    def reports_of(self, kind: type[K]) -> list[K]:
        """What supervisors have reported of this kind."""
        return [report for report in self.reports if isinstance(report, kind)]

    async def connect(self) -> trio.SocketStream:
        """A new connection to the HTTP port."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def holder(self) -> Slot[Any]:
        """The actor of the only connection to the port, once it is there."""
        return await self._only(HttpState)

    async def connection(self) -> Slot[Any]:
        """The actor that speaks XMPP on the only WebSocket, once it is there."""
        return await self._only(WebSocketState)

    async def _only(self, state: type) -> Slot[Any]:
        with trio.fail_after(SECONDS_MAX):
            while True:
                for slot in self.server.connections.children():
                    if isinstance(slot.state, state):
                        return slot
                await trio.lowlevel.checkpoint()

    async def wait_empty(self) -> None:
        """Wait until no connection is left, nor anything that belongs to one."""
        with trio.fail_after(SECONDS_MAX):
            while self.server.connections.children() or len(self.server.ports):
                await trio.lowlevel.checkpoint()
        assert self.server.connections_by_address == {}


@asynccontextmanager
async def driven_ports() -> AsyncIterator[PortTable]:
    """A table of ports with a driver that looks after it."""
    ports = PortTable()
    async with _running([port_driver_spec(ports)]):
        yield ports


class Pair(NamedTuple):
    """Both ends of a connection: ours on the driver, the client's on Trio."""

    ports: PortTable
    stream: PortStream
    client: trio.SocketStream

    def reset(self) -> None:
        """The client breaks the connection without a word."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.client.socket.close()


@asynccontextmanager
async def stream_pair() -> AsyncIterator[Pair]:
    """A connection, with a driver that looks after it."""
    async with driven_ports() as ports:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = await trio.open_tcp_stream(*listening.getsockname())
            accepted, _address = listening.accept()
        stream = PortStream(accepted, ports, lambda: None)
        try:
            yield Pair(ports, stream, client)
        finally:
            stream.close()
            client.socket.close()


@asynccontextmanager
async def http_stage(**limits: float) -> AsyncIterator[Stage]:
    """A running stage with these limits."""
    numbers = itertools.count(1)
    pool = SilentPool()
    server = Server(
        Settings(limits=LimitSettings(**limits)),  # type: ignore[arg-type] # some are floats, some int
        World(
            lambda: 0,
            lambda: f"token-{next(numbers)}",
            lambda: b"salt",
            writer=pool,
            readers=pool,
            hashing=pool,
        ),
        NoCertificates(),
        (),
        {},
        note=lambda _event: None,
        secret=b"secret",
    )
    listener = listener_spec("http", server, Address("127.0.0.1", 0), start_http_connection)
    children = [port_driver_spec(server.ports), server.connections.spec(), listener]
    async with _running(children) as reports:
        yield Stage(server, server.listening["http"].port, reports, pool)


@asynccontextmanager
async def _running(children: list[ChildSpec]) -> AsyncIterator[list[Report]]:
    reports: list[Report] = []
    tree = Tree(supervisor_spec("root", [timers_spec(), *children]), Runtime(report=reports.append))
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        try:
            yield reports
        finally:
            nursery.cancel_scope.cancel()
