"""A house with sockets: real ports, the real driver, TLS; clients are in the same process, on Trio.

Time is real, since Trio's jumping clock does not see sockets; what waits for a timer is made to wait no more
by `pass_time`.
"""

from __future__ import annotations

import base64
import re
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, final

import trio
from trio.testing import wait_all_tasks_blocked

from actors.tcp_connection import TcpState, start_tcp_connection
from ops.certificates import addresses_in
from protocols.namespaces import BIND, CLIENT, SASL, STREAM, TLS
from tests.actors.house import ACCOUNTS, House
from tests.actors.house_client import PASSWORD
from tests.actors.sockets import SECONDS_MAX, contexts

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from supervision.slot import Slot

HEADER: Final = (
    f"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='{CLIENT}' "
    f"xmlns:stream='{STREAM}'>"
)
STARTTLS: Final = f"<starttls xmlns='{TLS}'/>"
_READ_BYTES: Final = 65_536


class _Certificates:
    context = contexts().server
    end_point: bytes | None = None

    def addresses_in(self, certificate: bytes) -> tuple[str, ...]:
        """As the server does it."""
        return addresses_in(certificate)


@final
class TcpClient:
    """One client; what it has read and not yet been asked for is in `unread`."""

    def __init__(self, connected: trio.SocketStream, slot: Slot[Any]) -> None:
        self.slot = slot
        self.unread = b""
        self.stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = connected
        self.connected = connected

    @property
    def state(self) -> TcpState:
        """What the server's actor keeps of this connection."""
        assert isinstance(self.slot.state, TcpState)
        return self.slot.state

    # -- bytes

    async def send(self, data: bytes | str) -> None:
        """Send all of it."""
        with trio.fail_after(SECONDS_MAX):
            await self.stream.send_all(data.encode() if isinstance(data, str) else data)

    async def read_until(self, pattern: str) -> str:
        """Read until a regular expression matches; returns everything up to the end of the match."""
        compiled = re.compile(pattern.encode(), re.DOTALL)
        with trio.fail_after(SECONDS_MAX):
            while (found := compiled.search(self.unread)) is None:
                assert await self._read(), f"the server closed; no {pattern} in {self.unread[-2000:]!r}"
        taken, self.unread = self.unread[: found.end()], self.unread[found.end() :]
        return taken.decode()

    async def read_to_end(self) -> str:
        """Read until the server has closed its half; returns everything."""
        with trio.fail_after(SECONDS_MAX):
            while await self._read():
                pass
        taken, self.unread = self.unread, b""
        return taken.decode()

    async def _read(self) -> bool:
        try:
            data = await self.stream.receive_some(_READ_BYTES)
        except trio.BrokenResourceError:  # a TLS stream that ends without its end
            data = b""
        self.unread += data
        return bool(data)

    def hang_up(self) -> None:
        """Close the socket and say nothing."""
        self.connected.socket.close()

    def reset(self) -> None:
        """Break the connection."""
        self.connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connected.socket.close()

    # -- streams

    async def start_tls(self, context: ssl.SSLContext | None = None) -> None:
        """The handshake."""
        self.stream = trio.SSLStream(
            self.connected, context or contexts().client, server_hostname="localhost", https_compatible=True
        )
        with trio.fail_after(SECONDS_MAX):
            await self.stream.do_handshake()

    async def open(self) -> str:
        """Open a stream; returns the server's features."""
        await self.send(HEADER)
        return await self.read_until("</stream:features>")

    async def secure(self) -> None:
        """STARTTLS, from the first header to the second."""
        await self.open()
        await self.send(STARTTLS)
        await self.read_until("<proceed [^>]*/>")
        await self.start_tls()
        await self.open()

    async def authenticate(self, name: str) -> None:
        """Log in and open the next stream."""
        await self.send(auth(name))
        await self.read_until("<success[^>]*>")
        await self.open()

    async def log_in(self, jid: str) -> None:
        """Everything from STARTTLS to the bound resource."""
        name, _, resource = jid.replace("@localhost", "").partition("/")
        await self.secure()
        await self.authenticate(name)
        await self.send(bind(resource))
        await self.read_until("<jid>.*</iq>")

    async def gone(self) -> None:
        """Wait until nothing is left of the server's actor."""
        with trio.fail_after(SECONDS_MAX):
            while self.slot.ref.is_alive:
                await self.slot.wait_gone()
                await trio.lowlevel.checkpoint()


def auth(name: str, password: str = PASSWORD) -> str:
    """A log-in with PLAIN."""
    response = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{response}</auth>"


def bind(resource: str) -> str:
    """A request for a resource."""
    return f"<iq type='set' id='bind'><bind xmlns='{BIND}'><resource>{resource}</resource></bind></iq>"


def message(to: str, text: str) -> str:
    """A chat message."""
    return f"<message to='{to}' type='chat'><body>{text}</body></message>"


@final
class TcpStage:
    """A house and its clients."""

    def __init__(self, house: House, stack: AsyncExitStack) -> None:
        self.house = house
        self._stack = stack

    def connect(self, *, direct_tls: bool = False, buffer_bytes: int | None = None) -> TcpClient:
        """A client that has connected.

        Args:
            direct_tls: Whether the server takes the first byte for TLS.
            buffer_bytes: How much the kernel keeps for the client, if that is not going to read.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            ours = socket.socket()
            if buffer_bytes is not None:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
            ours.connect(listening.getsockname())
            accepted, _address = listening.accept()
        slot = start_tcp_connection(self.house.server, accepted, direct_tls=direct_tls)
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._stack.callback(stream.socket.close)
        return TcpClient(stream, slot)

    async def log_in(self, jid: str, *, buffer_bytes: int | None = None) -> TcpClient:
        """A client with a bound resource."""
        client = self.connect(buffer_bytes=buffer_bytes)
        await client.log_in(jid)
        return client

    async def settle(self) -> None:
        """Until nothing more happens by itself: also a proof that nobody runs in circles."""
        with trio.fail_after(SECONDS_MAX):
            await wait_all_tasks_blocked()

    def pass_time(self, seconds: float) -> None:
        """Let every timer go off that is due by then."""
        timers = self.house.runtime.timers
        assert timers is not None
        timers.fire_due(trio.current_time() + seconds)


@asynccontextmanager
async def tcp_stage(**limits: Any) -> AsyncIterator[TcpStage]:
    """A house with sockets and these limits; clients are gone before it closes, so that it waits for none."""
    house = House(ACCOUNTS, limits=limits, certificates=_Certificates())
    async with house.open(with_sockets=True), AsyncExitStack() as stack:
        yield TcpStage(house, stack)
