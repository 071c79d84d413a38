"""Tests of `ops.cli.serve`: what happens before the server itself runs, for which a function stands in."""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from structlog.typing import FilteringBoundLogger

from actors.settings import Settings
from ops.accounts import Accounts
from ops.cli import serve
from ops.cli.main import main
from ops.config import Configuration
from ops.tls import Certificates
from store.memory.driver import MemoryStore
from tests.ops.fake_server import fake_server

Started = list[tuple[Configuration, Certificates, bool]]

# What the server's own process would end with.
STATUS = 7


@pytest.fixture(autouse=True)
def _unchanged_process() -> Iterator[None]:
    umask = os.umask(0o022)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    os.umask(umask)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """What the server was started with."""
    starts: Started = []

    def run_server(
        configuration: Configuration,
        certificates: Certificates,
        _logger: FilteringBoundLogger,
        *,
        with_faults: bool,
    ) -> int:
        starts.append((configuration, certificates, with_faults))
        return STATUS

    monkeypatch.setitem(sys.modules, "ops.server", SimpleNamespace(run_server=run_server))
    return starts


def _serve(folder: Path, *arguments: str, text: str = "[limits]\nconnections_max = 10") -> Result:
    path = folder / "trouper.toml"
    path.write_text(text)
    return CliRunner().invoke(main, ["serve", "--config", str(path), *arguments])


def test_serve_starts_the_server_and_ends_with_its_status(tmp_path: Path, started: Started) -> None:
    result = _serve(tmp_path, "--set", "domain=chat.example")
    assert result.exit_code == STATUS
    ((configuration, certificates, with_faults),) = started
    assert configuration.settings.domain == "chat.example"
    assert not with_faults
    assert certificates.context.cert_store_stats() == {"x509": 0, "crl": 0, "x509_ca": 0}


def test_serve_faults_are_for_those_who_ask(tmp_path: Path, started: Started) -> None:
    _serve(tmp_path, "--faults")
    assert started[0][2]


def test_serve_makes_a_certificate_once(tmp_path: Path, started: Started) -> None:
    assert "made a self-signed certificate" in _serve(tmp_path).stderr
    assert "made a self-signed certificate" not in _serve(tmp_path).stderr
    assert len(started) == 2


def test_serve_certificate_of_another_domain_is_warned_of(tmp_path: Path, started: Started) -> None:
    _serve(tmp_path)
    assert "not for chat.example" in _serve(tmp_path, "--set", "domain=chat.example").stderr
    assert len(started) == 2


@pytest.mark.parametrize(
    ("text", "status", "sentence"),
    [
        ("domian = 1", 2, "did you mean domain?"),
        ('[listen]\nc2s = ["0.0.0.0:5222"]', 1, "server.crt and "),
        ('data_dir = "trouper.toml"', 1, "File exists"),
    ],
)
def test_serve_what_cannot_work_is_not_started(
    tmp_path: Path, started: Started, text: str, status: int, sentence: str
) -> None:
    result = _serve(tmp_path, text=text)
    assert result.exit_code == status
    assert sentence in result.stderr
    assert started == []


def test_serve_second_server_in_one_directory_is_not_started(tmp_path: Path, started: Started) -> None:
    with fake_server(tmp_path / "data", lambda _: None):
        result = _serve(tmp_path)
    assert (result.exit_code, started) == (1, [])
    assert f"a server is running on {tmp_path}/data already" in result.stderr


def test_serve_demonstration_is_prepared_and_explained(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    store.open()

    @contextmanager
    def open_accounts(settings: Settings, _say: Callable[[str], None]) -> Iterator[Accounts]:
        yield Accounts(store, settings.domain, lambda: 0, lambda: b"0123456789abcdef")

    monkeypatch.setattr(serve, "open_accounts", open_accounts)
    result = _serve(tmp_path, "--demo")
    assert len(started) == 1
    assert "romeo@localhost   password " in result.stderr
    assert store.user("juliet@localhost") is not None
