"""Tests of `actors.listener`: real sockets on loopback; what it starts for each connection is the test's."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import trio

from actors import listener
from actors.listener import BACK_OFF_SECONDS, listen, listener_spec
from actors.server import Server
from actors.settings import Address, LimitSettings, Settings
from actors.world import World
from supervision.child_spec import Intensity
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.exit_reason import Normal
from supervision.slot import Slot
from supervision.supervisor import supervisor_spec
from tests.actors.http_stage import NoCertificates, SilentPool
from tests.supervision.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_MAX: Final = 10.0
"""Bounds failure only."""
ANY_PORT: Final = Address("127.0.0.1", 0)
DOOR: Final = "/listeners/door"
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - that it can be listened on is the point
STRANGER: Final = "192.0.2.7"
"""An address that is not loopback."""


class Door:
    """A listener and those who come through it."""

    def __init__(self, stack: ExitStack) -> None:
        self.stage = Stage()
        self.accepted: list[socket.socket] = []
        self.slots: list[Slot[Any]] = []
        self.is_full = False
        self._stack = stack
        self._news = trio.Event()
        pool = SilentPool()
        self.server = Server(
            Settings(limits=LimitSettings(connections_per_address_max=2)),
            World(lambda: 0, lambda: "token", lambda: b"salt", writer=pool, readers=pool, hashing=pool),
            NoCertificates(),
            (),
            {},
            note=lambda _event: None,
            secret=b"secret",
        )

    def open(self, *, restarts_max: int = 1_000) -> Any:
        """Run the listener under a supervisor of its own, as in the server."""
        spec = listener_spec("door", self.server, ANY_PORT, self._start)
        listeners = supervisor_spec("listeners", [spec], intensity=Intensity(restarts_max, 1.0))
        return self.stage.supervising(listeners)

    def _start(self, server: Server, accepted: socket.socket) -> Slot[Any]:
        assert server is self.server
        if self.is_full:
            raise NotAcceptingError
        self._stack.enter_context(accepted)
        self.accepted.append(accepted)
        self._news.set()
        slot = Slot[Any](self.stage.spec("connection"), None, self.stage.runtime)
        self.slots.append(slot)
        return slot

    async def come(self) -> socket.socket:
        """A client that has connected; whether anybody lets it in remains to be seen."""
        client = trio.socket.socket()
        await client.connect(("127.0.0.1", self.server.listening["door"].port))
        return self._stack.enter_context(socket.socket(fileno=client.detach()))

    async def let_in(self, number: int) -> None:
        """Until so many have been let in."""
        with trio.fail_after(SECONDS_MAX):
            while len(self.accepted) < number:
                self._news = trio.Event()
                await self._news.wait()
        assert len(self.accepted) == number


@pytest.fixture
def door() -> Iterator[Door]:
    with ExitStack() as stack:
        yield Door(stack)


async def _is_sent_away(client: socket.socket) -> bool:
    """Whether the connection ends without a word."""
    client.setblocking(False)
    with trio.fail_after(SECONDS_MAX):
        await trio.lowlevel.wait_readable(client)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


# -- letting in


async def test_listener_starts_a_connection_for_each_client(door: Door) -> None:
    async with door.open():
        clients = [await door.come() for _ in range(3)]
        await door.let_in(3)
        assert {each.getpeername() for each in door.accepted} == {each.getsockname() for each in clients}
        assert door.stage.slot(DOOR).handled == 3


async def test_listener_says_where_it_listens(door: Door) -> None:
    async with door.open():
        address = door.server.listening["door"]
        assert address.host == "127.0.0.1"
        assert address.port > 0


async def test_listener_burst_beyond_one_turn_is_let_in_whole(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "ACCEPTS_MAX", 2)
    async with door.open():
        for _ in range(9):
            await door.come()
        await door.let_in(9)


async def test_listener_address_that_is_taken_fails_and_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = Address("127.0.0.1", other.getsockname()[1])
        with pytest.raises(OSError, match=f"cannot listen on {address}: Address already in use") as raised:
            listen(address)
    assert raised.value.errno == errno.EADDRINUSE


async def test_listener_localhost_is_loopback() -> None:
    with listen(Address("localhost", 0)) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        assert not listening.getblocking()


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python knows no IPv6")
async def test_listener_both_families_can_be_listed_with_one_port() -> None:
    try:
        listening = listen(Address("::", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening, listen(Address(EVERYWHERE, listening.getsockname()[1])) as other:
        assert other.getsockname()[1] == listening.getsockname()[1]


# -- limits


@pytest.fixture
def _from_far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "peer_address", lambda _socket: STRANGER)


@pytest.mark.usefixtures("_from_far_away")
async def test_listener_over_the_limit_of_an_address_closes(door: Door) -> None:
    async with door.open():
        for _ in range(2):
            await door.come()
        await door.let_in(2)
        assert await _is_sent_away(await door.come())
        assert door.server.connections_by_address == {STRANGER: 2}
        await door.let_in(2)


@pytest.mark.usefixtures("_from_far_away")
async def test_listener_connection_that_closed_makes_room_for_the_next(door: Door) -> None:
    async with door.open():
        for _ in range(2):
            await door.come()
        await door.let_in(2)
        door.slots[0].close(Normal())
        await door.come()
        await door.let_in(3)
        assert door.server.connections_by_address == {STRANGER: 2}


async def test_listener_loopback_may_have_any_number(door: Door) -> None:
    """Proxies sit there."""
    async with door.open():
        for _ in range(5):
            await door.come()
        await door.let_in(5)


async def test_listener_loopback_is_counted_where_the_setting_says_so(door: Door) -> None:
    limits = replace(door.server.settings.limits, spare_loopback=False, connections_per_address_max=2)
    door.server.settings = replace(door.server.settings, limits=limits)
    async with door.open():
        for _ in range(2):
            await door.come()
        await door.let_in(2)
        assert await _is_sent_away(await door.come())


async def test_listener_server_full_closes_and_counts_nobody(door: Door) -> None:
    door.is_full = True
    async with door.open():
        assert await _is_sent_away(await door.come())
        assert door.server.connections_by_address == {}
        door.is_full = False
        await door.come()
        await door.let_in(1)


# -- what the system refuses


class ShortOfDescriptors(socket.socket):
    """A listening socket whose first attempts to accept fail, as the list says."""

    errors: list[int]

    def accept(self) -> tuple[socket.socket, Any]:
        if self.errors:
            raise OSError(self.errors.pop(0), "made up")
        return super().accept()


def _listen_with(monkeypatch: pytest.MonkeyPatch, *errors: int) -> list[float]:
    """Have the listener's socket fail so; returns the pauses that it makes, which last no time."""

    def listen_badly(address: Address) -> socket.socket:
        listening = ShortOfDescriptors(fileno=listen(address).detach())
        listening.setblocking(False)
        listening.errors = list(errors)
        return listening

    pauses: list[float] = []
    sleep = trio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(listener, "listen", listen_badly)
    monkeypatch.setattr(trio, "sleep", note)
    return pauses


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_listener_out_of_descriptors_backs_off_and_goes_on(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """The client waits in the backlog meanwhile; a loop that spins would take the processor from others."""
    pauses = _listen_with(monkeypatch, error, error)
    async with door.open():
        await door.come()
        await door.let_in(1)
        assert pauses == [BACK_OFF_SECONDS, BACK_OFF_SECONDS]
        assert door.stage.slot(DOOR).incarnation == 1


async def test_listener_client_that_gave_up_does_not_hold_up_the_next(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = _listen_with(monkeypatch, errno.ECONNABORTED)
    async with door.open():
        await door.come()
        await door.let_in(1)
        assert pauses == []


# -- deaths


async def test_listener_kill_clients_wait_in_the_socket_for_the_next(door: Door) -> None:
    """The port stays: nobody is refused, and nobody else can take it."""
    async with door.open():
        address = door.server.listening["door"]
        await door.come()
        await door.let_in(1)
        door.stage.ref(DOOR).kill()
        await door.come()
        await door.let_in(2)
        assert door.stage.slot(DOOR).incarnation == 2
        assert door.server.listening["door"] == address


async def test_listener_supervisor_given_up_keeps_the_port(door: Door) -> None:
    """Its successor begins with nothing else: clients that connected meanwhile are in the socket."""
    async with door.open(restarts_max=0):
        address = door.server.listening["door"]
        door.stage.ref(DOOR).kill()
        await door.come()
        await door.let_in(1)
        assert door.stage.slot("/listeners").incarnation == 2
        assert door.server.listening["door"] == address


async def test_listener_stop_refuses_clients(door: Door) -> None:
    async with door.open():
        port = door.server.listening["door"].port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), SECONDS_MAX)
