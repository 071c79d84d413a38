"""Connected sockets for tests: both ends of one connection in one process, in clear or under TLS."""

from __future__ import annotations

import functools
import select
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.port import Handshake, Port
from ops.certificates import write_self_signed
from tests.support.client_certificates import authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

SECONDS_MAX: Final = 15.0
"""How long anything may take before a test fails; far longer than it takes on a busy machine."""
_READ_BYTES: Final = 65_536


CLIENT_ADDRESS: Final = "romeo@localhost"
"""Of the client whose certificate holds."""


class Contexts(NamedTuple):
    """The two sides of TLS, for one self-signed certificate.

    Attributes:
        server: The server's; it asks clients for certificates.
        client: Of a client that has none.
        certified: Of a client that has one, for `CLIENT_ADDRESS`.
    """

    server: ssl.SSLContext
    client: ssl.SSLContext
    certified: ssl.SSLContext


class Signals:
    """An owner of ports that remembers what it was told."""

    def __init__(self) -> None:
        self.bits = 0

    def signal(self, bits: int) -> None:
        self.bits |= bits

    def take(self) -> int:
        """What was told since last asked."""
        bits, self.bits = self.bits, 0
        return bits


@functools.cache
def contexts() -> Contexts:
    """Made once: making keys takes a while."""
    with TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "server.crt", Path(folder) / "server.key"
        write_self_signed(certificate, key, "localhost", datetime.now(UTC))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        server.load_verify_locations(authority().write(Path(folder) / "clients.pem"))
        server.verify_mode = ssl.CERT_OPTIONAL
        client, certified = (ssl.create_default_context(cafile=certificate) for _ in range(2))
        certified.load_cert_chain(authority().issue(Path(folder) / "romeo.pem", CLIENT_ADDRESS))
        return Contexts(server, client, certified)


def tcp_pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """The server's and the client's end of a connection over loopback; the client's blocks."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = stack.enter_context(socket.create_connection(listening.getsockname(), SECONDS_MAX))
        return stack.enter_context(listening.accept()[0]), client


def tls_pair(
    stack: ExitStack, port: Port, client: socket.socket, context: ssl.SSLContext | None = None
) -> ssl.SSLSocket:
    """Do the handshake; returns the client's end."""
    port.start_tls(contexts().server)
    secured = begin_tls(stack, client, context)
    pump(secured.do_handshake, lambda: port.handshake() is Handshake.DONE)
    secured.settimeout(SECONDS_MAX)
    return secured


def begin_tls(
    stack: ExitStack, client: socket.socket, context: ssl.SSLContext | None = None
) -> ssl.SSLSocket:
    """The client's end of TLS before its handshake; it does not block."""
    client.setblocking(False)
    secured = (context or contexts().client).wrap_socket(
        client, server_hostname="localhost", do_handshake_on_connect=False
    )
    return stack.enter_context(secured)


def pump(client_step: Callable[[], object], server_step: Callable[[], bool]) -> None:
    """Take turns until both are done."""
    client_is_done = server_is_done = False
    while not (client_is_done and server_is_done):
        try:
            client_step()
            client_is_done = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        server_is_done = server_is_done or server_step()


def receive(port: Port) -> bytes:
    """What has come to a port, once something has."""
    while (data := port.receive()) is None:
        ready, _, _ = select.select([port.fileno], [], [], SECONDS_MAX)
        assert ready, "nothing has come"
    return data


def read_to_end(client: socket.socket) -> bytes:
    """Read until the other side has closed its half."""
    parts = []
    while data := client.recv(_READ_BYTES):
        parts.append(data)
    return b"".join(parts)


def reset(client: socket.socket) -> None:
    """Break the connection without a word."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
