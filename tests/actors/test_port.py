"""Tests of `actors.port`: real sockets, both ends in this process."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from actors.port import READ_BYTES_MAX, Handshake, Port, PortClosedError, peer_address
from ops.certificates import addresses_in
from tests.actors.sockets import (
    CLIENT_ADDRESS,
    Signals,
    begin_tls,
    contexts,
    pump,
    read_to_end,
    receive,
    reset,
    tcp_pair,
    tls_pair,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ends(NamedTuple):
    port: Port
    client: socket.socket


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as sockets:
        yield sockets


@pytest.fixture
def plain(stack: ExitStack) -> Ends:
    server, client = tcp_pair(stack)
    port = Port(server, Signals())
    stack.callback(port.close)
    return Ends(port, client)


@pytest.fixture
def secured(stack: ExitStack, plain: Ends) -> Ends:
    return Ends(plain.port, tls_pair(stack, plain.port, plain.client))


@pytest.fixture(params=["plain", "secured"])
def ends(request: pytest.FixtureRequest) -> Ends:
    """The same in clear and under TLS."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Ends)
    return found


def _fill(port: Port) -> int:
    """Write until the kernel takes no more; returns how much it took."""
    total = 0
    while count := port.send(bytes(READ_BYTES_MAX)):
        total += count
    return total


# -- reading


def test_receive_nothing_there_is_none(ends: Ends) -> None:
    assert ends.port.receive() is None


def test_receive_returns_what_was_sent(ends: Ends) -> None:
    ends.client.sendall(b"<presence/>")
    assert receive(ends.port) == b"<presence/>"


def test_receive_at_the_end_is_empty(ends: Ends) -> None:
    ends.client.sendall(b"last")
    if isinstance(ends.client, ssl.SSLSocket):
        with pytest.raises(ssl.SSLWantReadError):
            _end_tls(ends.client)
    else:
        ends.client.shutdown(socket.SHUT_WR)
    assert receive(ends.port) == b"last"
    assert receive(ends.port) == b""


def _end_tls(client: ssl.SSLSocket) -> None:
    client.setblocking(False)
    client.unwrap()


def test_receive_tls_cut_without_its_end_is_empty(secured: Ends) -> None:
    """Many clients leave so; there is nobody whom the difference would help."""
    secured.client.close()
    assert receive(secured.port) == b""


def test_receive_after_a_reset_raises(plain: Ends) -> None:
    reset(plain.client)
    with pytest.raises(PortClosedError):
        receive(plain.port)


def test_receive_tls_after_a_reset_is_the_end(secured: Ends) -> None:
    """Python's TLS tells no reset from an end."""
    reset(secured.client)
    assert receive(secured.port) == b""


def test_receive_broken_tls_raises(plain: Ends) -> None:
    plain.client.sendall(b"this is no TLS record, nor will it be")
    with pytest.raises(PortClosedError):
        _start_and_shake(plain.port)


def test_drained_by_short_read_in_clear_only(plain: Ends, stack: ExitStack) -> None:
    assert plain.port.drained_by(b"short")
    assert not plain.port.drained_by(bytes(READ_BYTES_MAX))
    tls_pair(stack, plain.port, plain.client)
    assert not plain.port.drained_by(b"short"), "OpenSSL may hold more"


def test_client_certificate_is_what_the_client_has_shown(plain: Ends, stack: ExitStack) -> None:
    assert plain.port.client_certificate() is None
    tls_pair(stack, plain.port, plain.client, contexts().certified)
    shown = plain.port.client_certificate()
    assert shown is not None
    assert addresses_in(shown) == (CLIENT_ADDRESS,)


def test_client_certificate_of_a_client_without_one_is_none(secured: Ends) -> None:
    assert secured.port.client_certificate() is None


# -- writing


def test_send_to_a_peer_that_does_not_read_takes_nothing(ends: Ends) -> None:
    assert _fill(ends.port) > 0
    assert ends.port.send(bytes(READ_BYTES_MAX)) == 0


def test_send_tls_refused_goes_on_with_a_longer_piece(secured: Ends) -> None:
    """OpenSSL has taken a part of what it refused: the same must come again, and more may follow it."""
    total = _fill(secured.port)
    secured.client.settimeout(0.0)
    count, read = 0, 0
    while not count:
        read += _read_all(secured.client)
        count = secured.port.send(bytes(READ_BYTES_MAX) + b"more")
    while read < total + count:
        read += _read_all(secured.client)
    assert count == READ_BYTES_MAX + 4


def _read_all(client: socket.socket) -> int:
    """How much there is to read without waiting."""
    total = 0
    try:
        while data := client.recv(READ_BYTES_MAX):
            total += len(data)
    except ssl.SSLWantReadError:
        return total
    raise AssertionError("the connection has ended")


def test_send_after_a_reset_raises(plain: Ends) -> None:
    reset(plain.client)
    with pytest.raises(PortClosedError):
        _fill(plain.port)


# -- TLS


def test_start_tls_peer_sent_something_and_has_gone_raises(plain: Ends) -> None:
    """What came in clear must not pass for something that TLS protected."""
    plain.client.sendall(b"in clear")
    plain.client.close()
    with pytest.raises(PortClosedError):
        _start_and_shake(plain.port)


def test_start_tls_peer_was_reset_raises(plain: Ends) -> None:
    reset(plain.client)
    with pytest.raises(PortClosedError):
        _start_and_shake(plain.port)


def _start_and_shake(port: Port) -> None:
    port.start_tls(contexts().server)
    _shake(port)


def _shake(port: Port) -> None:
    while port.handshake() is Handshake.WAITING:
        pass
    receive(port)  # with TLS 1.3 the client's refusal comes behind our part of the handshake


def test_handshake_client_that_trusts_another_certificate_raises(plain: Ends, stack: ExitStack) -> None:
    plain.port.start_tls(contexts().server)
    plain.client.setblocking(False)
    stranger = stack.enter_context(
        ssl.create_default_context().wrap_socket(
            plain.client, server_hostname="localhost", do_handshake_on_connect=False
        )
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        pump(stranger.do_handshake, lambda: plain.port.handshake() is Handshake.DONE)
    with pytest.raises(PortClosedError):
        _shake(plain.port)


def test_handshake_peer_silent_waits(plain: Ends, stack: ExitStack) -> None:
    plain.port.start_tls(contexts().server)
    assert plain.port.handshake() is Handshake.WAITING
    begin_tls(stack, plain.client)
    assert plain.port.handshake() is Handshake.WAITING


def test_is_encrypted_once_tls_was_started(plain: Ends) -> None:
    assert not plain.port.is_encrypted
    plain.port.start_tls(contexts().server)
    assert plain.port.is_encrypted


# -- the end


def test_finish_writing_peer_reads_what_was_written_then_the_end(ends: Ends) -> None:
    assert ends.port.send(b"</stream:stream>") == 16
    ends.port.finish_writing()
    assert read_to_end(ends.client) == b"</stream:stream>"


def test_finish_writing_peer_goes_on_writing_is_not_cut_off(ends: Ends) -> None:
    """What it sends can be read, whatever it is, until its own end: only then are our last words safe."""
    ends.client.sendall(bytes(50_000))
    assert ends.port.send(b"<policy-violation/>") == 19
    ends.port.finish_writing()
    ends.client.sendall(bytes(50_000))
    assert read_to_end(ends.client) == b"<policy-violation/>"
    ends.client.shutdown(socket.SHUT_WR)
    total = 0
    while data := receive(ends.port):
        total += len(data)
    assert total >= 50_000


def test_finish_writing_twice_or_after_a_reset_does_no_harm(ends: Ends) -> None:
    ends.port.finish_writing()
    ends.port.finish_writing()
    reset(ends.client)
    ends.port.finish_writing()


def test_finish_writing_nothing_can_be_sent_afterwards(ends: Ends) -> None:
    """Least of all in clear."""
    ends.port.finish_writing()
    with pytest.raises(PortClosedError):
        ends.port.send(b"secret")
    assert read_to_end(ends.client) == b""


def test_close_delivers_what_was_written(plain: Ends) -> None:
    assert plain.port.send(b"bye") == 3
    plain.port.close()
    assert plain.port.fileno == -1
    assert read_to_end(plain.client) == b"bye"


# -- addresses


def test_peer_is_the_address_of_the_other_side(plain: Ends) -> None:
    assert plain.port.peer == "127.0.0.1"


def test_peer_address_local_socket_has_none() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_address(one) == ""
        port = Port(one, Signals())
        assert port.send(b"!") == 1
        assert other.recv(9) == b"!"


def test_peer_address_peer_that_has_gone_has_none(plain: Ends) -> None:
    with socket.socket() as unconnected:
        assert peer_address(unconnected) == ""
