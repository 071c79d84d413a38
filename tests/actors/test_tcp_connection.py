"""Tests of `actors.tcp_connection` with real sockets, the real port driver and clients in this process."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import trio

from actors.connection import UNREAD_BYTES_MAX
from actors.connection_messages import CloseConnection
from actors.connection_state import Phase
from actors.port import READ_BYTES_MAX, READABLE, Port
from actors.session_state import SessionState
from protocols.conditions import StreamCondition
from protocols.jid import parse_jid
from protocols.namespaces import SASL
from supervision.report import ChildTerminated, IntensityReached
from tests.actors.sockets import CLIENT_ADDRESS, contexts
from tests.actors.tcp_stage import HEADER, STARTTLS, TcpClient, TcpStage, auth, bind, message, tcp_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.tcp_connection import TcpState
    from supervision.ref import Ref

ROMEO = "romeo@localhost/orchard"
JULIET = "juliet@localhost/balcony"
COMPRESS = "<compress xmlns='http://jabber.org/protocol/compress'/>"
BUFFER_BYTES = 4_096
MAILBOX_MESSAGES = 200
"""Less than one read can hold, and more than two turns of a session handle: a recipient refuses nothing."""


def _numbered(count: int) -> str:
    return "".join(message(JULIET, str(number)) for number in range(count))


async def _read_numbers(client: TcpClient, count: int) -> list[int]:
    """The numbers in the messages that a client gets, up to the last."""
    xml = await client.read_until(f"<body>{count - 1}</body>")
    return [int(part.partition("</body>")[0]) for part in xml.split("<body>")[1:]]


def _session(stage: TcpStage, jid: str) -> Ref[Any] | None:
    return stage.house.server.directory.session(parse_jid(jid))


# -- TLS


async def test_starttls_two_clients_chat() -> None:
    async with tcp_stage() as stage:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET)
        assert romeo.state.port.is_encrypted
        await romeo.send(_numbered(1))
        assert await _read_numbers(juliet, 1) == [0]


async def test_direct_tls_is_encrypted_from_the_first_byte() -> None:
    async with tcp_stage() as stage:
        romeo = stage.connect(direct_tls=True)
        await romeo.start_tls()
        assert "<starttls" not in await romeo.open()
        await romeo.authenticate("romeo")


@pytest.mark.parametrize("is_direct", [True, False])
async def test_client_with_a_certificate_logs_in_by_it(is_direct: bool) -> None:
    async with tcp_stage() as stage:
        romeo = await _connect_before_tls(stage, is_direct=is_direct)
        await romeo.start_tls(contexts().certified)
        assert "<mechanism>EXTERNAL</mechanism>" in await romeo.open()
        await romeo.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
        await romeo.read_until("<success[^>]*>")
        await romeo.open()
        await romeo.send(bind("orchard"))
        assert CLIENT_ADDRESS in await romeo.read_until("<jid>.*</iq>")


@pytest.mark.parametrize("behind", ["<iq type='get' id='x'><evil/></iq>", "\n", "<", "<a" * 4_000])
async def test_starttls_what_comes_behind_it_in_clear_is_forgotten(behind: str) -> None:
    """It could be anybody's: what counts begins inside TLS (RFC 6120 §5.4.3.3)."""
    async with tcp_stage() as stage:
        romeo = stage.connect()
        await romeo.open()
        await romeo.send(STARTTLS + behind)
        await romeo.read_until("<proceed [^>]*/>")
        await romeo.start_tls()
        await romeo.open()
        await romeo.authenticate("romeo")


async def _connect_before_tls(stage: TcpStage, *, is_direct: bool) -> TcpClient:
    """A client from which the server expects a handshake now."""
    client = stage.connect(direct_tls=is_direct)
    if not is_direct:
        await client.open()
        await client.send(STARTTLS)
        await client.read_until("<proceed [^>]*/>")
    return client


@pytest.mark.parametrize("leave", [TcpClient.hang_up, TcpClient.reset])
@pytest.mark.parametrize("is_direct", [True, False])
async def test_handshake_client_goes_away_leaves_nothing(
    leave: Callable[[TcpClient], None], is_direct: bool
) -> None:
    async with tcp_stage() as stage:
        romeo = await _connect_before_tls(stage, is_direct=is_direct)
        leave(romeo)
        await romeo.gone()


@pytest.mark.parametrize("is_direct", [True, False])
async def test_handshake_that_is_none_closes_the_connection(is_direct: bool) -> None:
    async with tcp_stage() as stage:
        romeo = await _connect_before_tls(stage, is_direct=is_direct)
        await romeo.send("GET / HTTP/1.1\r\n\r\n")
        await romeo.gone()


@pytest.mark.parametrize("is_direct", [True, False])
async def test_handshake_that_stops_halfway_is_cut_off_with_the_negotiation(is_direct: bool) -> None:
    """There is no way to say anything then."""
    async with tcp_stage() as stage:
        romeo = await _connect_before_tls(stage, is_direct=is_direct)
        await romeo.send(b"\x16\x03\x01")  # the first bytes of a record, and no more
        await stage.settle()
        stage.pass_time(31.0)
        assert await romeo.read_to_end() == ""
        await romeo.gone()


async def test_starttls_client_that_left_the_answer_unread_is_dropped() -> None:
    """TLS must not begin behind something still to be written in clear."""
    async with tcp_stage() as stage:
        romeo = stage.connect(buffer_bytes=BUFFER_BYTES)
        await romeo.send(HEADER + COMPRESS * 700 + STARTTLS)
        await romeo.gone()


# -- reading


async def test_read_whole_conversation_in_one_write() -> None:
    """More than the session's mailbox takes: what is held back is taken up again, in order."""
    async with tcp_stage(mailbox_messages_max=MAILBOX_MESSAGES) as stage:
        romeo, juliet = stage.connect(), await stage.log_in(JULIET)
        await romeo.secure()
        await romeo.send(auth("romeo") + HEADER + bind("orchard") + _numbered(500))
        assert await _read_numbers(juliet, 500) == list(range(500))


async def test_read_client_says_everything_and_hangs_up_is_heard_to_the_end() -> None:
    async with tcp_stage(mailbox_messages_max=MAILBOX_MESSAGES) as stage:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET)
        await romeo.send(_numbered(500))
        romeo.hang_up()
        assert await _read_numbers(juliet, 500) == list(range(500))
        await romeo.gone()


class _Flood:
    """A port on which there is always more to read; it notes how far the connection was at each reading."""

    def __init__(self, state: TcpState, port: Port) -> None:
        self.readings: list[Phase] = []
        self._state = state
        self._port = port

    def receive(self) -> bytes | None:
        self.readings.append(self._state.phase)
        return b" " * READ_BYTES_MAX if len(self.readings) < 100 else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


async def test_read_client_that_never_stops_does_not_keep_messages_waiting() -> None:
    """Blanks take no room anywhere, so that nothing else holds such a client up."""
    async with tcp_stage() as stage:
        romeo = stage.connect()
        await romeo.open()
        await stage.settle()
        flood = _Flood(romeo.state, romeo.state.port)
        romeo.state.port = flood  # type: ignore[assignment] # nothing real floods so reliably
        romeo.slot.ref.tell(CloseConnection(StreamCondition.RESET))
        romeo.slot.mailbox.signal(READABLE)
        await stage.settle()
        assert flood.readings.count(Phase.NEGOTIATING) == 1
        assert flood.readings.count(Phase.CLOSING) == 99


async def test_read_client_that_leaves_answers_unread_is_not_heard_until_it_reads() -> None:
    async with tcp_stage() as stage, trio.open_nursery() as nursery:
        romeo = stage.connect(buffer_bytes=BUFFER_BYTES)
        await romeo.open()
        nursery.start_soon(romeo.send, COMPRESS * 10_000 + "</stream:stream>")
        await stage.settle()
        assert UNREAD_BYTES_MAX < romeo.state.outlet.bytes_pending < UNREAD_BYTES_MAX + 2 * READ_BYTES_MAX
        heard = await romeo.read_to_end()
        assert heard.count("</failure>") == 10_000


# -- writing


async def test_write_more_than_the_kernel_takes_arrives_whole() -> None:
    async with tcp_stage() as stage:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET, buffer_bytes=BUFFER_BYTES)
        text = "x" * 200_000
        for _ in range(5):
            await romeo.send(message(JULIET, text))
        await stage.settle()
        assert juliet.state.outlet.bytes_pending > 0
        for _ in range(5):
            assert text in await juliet.read_until("</message>")
        await stage.settle()
        assert juliet.state.outlet.bytes_pending == 0


async def _congest(stage: TcpStage, romeo: TcpClient) -> None:
    """Write to Juliet until her session takes no more."""
    session = _session(stage, JULIET)
    assert session is not None
    while session.slot.mailbox.is_accepting:
        await romeo.send(message(JULIET, "x" * 5_000))
        await stage.settle()


async def test_write_congested_client_breaks_ends_its_session() -> None:
    """Its mailbox refuses even the news of the end until the output is given up."""
    async with tcp_stage(output_bytes_max=20_000) as stage:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET, buffer_bytes=BUFFER_BYTES)
        await _congest(stage, romeo)
        juliet.reset()
        await juliet.gone()
        await stage.settle()
        assert _session(stage, JULIET) is None


async def test_write_congested_client_reads_again_goes_on() -> None:
    async with tcp_stage(output_bytes_max=20_000) as stage:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET, buffer_bytes=BUFFER_BYTES)
        await _congest(stage, romeo)
        await juliet.send(message(ROMEO, "wait"))
        await stage.settle()
        assert juliet.state.held_messages, "its session hears nothing until it has read"
        while juliet.state.held_messages:
            await juliet.read_until("</message>")
            await stage.settle()
        await romeo.read_until("<body>wait</body>")
        await romeo.send(message(JULIET, "on we go"))
        await juliet.read_until("<body>on we go</body>")


async def test_write_congested_client_never_reads_is_closed() -> None:
    async with tcp_stage(output_bytes_max=20_000) as stage:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET, buffer_bytes=BUFFER_BYTES)
        await _congest(stage, romeo)
        await romeo.send(message(JULIET, "one more"))
        await romeo.read_until("<resource-constraint")
        stage.pass_time(31.0)
        await stage.settle()
        assert juliet.state.phase is Phase.CLOSING
        stage.pass_time(4.0)
        await juliet.gone()
        await stage.settle()
        assert _session(stage, JULIET) is None


# -- the end


async def test_close_by_client_is_answered_and_nobody_runs_in_circles() -> None:
    """What is left is to wait for the client's own end."""
    async with tcp_stage() as stage:
        romeo = await stage.log_in(ROMEO)
        await romeo.send("</stream:stream>")
        assert await romeo.read_to_end() == "</stream:stream>"
        await stage.settle()
        assert romeo.state.phase is Phase.CLOSING
        assert _session(stage, ROMEO) is None
        romeo.hang_up()
        await romeo.gone()


async def test_close_client_never_closes_its_side_is_cut_off() -> None:
    async with tcp_stage() as stage:
        romeo = await stage.log_in(ROMEO)
        await romeo.send("</stream:stream>")
        await romeo.read_to_end()
        await stage.settle()
        stage.pass_time(4.0)
        await romeo.gone()


async def test_close_with_error_client_goes_on_writing_reads_the_error() -> None:
    """A connection closed with something unread is reset, and the error with it."""
    async with tcp_stage(stanza_bytes_max=20_000) as stage:
        romeo = await stage.log_in(ROMEO)
        await romeo.send(message(JULIET, "x" * 500_000))
        assert "<policy-violation" in await romeo.read_to_end()
        romeo.hang_up()
        await romeo.gone()


async def test_close_nothing_comes_behind_the_last_words() -> None:
    """What others have for the client then is for its other resources, or is kept."""
    async with tcp_stage() as stage:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET)
        session = _session(stage, JULIET)
        assert session is not None
        state = session.slot.state
        assert isinstance(state, SessionState)
        juliet.slot.ref.tell(CloseConnection(StreamCondition.RESET))
        await romeo.send(_numbered(50))
        heard = await juliet.read_to_end()
        assert heard.endswith("</stream:stream>")
        juliet.hang_up()
        await stage.settle()
        again = await stage.log_in("juliet@localhost/balcony")
        await again.send("<presence/>")
        kept = await _read_numbers(again, 50)
        assert kept == list(range(heard.count("<body>"), 50))


async def test_terminate_client_is_told_and_given_time_to_read() -> None:
    async with tcp_stage() as stage, trio.open_nursery() as nursery:
        romeo = await stage.log_in(ROMEO)
        nursery.start_soon(stage.house.server.connections.terminate_child, romeo.slot.spec.id)
        assert "<system-shutdown" in await romeo.read_to_end()
        await stage.settle()
        assert romeo.slot.is_live
        stage.pass_time(4.0)
        await romeo.gone()


async def test_terminate_client_closes_ends_at_once() -> None:
    async with tcp_stage() as stage, trio.open_nursery() as nursery:
        romeo = await stage.log_in(ROMEO)
        nursery.start_soon(stage.house.server.connections.terminate_child, romeo.slot.spec.id)
        await romeo.read_to_end()
        romeo.hang_up()
        await romeo.gone()


# -- death


async def test_kill_while_chatting_over_tls_goes_on_with_the_same_socket() -> None:
    async with tcp_stage() as stage, trio.open_nursery() as nursery:
        romeo, juliet = await stage.log_in(ROMEO), await stage.log_in(JULIET)
        chat = _numbered(300)
        half = len(chat) // 2 + 7  # in the middle of a stanza

        async def talk() -> None:
            await romeo.send(chat[:half])
            await stage.settle()
            romeo.slot.kill()
            juliet.slot.kill()
            await romeo.send(chat[half:])

        nursery.start_soon(talk)
        assert await _read_numbers(juliet, 300) == list(range(300))
        deaths = Counter(type(report) for report in stage.house.forgive())
        assert deaths == {ChildTerminated: 2}


async def test_kill_while_negotiating_closes_the_stream() -> None:
    async with tcp_stage() as stage:
        romeo = stage.connect()
        await romeo.open()
        await stage.settle()
        romeo.slot.kill()
        assert "<internal-server-error" in await romeo.read_to_end()
        stage.house.forgive()


@pytest.mark.parametrize("is_direct", [True, False])
async def test_kill_in_the_handshake_drops_the_connection(is_direct: bool) -> None:
    async with tcp_stage() as stage:
        romeo = await _connect_before_tls(stage, is_direct=is_direct)
        await stage.settle()
        romeo.slot.kill()
        assert await romeo.read_to_end() == ""
        await romeo.gone()
        stage.house.forgive()


async def test_kill_while_closing_still_waits_no_longer_than_it_must() -> None:
    async with tcp_stage() as stage:
        romeo = await stage.log_in(ROMEO)
        await romeo.send("</stream:stream>")
        assert await romeo.read_to_end() == "</stream:stream>"
        await stage.settle()
        romeo.slot.kill()
        await stage.settle()
        stage.pass_time(4.0)
        await romeo.gone()
        stage.house.forgive()


class _FaultyStream:
    """A parser with a fault."""

    is_held = False

    def receive_data(self, _data: bytes) -> NoReturn:
        raise ZeroDivisionError("a fault of ours")


async def test_crash_with_the_clients_words_in_hand_closes_the_stream() -> None:
    """They are lost, and to go on behind them would be a lie."""
    async with tcp_stage() as stage:
        romeo = await stage.log_in(ROMEO)
        romeo.state.stream = _FaultyStream()  # type: ignore[assignment] # the fault is the point
        await romeo.send(_numbered(1))
        assert "<internal-server-error" in await romeo.read_to_end()
        romeo.hang_up()
        await romeo.gone()
        await stage.settle()
        assert _session(stage, ROMEO) is None
        (death,) = stage.house.forgive()
        assert isinstance(death, ChildTerminated)


async def test_given_up_closes_the_socket_and_ends_the_session() -> None:
    async with tcp_stage(restarts_max=2) as stage:
        romeo = await stage.log_in(ROMEO)
        while romeo.slot.ref.is_alive:
            romeo.slot.kill()
            await stage.settle()
        assert await romeo.read_to_end() == ""
        assert _session(stage, ROMEO) is None
        assert len(stage.house.server.ports) == 0
        assert IntensityReached in {type(report) for report in stage.house.forgive()}
