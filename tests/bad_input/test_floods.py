"""Too much of anything: refused at its limit, with memory bounded and everybody else served."""

import time
from contextlib import ExitStack

import pytest

from tests.bad_input.limits import LIMITS
from tests.bad_input.test_xml import assert_ended_with
from tests.support.raw_client import SECONDS_MAX, RawClient, assert_serves
from tests.support.server import RunningServer

MEGABYTE = 1 << 20
STANZA_BYTES_MAX = 262_144  # the default, which the shared server has
NAMES = 1_000_000
NAMES_IN_ONE = 12_500
PING = "<ping xmlns='urn:xmpp:ping'/>"
DEAF = 20
"""Clients that do not read, at a time."""
WRITE_SECONDS_MAX = LIMITS["write_seconds_max"]
OUTPUT_BYTES_MAX = LIMITS["output_bytes_max"]
MAILBOX_BYTES_MAX = LIMITS["mailbox_bytes_max"]


def message(to: str, size: int) -> bytes:
    """A message of exactly this many bytes."""
    start, end = f"<message to='{to}'><body>".encode(), b"</body></message>"
    return start + b"x" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("cut", [None, 1_000])
def test_stanza_at_its_limit_passes_and_over_it_ends_session(server: RunningServer, cut: int | None) -> None:
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(server.account())
        client.send(message(address, STANZA_BYTES_MAX - 1_000))
        assert len(client.read_until(rb"</message>")) > STANZA_BYTES_MAX - 1_000
        excess = message(address, STANZA_BYTES_MAX + 2)
        step = cut or len(excess)
        for start in range(0, len(excess), step):
            client.send(excess[start : start + step])
        assert_ended_with(client.read_to_end(), "policy-violation")
    assert_serves(server)


def test_ten_thousand_attributes_end_session(server: RunningServer) -> None:
    attributes = "".join(f" a{number}=''" for number in range(10_000))
    for stanza in (f"<message{attributes}/>", f"<message><x xmlns='urn:x'{attributes}/></message>"):
        with RawClient(server, "c2s_tls") as client:
            client.log_in(server.account())
            client.send(stanza)
            assert_ended_with(client.read_to_end(), "policy-violation")
    assert_serves(server)


@pytest.mark.parametrize("where", ["of the stanza", "of a child"])
def test_ten_thousand_namespaces_end_session(server: RunningServer, where: str) -> None:
    declarations = "".join(f" xmlns:n{number}='urn:{number}'" for number in range(10_000))
    stanza = (
        f"<message{declarations}/>" if where == "of the stream" else f"<message><x{declarations}/></message>"
    )
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        client.send(stanza)
        assert_ended_with(client.read_to_end(), "policy-violation")
    assert_serves(server)


def test_nesting_up_to_the_limit_passes_and_beyond_it_ends_session(server: RunningServer) -> None:
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(server.account())

        def nested(depth: int) -> str:
            return f"<message to='{address}'>{'<a>' * (depth - 1)}{'</a>' * (depth - 1)}</message>"

        client.send(nested(60))
        assert client.read_until(rb"</message>").count(b"<a>") == 59
        client.send(nested(10_000))
        assert_ended_with(client.read_to_end(), "policy-violation")
    assert_serves(server)


def test_million_names_leave_memory_as_it_was(server: RunningServer) -> None:
    """In elements that the server looks into, as attributes, children and namespaces."""
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        ask_with_names(client, range(-1, -NAMES_IN_ONE - 1, -1))
        before = server.resident_bytes()
        for first in range(0, NAMES, NAMES_IN_ONE):
            ask_with_names(client, range(first, first + NAMES_IN_ONE))
        # A library that keeps every name for ever grows by some 100 MB.
        assert server.resident_bytes() - before < 24 * MEGABYTE
    assert_serves(server)


def ask_with_names(client: RawClient, names: range) -> None:
    """Change the roster by an element in which all these names stand; they make no difference to it."""
    items = [f"n{number:x}".replace("-", "_") for number in names]
    tenth = len(items) // 10
    inside = "".join(f"<{name}/>" for name in items[:tenth])
    inside += "".join(f"<x xmlns='{name}'/>" for name in items[tenth : 2 * tenth])
    for start in range(2 * tenth, len(items), 50):
        attributes = "".join(f" {name}=''" for name in items[start : start + 50])
        inside += f"<x{attributes}/>"
    client.send(
        f"<iq type='set' id='{items[0]}'><query xmlns='jabber:iq:roster'>"
        f"<item jid='a@b.example'>{inside}</item></query></iq>"
    )
    answer = client.read_until(rb"<iq [^>]*id='%s'[^>]*>" % items[0].encode())
    assert b"type='result'" in answer


def test_flood_of_whitespace_costs_nothing(small_server: RunningServer) -> None:
    """It keeps a session alive and a stream without a header not."""
    with RawClient(small_server, "c2s_tls") as client:
        client.log_in(small_server.account())
        before = small_server.resident_bytes()
        for _ in range(64):
            client.send(b" \n\t\r" * 16_384)
        client.send("<iq type='get' id='end'><ping xmlns='urn:xmpp:ping'/></iq>")
        client.read_until(rb"<iq [^>]*id='end'")
        assert small_server.resident_bytes() - before < 8 * MEGABYTE
    with RawClient(small_server) as stranger:
        for _ in range(64):
            stranger.send(b" " * 65_536)
        assert_ended_with(stranger.read_to_end(), "connection-timeout")
    assert_serves(small_server)


def test_many_elements_before_login_end_the_stream(server: RunningServer) -> None:
    """Requests that each are in order: their number is bounded all the same."""
    with RawClient(server, "c2s_tls") as client:
        client.open_stream()
        client.send("<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>" * 1_000)
        assert_ended_with(client.read_to_end(), "policy-violation")
    assert_serves(server)


# -- clients that do not read


class Deaf(RawClient):
    """A client that is available, has told a witness so, and does not read what is sent to it."""

    def __init__(self, server: RunningServer, witness: str) -> None:
        super().__init__(server, receive_bytes=4_096)
        self.address = self.log_in(server.account(), "deaf")
        self.become_available()
        self.send(f"<presence to='{witness}'/>")


def ping(client: RawClient, id_: str) -> bytes:
    """Everything that came before the answer to a ping, and the answer."""
    client.send(f"<iq type='get' id='{id_}'>{PING}</iq>")
    return client.read_until(rb"<iq [^>]*id='%s'[^>]*>" % id_.encode())


def write_until_refused(sender: RawClient, to: str, size: int = 10_000, *, may_end: bool = False) -> int:
    """Send messages until one comes back; returns how many were taken.

    Args:
        sender: Who writes.
        to: The client that does not read.
        size: Of each message, in bytes.
        may_end: Whether that client may be given up before it refuses anything, as on a busy machine.
    """
    for number in range(2_000):
        sender.send(message(to, size))
        answer = ping(sender, f"n{number}")
        if may_end and b"<service-unavailable " in answer:
            return number
        if b"<message " in answer:
            assert b"<resource-constraint " in answer
            assert b"type='wait'" in answer
            return number
    raise AssertionError("everything was taken for a client that does not read")


def dawdle(deaf: RawClient, sender: RawClient) -> None:
    """Read next to nothing until the server has had enough of that."""
    patience = time.monotonic() + WRITE_SECONDS_MAX + 0.5
    while time.monotonic() < patience:
        deaf.unread += deaf.socket.recv(1)
        ping(sender, "pace")


def test_client_that_does_not_read_is_refused_more_and_then_closed(small_server: RunningServer) -> None:
    """Its senders learn of each message not taken, and that it has gone."""
    with RawClient(small_server, "c2s_tls") as sender:
        witness = sender.log_in(small_server.account(), "witness")
        with Deaf(small_server, witness) as deaf:
            write_until_refused(sender, deaf.address)
            dawdle(deaf, sender)
            assert_ended_with(deaf.read_to_end(), "resource-constraint")
        sender.read_until(rb"<presence [^>]*type='unavailable'[^>]*/>")
    assert_serves(small_server)


def test_client_that_never_reads_again_is_cut_off(small_server: RunningServer) -> None:
    with RawClient(small_server, "c2s_tls") as sender:
        witness = sender.log_in(small_server.account(), "witness")
        with Deaf(small_server, witness) as deaf:
            write_until_refused(sender, deaf.address)
            sender.read_until(rb"<presence [^>]*type='unavailable'[^>]*/>")
    assert_serves(small_server)


def test_client_that_reads_again_in_time_stays(server: RunningServer) -> None:
    """And has every message that was not refused, once and in order. This server gives it half a minute."""
    with RawClient(server, "c2s_tls") as sender:
        witness = sender.log_in(server.account(), "witness")
        with Deaf(server, witness) as deaf:
            taken = write_until_refused(sender, deaf.address, 50_000)
            assert len([deaf.read_until(rb"</message>") for _ in range(taken)]) == taken
            assert b"<message" not in ping(deaf, "alive")
            sender.send(message(deaf.address, 500))
            assert len(deaf.read_until(rb"</message>")) >= 500


def test_many_clients_that_do_not_read_leave_memory_bounded(small_server: RunningServer) -> None:
    """Each is written to until it takes no more: a bounded sum."""
    with ExitStack() as stack:
        sender = stack.enter_context(RawClient(small_server, "c2s_tls"))
        witness = sender.log_in(small_server.account(), "witness")
        all_deaf = [stack.enter_context(Deaf(small_server, witness)) for _ in range(DEAF)]
        before = small_server.resident_bytes()
        for deaf in all_deaf:
            write_until_refused(sender, deaf.address, 15_000, may_end=True)
        # Output and mailbox of each; what its kernel buffers hold is not the server's.
        assert small_server.resident_bytes() - before < DEAF * 2 * (OUTPUT_BYTES_MAX + MAILBOX_BYTES_MAX)
        assert_serves(small_server)
    assert_serves(small_server)


def test_client_that_asks_and_does_not_read_the_answers_is_closed(small_server: RunningServer) -> None:
    """Its requests are heard no more, or are thrown away when its stream is over; no memory goes to them."""
    before = small_server.resident_bytes()
    with RawClient(small_server, "c2s_tls") as other:
        witness = other.log_in(small_server.account(), "other")
        with Deaf(small_server, witness) as deaf:
            if send_until_blocked(deaf, f"<iq type='get' id='{'x' * 5_000}'>{PING}</iq>", 20_000):
                dawdle(deaf, other)
            received = deaf.read_to_end()
            assert b"type='result'" in received
            assert_ended_with(received, "resource-constraint")
    assert small_server.resident_bytes() - before < 8 * MEGABYTE
    assert_serves(small_server)


def send_until_blocked(client: RawClient, data: str, times: int) -> bool:
    """Whether the server stops reading before all has been sent; the kernels keep some megabytes."""
    client.socket.settimeout(0.2)
    try:
        for _ in range(times):
            client.send(data)
    except TimeoutError:
        return True
    finally:
        client.socket.settimeout(SECONDS_MAX)
    return False
