"""Tests of `ops.server`: real processes, from the word that they are ready to their status."""

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ops.certificates import write_self_signed
from ops.control import ask
from ops.control_protocol import Command, Request
from tests.support.raw_client import SECONDS_MAX, RawClient, assert_serves
from tests.support.server import STOP_SECONDS_MAX, RunningServer


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[RunningServer]:
    """A server of one's own; a test may end it earlier."""
    server = RunningServer(folder, *flags)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def ended(server: RunningServer) -> int:
    """The status of a server that is ending."""
    status = server.process.wait(STOP_SECONDS_MAX)
    server.log.close()
    return status


def kill(server: RunningServer, kind: str) -> None:
    ask(server.data_dir, Request(Command.FAULT, {"kind": kind, "at": "rest", "match": ""}))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_stop_tells_every_client_and_ends_with_status_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path, "--set=limits.shutdown_seconds_max=60") as server:
        account = server.account()
        with RawClient(server) as tcp, RawClient(server, "c2s_tls") as tls, RawClient(server) as early:
            tcp.log_in(account, "one")
            tls.log_in(account, "two")
            early.open_stream()  # has not logged in
            server.process.send_signal(number)
            for client in (tcp, tls, early):
                said = client.read_to_end()
                assert b"<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" in said
                assert said.endswith(b"</stream:stream>")
        assert ended(server) == 0
        assert server.log.faults() == []
        assert f'"signal": "{number.name}"' in server.log.wait_for('"stopping"', 0)
        assert not (server.data_dir / "control.sock").exists()
