"""The database goes away: what needs it is refused for a while, the rest goes on, and it heals by itself."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.namespaces import ROSTER
from tests.support.raw_client import RawClient
from tests.support.server import RunningServer


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server whose database may be stopped, and which soon gives up waiting for it."""
    server = RunningServer(tmp_path, "--set", "limits.store_away_seconds=0.5")
    yield server
    assert server.stop() == 0, server.log.tail()


@contextlib.contextmanager
def stopped_database(server: RunningServer) -> Iterator[None]:
    """The database's process stands still: it neither answers nor refuses."""
    (engine,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii").split()
    os.kill(int(engine), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(int(engine), signal.SIGCONT)


def _set_roster(client: RawClient, number: int) -> bytes:
    """Add a contact; returns the answer."""
    item = f"<item jid='c{number}@localhost'/>"
    client.send(f"<iq type='set' id='r{number}'><query xmlns='{ROSTER}'>{item}</query></iq>")
    return client.read_until(rf"<iq [^>]*id='r{number}'[^>]*?(/>|>.*?</iq>)".encode())


def test_database_that_stands_still_stops_nobody_from_chatting(own_server: RunningServer) -> None:
    """Chat goes on, a roster change is refused with type wait, and later goes through."""
    server = own_server
    one, other, third = (server.account() for _ in range(3))
    with RawClient(server) as left, RawClient(server) as right, RawClient(server) as later:
        left.log_in(one, "left")
        left.become_available()
        address = right.log_in(other, "right")
        right.become_available()
        assert b"type='result'" in _set_roster(left, 1)
        later.secure()
        with stopped_database(server):
            # The outcome of this one stays unknown until the database is back: no answer meanwhile.
            left.send(
                f"<iq type='set' id='r2'><query xmlns='{ROSTER}'><item jid='c2@localhost'/></query></iq>"
            )
            for number in range(20):
                left.send(f"<message to='{address}' type='chat'><body>n{number}</body></message>")
            heard = right.read_until(rb"<body>n19</body>")
            assert re.findall(rb"<body>n(\d+)</body>", heard) == [b"%d" % number for number in range(20)]
            answer = later.attempt_plain(third.username, third.password)
            assert b"<temporary-auth-failure" in answer
            refused = _set_roster(right, 3)
            assert b"type='wait'" in refused
            assert b"<resource-constraint" in refused
        assert b"type='result'" in left.read_until(rb"<iq [^>]*id='r2'[^>]*?(/>|>.*?</iq>)")
        while b"type='wait'" in (answer := _set_roster(right, 4)):
            pass
        assert b"type='result'" in answer
    with RawClient(server) as again:
        again.log_in(third, "again")
