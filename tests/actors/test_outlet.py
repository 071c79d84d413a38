"""Tests of `actors.outlet`: on real sockets, both ends in this process, with a client that may not read."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from actors.outlet import NO_OUTLET, WRITE_BYTES_MAX, ChangedOutlet, PortOutlet
from actors.port import HUNG_UP, Port
from protocols.framing import TcpFraming
from protocols.stanza import build_message
from tests.actors.sockets import SECONDS_MAX, Signals, read_to_end, reset, tcp_pair, tls_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protocols.stanza import Stanza


class Ends(NamedTuple):
    outlet: PortOutlet
    client: socket.socket
    signals: Signals


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as sockets:
        yield sockets


@pytest.fixture
def plain(stack: ExitStack) -> Ends:
    server, client = tcp_pair(stack)
    signals = Signals()
    port = Port(server, signals)
    stack.callback(port.close)
    return Ends(PortOutlet(port, TcpFraming()), client, signals)


@pytest.fixture
def secured(stack: ExitStack, plain: Ends) -> Ends:
    return plain._replace(client=tls_pair(stack, plain.outlet.port, plain.client))


@pytest.fixture(params=["plain", "secured"])
def ends(request: pytest.FixtureRequest) -> Ends:
    """The same in clear and under TLS."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Ends)
    return found


def _message(body: str) -> Stanza:
    return build_message(to=None, sender=None, content=f"<body>{body}</body>".encode())


def _fill(outlet: PortOutlet) -> bytes:
    """Append until the kernel takes no more; returns all of it."""
    parts: list[bytes] = []
    while not outlet.is_blocked:
        parts.append(bytes([65 + len(parts) % 26]) * 100_000)
        outlet.append(parts[-1])
        outlet.flush()
    return b"".join(parts)


def _read(client: socket.socket, length: int, outlet: PortOutlet) -> bytes:
    """Read this much while the outlet goes on whenever its port is writable, as under the driver."""
    client.settimeout(0)
    data = bytearray()
    while len(data) < length:
        waits_to_write = [outlet.port.fileno] if outlet.is_blocked else []
        readable, writable, _ = select.select([client], waits_to_write, [], SECONDS_MAX)
        assert readable or writable, f"{length - len(data)} bytes never came"
        if writable:
            outlet.resume()
        data += _available(client)
    return bytes(data)


def _available(client: socket.socket) -> bytes:
    parts = []
    try:
        while part := client.recv(65_536):
            parts.append(part)
    except (BlockingIOError, ssl.SSLWantReadError):
        pass
    return b"".join(parts)


# -- writing


def test_append_writes_nothing_before_flush(ends: Ends) -> None:
    ends.outlet.append(b"<presence/>")
    assert ends.outlet.bytes_pending == 11
    ends.client.settimeout(0)
    assert _available(ends.client) == b""


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is written, each write by itself, on ports that take everything."""
    writes: list[bytes] = []

    def send(_port: Port, data: bytes) -> int:
        writes.append(data)
        return len(data)

    monkeypatch.setattr(Port, "send", send)
    return writes


def test_flush_writes_all_that_was_appended_as_one(plain: Ends, written: list[bytes]) -> None:
    for part in (b"<a/>", b"<b/>", b"<c/>"):
        plain.outlet.append(part)
    plain.outlet.flush()
    assert written == [b"<a/><b/><c/>"]
    assert plain.outlet.bytes_pending == 0


def test_flush_much_is_written_in_pieces_of_about_the_bound(plain: Ends, written: list[bytes]) -> None:
    parts = [bytes([number]) * 10_000 for number in range(100)]
    for part in parts:
        plain.outlet.append(part)
    plain.outlet.flush()
    assert b"".join(written) == b"".join(parts)
    assert max(map(len, written)) < WRITE_BYTES_MAX + 10_000
    assert len(written) == 4


def test_flush_nothing_writes_nothing(plain: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Port, "send")
    plain.outlet.flush()
    assert not plain.outlet.is_blocked


def test_flush_peer_that_does_not_read_keeps_the_rest_in_order(ends: Ends) -> None:
    """What is appended later waits behind what the kernel did not take, and nothing is tried meanwhile."""
    expected = _fill(ends.outlet)
    assert 0 < ends.outlet.bytes_pending <= len(expected)
    ends.outlet.append(b"<last/>")
    ends.outlet.flush()
    expected += b"<last/>"
    assert ends.outlet.is_blocked
    assert _read(ends.client, len(expected), ends.outlet) == expected
    assert ends.outlet.bytes_pending == 0


def test_flush_what_a_writable_socket_takes_needs_no_signal(ends: Ends) -> None:
    """The driver tells edges only: an outlet that stops although it could write would stall a client."""
    data = bytes(range(250)) * 400
    ends.outlet.append(data)
    ends.outlet.flush()
    assert not ends.outlet.is_blocked
    assert _read(ends.client, len(data), ends.outlet) == data


def test_flush_while_blocked_does_not_try(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(ends.outlet)
    monkeypatch.delattr(Port, "send")
    ends.outlet.append(b"<presence/>")
    ends.outlet.flush()


# -- being told


def test_on_drained_is_told_once_when_all_is_written(ends: Ends) -> None:
    expected = _fill(ends.outlet)
    told: list[int] = []
    ends.outlet.on_drained = lambda: told.append(ends.outlet.bytes_pending)
    _read(ends.client, len(expected), ends.outlet)
    assert told == [0]
    ends.outlet.append(b"<presence/>")
    ends.outlet.flush()
    assert told == [0]


def test_on_drained_of_an_empty_outlet_is_told_by_flush(plain: Ends) -> None:
    told: list[str] = []
    plain.outlet.on_drained = lambda: told.append("drained")
    plain.outlet.flush()
    assert told == ["drained"]


def test_on_drained_waits_while_the_peer_does_not_read(plain: Ends) -> None:
    _fill(plain.outlet)
    told: list[str] = []
    plain.outlet.on_drained = lambda: told.append("drained")
    plain.outlet.flush()
    assert told == []
    plain.outlet.abandon()
    assert told == ["drained"], "nobody may wait for what will never be written"


# -- the end


def test_append_stanza_writes_its_bytes(ends: Ends) -> None:
    stanza = _message("O Romeo, Romeo!")
    assert ends.outlet.append_stanza(stanza)
    ends.outlet.flush()
    assert _read(ends.client, len(stanza.data), ends.outlet) == stanza.data


def test_append_stanza_behind_the_end_is_refused(plain: Ends) -> None:
    """The stream's last words stay the last."""
    plain.outlet.append(b"</stream:stream>")
    plain.outlet.end()
    assert not plain.outlet.append_stanza(_message("too late"))
    plain.outlet.flush()
    plain.outlet.port.finish_writing()
    assert read_to_end(plain.client) == b"</stream:stream>"


def test_flush_broken_connection_tells_the_owner_and_forgets(plain: Ends) -> None:
    told: list[str] = []
    plain.outlet.on_drained = lambda: told.append("drained")
    reset(plain.client)
    plain.outlet.append(b"<presence/>")
    plain.outlet.flush()
    assert plain.outlet.is_broken
    assert plain.signals.take() & HUNG_UP
    assert plain.outlet.bytes_pending == 0
    assert told == ["drained"]


def test_append_to_a_broken_outlet_holds_no_memory(plain: Ends) -> None:
    plain.outlet.abandon()
    plain.outlet.append(b"<presence/>")
    assert plain.outlet.bytes_pending == 0
    assert not plain.outlet.append_stanza(_message("to nobody"))
    assert plain.signals.take() == 0, "its owner has abandoned it"


# -- no connection


def test_no_outlet_takes_nothing_and_owes_nobody_word() -> None:
    told: list[str] = []
    NO_OUTLET.append(b"<r/>")
    taken = NO_OUTLET.append_stanza(_message("hi"))
    NO_OUTLET.on_drained = lambda: told.append("drained")
    NO_OUTLET.flush()
    NO_OUTLET.end()
    assert (taken, NO_OUTLET.bytes_pending, told) == (False, 0, [])
    assert getattr(NO_OUTLET, "on_drained") is None  # noqa: B009 - the checker remembers what was set


def test_changed_outlet_changes_stanzas_and_nothing_else(plain: Ends) -> None:
    outlet, drained = ChangedOutlet(plain.outlet, lambda _stanza: build_message(to=None, sender=None)), []
    outlet.on_drained = lambda: drained.append(True)
    assert outlet.on_drained is plain.outlet.on_drained
    outlet.append(b"<a/>")
    assert outlet.append_stanza(build_message(to=None, sender=None, id="1"))
    assert outlet.bytes_pending == len(b"<a/><message/>")
    outlet.flush()
    assert drained == [True]
    assert plain.client.recv(100) == b"<a/><message/>"
    outlet.end()
    assert not outlet.append_stanza(build_message(to=None, sender=None))
    assert outlet.framing is plain.outlet.framing
