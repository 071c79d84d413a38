"""While people chat, whatever may die is killed: no stream closes, every message arrives once and in order.

Two accounts talk over TLS, and a third writes to one that is not there; each kind of actor is killed at rest
and with a message in hand, the database process as well. Nothing is promised yet for connections.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from ops.control import ask
from ops.control_protocol import Command, Request
from ops.faults import AT_REST, DATABASE_PROCESS
from protocols.namespaces import PING
from tests.support.raw_client import RawClient
from tests.support.server import START_SECONDS_MAX, Account, RunningServer

ROUNDS: Final = 12
BURST: Final = 5
"""Messages sent each way in a round, and to the account that is not there."""


class Fault(NamedTuple):
    """One kind of kill. `noun` is what a person would say dies."""

    kind: str
    at: str


KILLS_AT_REST: Final = tuple(
    Fault(kind, AT_REST)
    for kind in ("session", "presence", "registry", "port driver", "batcher", "database", DATABASE_PROCESS)
)
KILLS_IN_HAND: Final = (
    *(
        Fault(kind, point)
        for kind in ("session", "presence", "registry", "batcher")
        for point in ("before decide", "after decide")
    ),
    Fault("port driver", "before decide"),
)


@pytest.fixture(scope="module")
def faulty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that kills on demand."""
    server = RunningServer(tmp_path_factory.mktemp("faulty"), "--faults", "--set=limits.restarts_max=1000")
    yield server
    assert server.stop() == 0, server.log.tail()


def control(server: RunningServer, command: Command, **arguments: str) -> dict[str, object]:
    """Ask the server's control socket."""
    answer = ask(server.data_dir, Request(command, arguments))
    assert isinstance(answer, dict)
    return answer


class Talker:
    """One end of a conversation: numbers what it sends, reads in a thread what it gets."""

    def __init__(self, server: RunningServer, name: str, stack: contextlib.ExitStack) -> None:
        self.account = server.account()
        self.client = stack.enter_context(RawClient(server))
        self.address = self.client.log_in(self.account, name)
        self.client.become_available()
        self.sent = 0
        self.refused: set[int] = set()

    def say(self, to: str) -> None:
        """Send the next message."""
        self.sent += 1
        self.client.send(
            f"<message to='{to}' type='chat' id='m{self.sent}'><body>n{self.sent}</body></message>"
        )

    def heard(self, up_to: int) -> list[int]:
        """Read until message `up_to` is there; returns the numbers in the order they came."""
        data = self.client.read_until(rf"<body>n{up_to}</body>.*?</message>".encode())
        return [int(number) for number in re.findall(rb"<body>n(\d+)</body>", data)]


def _provoke(server: RunningServer) -> None:
    """Give those something to handle that no chat passes: the registry counts, presence answers."""
    control(server, Command.STATUS)


@pytest.mark.parametrize(
    "fault", [*KILLS_AT_REST, *KILLS_IN_HAND], ids=lambda fault: f"{fault.kind}, {fault.at}"
)
def test_kill_while_two_chat_loses_nothing(faulty_server: RunningServer, fault: Fault) -> None:
    """Each round makes the fault happen while messages are on their way in both directions."""
    server = faulty_server
    with contextlib.ExitStack() as stack:
        left, right, kept = (Talker(server, name, stack) for name in ("left", "right", "writer"))
        _chat(server, fault, left, right, kept)


def _chat(server: RunningServer, fault: Fault, left: Talker, right: Talker, kept: Talker) -> None:
    absent = server.account()
    before = _happened(server, fault)
    for number in range(1, ROUNDS + 1):
        killer = threading.Thread(target=_make, args=(server, fault))
        killer.start()
        if fault.at != AT_REST:
            killer.join()  # armed before anything comes into a hand
        for _ in range(BURST):
            left.say(right.address)
            right.say(left.account.jid)
            kept.say(absent.jid)
        _provoke(server)
        killer.join()
        expected = list(range((number - 1) * BURST + 1, number * BURST + 1))
        assert right.heard(number * BURST) == expected
        assert left.heard(number * BURST) == expected
        _settle(kept)
    _assert_kept(server, absent, kept)  # when it holds, what had to wait for the database has been in hands
    control(server, Command.FAULT_DISARM)
    assert _happened(server, fault) - before >= ROUNDS // 2


def _make(server: RunningServer, fault: Fault) -> None:
    control(server, Command.FAULT, kind=fault.kind, at=fault.at, match="")


def _happened(server: RunningServer, fault: Fault) -> int:
    happened = control(server, Command.FAULT_COUNT)["happened"]
    assert isinstance(happened, dict)
    name = fault.kind if fault.kind == DATABASE_PROCESS else f"{fault.kind} {_at(fault)}"
    return int(happened.get(name, 0))


def _at(fault: Fault) -> str:
    return "at rest" if fault.at == AT_REST else fault.at


def _settle(writer: Talker) -> None:
    """Wait until the server has dealt with everything the writer sent, and note what it refused."""
    writer.client.send(
        f"<iq type='get' to='{writer.account.jid}' id='p{writer.sent}'><ping xmlns='{PING}'/></iq>"
    )
    data = writer.client.read_until(rf"<iq [^>]*id='p{writer.sent}'[^>]*>".encode())
    writer.refused.update(map(int, re.findall(rb"<message [^>]*type='error' id='m(\d+)'", data)))


def _log_in_late(client: RawClient, account: Account) -> bool:
    """Log in unless the database is away for the moment, as it may be after many deaths in a row."""
    client.secure()
    answer = client.attempt_plain(account.username, account.password)
    if b"<temporary-auth-failure" in answer:
        return False
    assert b"<success" in answer, answer
    client.open_stream()
    client.bind("late")
    return True


def _assert_kept(server: RunningServer, absent: Account, writer: Talker) -> None:
    """The account that was not there finds every message that was not refused, once and in order."""
    expected = [number for number in range(1, writer.sent + 1) if number not in writer.refused]
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        with RawClient(server) as client:
            if _log_in_late(client, absent):
                _assert_finds(client, absent, expected)
                return
        assert time.monotonic() < deadline, "the database did not come back"


def _assert_finds(client: RawClient, absent: Account, expected: list[int]) -> None:
    client.send("<presence/>")
    client.send(f"<message to='{absent.jid}' type='chat'><body>the last</body></message>")
    data = client.read_until(rb"the last</body>.*?</message>")
    assert [int(number) for number in re.findall(rb"<body>n(\d+)</body>", data)] == expected
    assert data.count(b"urn:xmpp:delay") == len(expected)
