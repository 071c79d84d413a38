"""Tests of `ops.server`: real processes, from the word that they are ready to their status."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ops.certificates import write_self_signed
from ops.control import ServerNotRunning, ask
from ops.control_protocol import Command, Refusal, Request
from tests.support.raw_client import SECONDS_MAX, RawClient, assert_serves
from tests.support.server import CONFIGURATION, START_SECONDS_MAX, STOP_SECONDS_MAX, RunningServer

TROUPER = str(Path(sys.executable).with_name("trouper"))


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
    """Kill at rest."""
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


def test_signal_to_stop_said_twice_changes_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            server.process.send_signal(number)
        assert ended(server) == 0


def test_stop_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    """The database does not stop, since it has been frozen."""
    with running(tmp_path, "--set=limits.shutdown_seconds_max=0.5") as server:
        for database in children(server):
            os.kill(database, signal.SIGSTOP)
        server.process.send_signal(signal.SIGTERM)
        assert ended(server) == 1
        server.log.wait_for("cut off what did not stop in time", 0)
        server.log.wait_for('"the server gave up"', 0)


def children(server: RunningServer) -> list[int]:
    """The processes that a server has started."""
    tasks = Path(f"/proc/{server.pid}/task").glob("*/children")
    found = [int(pid) for task in tasks for pid in task.read_text().split()]
    assert found
    return found


def test_restarts_beyond_the_root_s_intensity_end_the_process_with_status_1(tmp_path: Path) -> None:
    with running(tmp_path, "--faults", "--set=limits.restarts_max=3") as server:
        account = server.account()
        with RawClient(server) as client:
            client.log_in(account)
            while server.process.poll() is None:
                with suppress(ServerNotRunning, Refusal):  # it is ending
                    kill(server, "registry")
            assert b"<system-shutdown " in client.read_to_end()
        assert ended(server) == 1
        given_up = json.loads(server.log.wait_for("given up after too many restarts", 0))
        assert (given_up["actor"], given_up["restarts"]) == ("/", 3)
        assert "reached_max_restart_intensity" in server.log.wait_for('"the server gave up"', 0)


def test_restarts_within_the_root_s_intensity_change_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "--faults", "--set=limits.restarts_max=3") as server:
        for kind in ("registry", "listener"):
            kill(server, kind)
        with suppress(Refusal):  # whom we ask dies of it
            kill(server, "control")
        server.log.wait_for('"/ops/control", "incarnation": 2', SECONDS_MAX)
        assert_serves(server)
        server.process.send_signal(signal.SIGTERM)
        assert ended(server) == 0


# -- certificates


def certificate_seen(server: RunningServer) -> bytes:
    """What a client is shown that connects now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = socket.create_connection(("127.0.0.1", server.ports["c2s_tls"]), SECONDS_MAX)
    with closing(context.wrap_socket(connection)) as secured:
        return secured.getpeercert(binary_form=True) or b""


def test_sighup_shows_the_new_certificate_and_leaves_old_streams_alone(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        account, before = server.account(), certificate_seen(server)
        with RawClient(server, "c2s_tls") as client:
            client.log_in(account)
            for name in ("server.crt", "server.key"):
                (tmp_path / name).unlink()
            write_self_signed(
                tmp_path / "server.crt", tmp_path / "server.key", "localhost", datetime.now(UTC)
            )
            assert certificate_seen(server) == before
            server.process.send_signal(signal.SIGHUP)
            server.log.wait_for("read the certificate again", SECONDS_MAX)
            after = certificate_seen(server)
            assert after == ssl.PEM_cert_to_DER_cert((tmp_path / "server.crt").read_text())
            assert after != before
            client.become_available()


def test_sighup_certificate_that_cannot_be_used_leaves_the_old_one(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        before = certificate_seen(server)
        (tmp_path / "server.crt").write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        line = json.loads(server.log.wait_for("the old certificate stays in use", SECONDS_MAX))
        assert "server.crt" in line["error"]
        assert certificate_seen(server) == before


# -- the start


def test_ready_is_said_at_any_log_level(tmp_path: Path) -> None:
    with running(tmp_path, "--set=log.level=error") as server:
        assert (
            json.loads(server.log.tail()).items() >= {"event": "trouper ready", "domain": "localhost"}.items()
        )
        assert set(server.ports) == {"c2s", "c2s_tls", "http"}
        assert_serves(server)


def test_start_on_an_address_that_is_taken_ends_with_status_1_and_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "trouper.toml").write_text(CONFIGURATION)
        command = [
            TROUPER,
            "serve",
            "--config",
            str(tmp_path / "trouper.toml"),
            f"--set=listen.http=['{address}']",
        ]
        process = subprocess.run(command, capture_output=True, timeout=START_SECONDS_MAX, check=False)
    assert process.returncode == 1
    assert f"cannot listen on {address}: Address already in use" in process.stderr.decode()
    assert b"the server gave up" in process.stderr
    assert b"trouper ready" not in process.stderr
