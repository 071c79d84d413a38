"""A port: one non-blocking socket, plain or TLS, as the port driver and the actors see it.

No method waits. Reading and writing say "would block" by returning None or 0; the driver then tells the
owner, by readiness bits in its mailbox, when to try again.
"""

from __future__ import annotations

import enum
import socket
import ssl
from contextlib import suppress
from typing import Final, Protocol, final

READABLE: Final = 1
WRITABLE: Final = 2
HUNG_UP: Final = 4
"""The peer has closed its half; there may still be bytes to read."""

READ_BYTES_MAX: Final = 65_536
"""One read; whoever gets this much in one piece lets others have a turn before the next."""


class PortClosedError(Exception):
    """The connection is gone: reset, closed by the peer while we wrote, or broken TLS."""


class Handshake(enum.Enum):
    """How far a TLS handshake has come."""

    DONE = "done"
    WAITING = "waiting"


class PortOwner(Protocol):
    """Whom the driver tells what a port is ready for: a mailbox, or a stream on which tasks wait."""

    def signal(self, bits: int) -> None:
        """Take note; told again, it does no harm."""


@final
class Port:
    """Owned by one actor's slot, so that its next incarnation goes on with the same connection."""

    __slots__ = ("_socket", "fileno", "owner", "peer")

    def __init__(self, connected: socket.socket, owner: PortOwner) -> None:
        connected.setblocking(False)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: socket.socket | ssl.SSLSocket = connected
        self.fileno = connected.fileno()
        self.owner = owner
        self.peer = peer_address(connected)

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS has been started."""
        return isinstance(self._socket, ssl.SSLSocket)

    def receive(self, bytes_max: int = READ_BYTES_MAX) -> bytes | None:
        """What is there to read, at most `bytes_max`; None if nothing is; empty at the end.

        Raises:
            PortClosedError: the connection broke.
        """
        try:
            return self._socket.recv(bytes_max)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except OSError as error:  # SSLError is one
            raise PortClosedError(str(error)) from error

    def drained_by(self, data: bytes) -> bool:
        """Whether a read that returned this much has left nothing behind, so that trying again is in vain.

        Never so under TLS, where bytes may wait inside OpenSSL that the driver does not see.
        """
        return len(data) < READ_BYTES_MAX and not self.is_encrypted

    def send(self, data: bytes | memoryview) -> int:
        """Write what the kernel takes; returns how many bytes that were, 0 if it would block.

        Raises:
            PortClosedError: the connection broke.
        """
        try:
            return self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise PortClosedError(str(error)) from error

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Put TLS on the socket; the handshake follows, driven by `handshake`.

        Raises:
            PortClosedError: the peer has gone already.
        """
        assert not self.is_encrypted, "TLS has been started already"
        try:
            self._socket.getpeername()  # the library would lose the descriptor of one not connected
            self._socket = context.wrap_socket(
                self._socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        except OSError as error:
            raise PortClosedError(str(error)) from error

    def handshake(self) -> Handshake:
        """Go on with the TLS handshake.

        Raises:
            PortClosedError: it failed.
        """
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return Handshake.WAITING
        except OSError as error:
            raise PortClosedError(str(error)) from error
        return Handshake.DONE

    def client_certificate(self) -> bytes | None:
        """What the client has shown in the handshake, in DER, and has been found good; None if nothing."""
        return self._socket.getpeercert(binary_form=True) if isinstance(self._socket, ssl.SSLSocket) else None

    def finish_writing(self) -> None:
        """Close our half: the peer reads what is on its way, then the end.

        What it still sends is read in clear from here on, to be thrown away: OpenSSL would take data behind
        our end for a fault, and a connection closed with something unread is reset, last words and all.
        """
        if isinstance(self._socket, ssl.SSLSocket):
            with suppress(OSError, ValueError):  # our end is written; the peer's is not waited for
                self._socket.unwrap()
        with suppress(OSError):  # it has gone already
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; what the kernel has taken it still delivers. Take the port out of the driver before."""
        self._socket.close()
        self.fileno = -1


def peer_address(connected: socket.socket) -> str:
    """The peer's IP address, for limits and logs; empty where there is none."""
    if connected.family == socket.AF_UNIX:
        return ""
    try:
        return str(connected.getpeername()[0])
    except OSError:  # it has gone already; the first read will say so
        return ""
