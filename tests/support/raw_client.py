"""A client at the level of bytes, for conversations that no XMPP library would hold.

It blocks, with a deadline on everything that only bounds failure. What has been read and not yet been asked
for stays in `unread`.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.support.server import Account, RunningServer

SECONDS_MAX: Final = 15.0
"""How long anything may take before a test fails; far longer than it takes on a busy machine."""

_READ_BYTES: Final = 65_536

SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
TLS: Final = "urn:ietf:params:xml:ns:xmpp-tls"
BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"


class RawClient:
    """One connection over TCP.

    Args:
        server: Whom to connect to.
        way: Which of its ports: `c2s` or `c2s_tls`.
        source: The loopback address to come from, where the server counts by address.
        receive_bytes: The size of the socket's receive buffer, for clients that do not read.
        certificate: A file with a key and a certificate to show when TLS begins.
    """

    def __init__(
        self,
        server: RunningServer,
        way: str = "c2s",
        *,
        source: str = "127.0.0.1",
        receive_bytes: int | None = None,
        certificate: Path | None = None,
    ) -> None:
        self.server = server
        self.certificate = certificate
        self.unread = b""
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(SECONDS_MAX)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", server.ports[way]))
        if way == "c2s_tls":
            self.start_tls()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    # -- bytes

    def send(self, data: bytes | str) -> None:
        """Send all of it."""
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def read_until(self, pattern: bytes) -> bytes:
        """Read until a regular expression matches; returns everything up to the end of the match."""
        compiled = re.compile(pattern, re.DOTALL)
        deadline = time.monotonic() + SECONDS_MAX
        while (found := compiled.search(self.unread)) is None:
            if not self._receive(deadline):
                raise AssertionError(f"the server closed; no {pattern!r} in {self._shown()!r}")
        taken, self.unread = self.unread[: found.end()], self.unread[found.end() :]
        return taken

    def read_to_end(self) -> bytes:
        """Read until the server has closed its half; returns everything."""
        deadline = time.monotonic() + SECONDS_MAX
        while self._receive(deadline):
            pass
        taken, self.unread = self.unread, b""
        return taken

    def _receive(self, deadline: float) -> bool:
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = self.socket.recv(_READ_BYTES)
        except TimeoutError:
            raise AssertionError(f"waited {SECONDS_MAX} s in vain behind {self._shown()!r}") from None
        finally:
            self.socket.settimeout(SECONDS_MAX)
        self.unread += data
        return bool(data)

    def _shown(self) -> bytes:
        return self.unread[-2_000:]

    def end_writing(self) -> None:
        """Close our half of a connection in clear, and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection without a word: the peer gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    # -- streams

    def start_tls(self) -> None:
        """Begin TLS at once, trusting the server's own certificate only."""
        context = self.server.client_context(self.certificate)
        self.socket = context.wrap_socket(self.socket, server_hostname=self.server.domain)

    def header(self, to: str | None = None) -> str:
        """A stream header for the server's domain, or another."""
        return (
            f"<?xml version='1.0'?><stream:stream to='{to or self.server.domain}' version='1.0' "
            "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        )

    def open_stream(self) -> bytes:
        """Open a stream; returns the server's header and features."""
        self.send(self.header())
        return self.read_until(rb"</stream:features>")

    def secure(self) -> bytes:
        """Open a stream that is encrypted, by STARTTLS where it is not yet; returns the last features."""
        features = self.open_stream()
        if isinstance(self.socket, ssl.SSLSocket):
            return features
        self.send(f"<starttls xmlns='{TLS}'/>")
        self.read_until(rb"<proceed [^>]*/>")
        self.start_tls()
        return self.open_stream()

    def attempt_plain(self, username: str, password: str) -> bytes:
        """Try to log in with PLAIN; returns the server's answer."""
        response = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{response}</auth>")
        return self.read_until(rb"<success [^>]*/>|<success .*?</success>|</failure>")

    def authenticate(self, account: Account) -> bytes:
        """Log in on an encrypted stream and open the next one; returns its features."""
        self.secure()
        answer = self.attempt_plain(account.username, account.password)
        assert b"<success" in answer, answer
        return self.open_stream()

    def bind(self, resource: str) -> str:
        """Bind a resource; returns the full address."""
        self.send(
            f"<iq type='set' id='bind-1'><bind xmlns='{BIND}'><resource>{resource}</resource></bind></iq>"
        )
        bound = re.search(rb"<jid>(.*)</jid>", self.read_until(rb"</iq>"))
        assert bound is not None
        return bound[1].decode()

    def log_in(self, account: Account, resource: str = "raw") -> str:
        """Everything up to a bound resource; returns the full address."""
        self.authenticate(account)
        return self.bind(resource)

    def become_available(self, priority: int = 0) -> None:
        """Send initial presence and wait until the server has dealt with it, which its echo tells."""
        self.send(f"<presence><priority>{priority}</priority></presence>")
        self.read_until(rb"<presence [^>]*>.*?</presence>")


def assert_serves(server: RunningServer) -> None:
    """The server goes on: two new clients log in, and one writes to the other."""
    account = server.account()
    with RawClient(server, "c2s_tls") as one, RawClient(server) as other:
        address = one.log_in(account, "one")
        other.log_in(account, "other")
        other.send(f"<message to='{address}' id='still'><body>are you there?</body></message>")
        assert b"are you there?" in one.read_until(rb"</message>")
