"""Tests of `ops.chaos.target`: servers that do not start, or cannot be used; a real one is in tests/chaos."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.settings import Address, ListenSettings, Settings, TlsSettings
from ops.certificates import write_self_signed
from ops.chaos.cast import Way
from ops.chaos.target import OwnProcess, Unusable, _free_ports, own_server, running_server
from ops.control_protocol import Command, Refusal, Request
from tests.ops.fake_server import fake_server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a server that has a certificate."""
    tls = TlsSettings(certificate=tmp_path / "server.crt", key=tmp_path / "server.key")
    write_self_signed(tls.certificate, tls.key, "localhost", datetime.now(UTC))
    listen = ListenSettings(c2s=(Address("::1", 5222),), c2s_tls=(), http=(Address("127.0.0.1", 80),))
    return Settings(data_dir=tmp_path / "data", tls=tls, listen=listen)


async def test_running_server_tells_where_clients_find_it(settings: Settings) -> None:
    with fake_server(settings.data_dir, lambda _request: {}) as requests:
        async with running_server(settings) as target:
            assert target.place.domain == "localhost"
            assert target.place.addresses == {Way.STARTTLS: ("::1", 5222), Way.WEBSOCKET: ("127.0.0.1", 80)}
            assert target.own is None
            await target.ask(Command.FAULT, kind="registry", at="rest", match="")
    assert requests[1] == Request(Command.FAULT, {"kind": "registry", "at": "rest", "match": ""})


async def test_running_server_that_does_not_run_is_refused_with_what_to_do(settings: Settings) -> None:
    with pytest.raises(Unusable, match=r"no server is running .*; start it with: trouper serve --faults"):
        async with running_server(settings):
            pass


async def test_running_server_without_faults_is_refused(settings: Settings) -> None:
    def refuse(_request: Request) -> object:
        raise Refusal("this server makes no faults: it was not started with --faults")

    with fake_server(settings.data_dir, refuse), pytest.raises(Unusable, match="not started with --faults"):
        async with running_server(settings):
            pass


async def test_running_server_that_nobody_can_reach_is_refused(settings: Settings) -> None:
    closed = replace(settings, listen=ListenSettings(c2s=(), c2s_tls=(), http=()))
    with pytest.raises(Unusable, match=r"give listen\.c2s an address"):
        async with running_server(closed):
            pass


async def test_running_server_without_its_certificate_is_refused(settings: Settings) -> None:
    settings.tls.certificate.unlink()
    with pytest.raises(Unusable, match="cannot be read"):
        async with running_server(settings):
            pass


async def test_own_server_that_does_not_start_says_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"(?s)ended with status 2:.*sessions_max"):
        async with own_server(tmp_path, ("limits.sessions_max=none",)):
            pass


def test_free_ports_are_different() -> None:
    with _free_ports(3) as ports:
        assert len(set(ports)) == 3


async def test_process_that_was_never_started_has_ended(tmp_path: Path) -> None:
    process = OwnProcess(tmp_path)
    assert process.has_ended
    assert not await process.slow_database(0.0)
    await process.kill()
    process.end_now()
