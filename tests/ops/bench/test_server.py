"""Tests of `ops.bench.server`: what is said of a server that cannot be measured."""

import sys
from pathlib import Path

import pytest

from actors.settings import Durability
from ops.bench import server
from ops.bench.server import BenchError, pinned, running_server
from ops.config import read_configuration


def _server_that(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Puts a shell script in the place of the server; it gets the same arguments."""
    program = folder / "server.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_running_server_is_ready_when_it_says_so_and_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _server_that(monkeypatch, tmp_path, 'echo "trouper ready" >&2; exec tail -f /dev/null')
    with running_server(tmp_path, None, Durability.MEMORY) as running:
        stat = Path(f"/proc/{running.pid}/stat")
        assert stat.exists()
    assert not stat.exists()


@pytest.mark.parametrize("durability", Durability)
def test_running_server_configuration_is_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, durability: Durability
) -> None:
    _server_that(monkeypatch, tmp_path, 'echo "trouper ready" >&2; exec tail -f /dev/null')
    with running_server(tmp_path, None, durability) as running:
        settings = read_configuration(tmp_path / "trouper.toml").settings
    assert settings.durability is durability
    assert [address.port for address in settings.addresses] == [running.port]


def test_running_server_that_ends_is_explained_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _server_that(monkeypatch, tmp_path, 'echo "no database" >&2; exit 3')
    with (
        pytest.raises(BenchError, match="ended with status 3:\nno database"),
        running_server(tmp_path, None, Durability.MEMORY),
    ):
        pytest.fail("it is not running")


def test_running_server_that_never_gets_ready_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "START_SECONDS_MAX", 0.0)
    _server_that(monkeypatch, tmp_path, "exec tail -f /dev/null")
    with pytest.raises(BenchError, match="was not ready"), running_server(tmp_path, None, Durability.MEMORY):
        pytest.fail("it is not ready")


def test_pinned_without_a_core_changes_nothing() -> None:
    assert pinned(None) == []
