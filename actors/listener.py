"""A listener: accepts connections on one port and starts an actor for each.

It waits for its socket through Trio, not through the port driver, so that neither's death stops the other.
Out of descriptors it backs off; at a limit it closes what it accepted at once.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, final

import trio

from actors.port import peer_address
from actors.settings import Address
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.dynamic_supervisor import NotAcceptingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.server import Server
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

StartConnection: TypeAlias = "Callable[[Server, socket.socket], Slot[Any]]"
"""Starts an actor for an accepted socket; the end of its slot is the end of the connection."""

BACKLOG: Final = 1_024
"""Connections that may wait to be accepted."""
ACCEPTS_MAX: Final = 64
"""Connections accepted before others get a turn."""
BACK_OFF_SECONDS: Final = 0.1
"""How long to wait when the process is out of descriptors."""
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@final
class Opening:
    """The listening socket of one address, from the first start to the orderly end.

    It outlives the listener and its supervisor: clients that connect during a restart wait in it.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def listen(self) -> socket.socket:
        """The socket, made if there is none.

        Raises:
            OSError: the address cannot be had; the error names it.
        """
        if self._socket is None:
            self._socket = listen(self._address)
        return self._socket

    def close(self) -> None:
        """Close the port."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@final
class Listener(Actor[NoReturn, None]):
    """One port."""

    def __init__(
        self,
        slot: Slot[NoReturn],
        server: Server,
        opening: Opening,
        start_connection: StartConnection,
    ) -> None:
        super().__init__(slot)
        self._server = server
        self._opening = opening
        self._start_connection = start_connection

    async def init(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be had; the error names it.
        """
        self._socket = self._opening.listen()
        host, port = self._socket.getsockname()[:2]
        self._server.listening[self.slot.spec.id] = Address(host, port)

    async def run(self) -> ExitReason:
        """Accept until asked to stop."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._accept)
            while self.mailbox.stop is None:
                await self.mailbox.wait()
            nursery.cancel_scope.cancel()
        assert self.mailbox.stop is not None
        return self.mailbox.stop

    async def _accept(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._socket.fileno())
            if not self._accept_some():
                await trio.sleep(BACK_OFF_SECONDS)

    def _accept_some(self) -> bool:
        """Take what waits; false if the process is out of descriptors."""
        for _ in range(ACCEPTS_MAX):
            try:
                accepted, _address = self._socket.accept()
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    return False
                continue  # that one client gave up before we came to it
            self._start(accepted)
        return True

    def _start(self, accepted: socket.socket) -> None:
        self.slot.handled += 1
        address = peer_address(accepted)
        if not self._admit(address):
            accepted.close()
            return
        try:
            slot = self._start_connection(self._server, accepted)
        except NotAcceptingError:
            accepted.close()
            self._server.connection_closed(address)
            return
        slot.on_close(lambda _slot, _reason: self._server.connection_closed(address))

    def _admit(self, address: str) -> bool:
        """Whether this address may have one more connection.

        Loopback, where proxies sit, may have any number, unless the setting says otherwise.
        """
        counts, limits = self._server.connections_by_address, self._server.settings.limits
        number = counts.get(address, 0) + 1
        is_spared = limits.spare_loopback and (address.startswith("127.") or address == "::1")
        if number > limits.connections_per_address_max and not is_spared:
            return False
        counts[address] = number
        return True

    async def terminate(self, _reason: ExitReason) -> None:
        """Close the port."""
        self._opening.close()

    def decide(self, message: NoReturn) -> Sequence[None]:
        """It has no messages."""
        return message


def listen(address: Address) -> socket.socket:
    """A non-blocking listening socket.

    Raises:
        OSError: the address cannot be had; the error names it.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    host = "127.0.0.1" if address.host == "localhost" else address.host
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # so that 0.0.0.0 may be listed as well, and limits see IPv4 addresses
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, address.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from error
    listening.setblocking(False)
    return listening


def listener_spec(id_: str, server: Server, address: Address, start_connection: StartConnection) -> ChildSpec:
    """The child spec of the listener on one address."""
    opening = Opening(address)
    return ChildSpec(id_, lambda slot: Listener(slot, server, opening, start_connection))
