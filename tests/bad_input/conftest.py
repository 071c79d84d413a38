"""A server with small limits, so that they are met within moments."""

from collections.abc import Iterator

import pytest

from tests.support.server import RunningServer

LIMITS = {
    "stanza_bytes_max": 20_000,
    "stanza_bytes_before_auth_max": 10_000,
    "mailbox_bytes_max": 200_000,
    "output_bytes_max": 200_000,
    "negotiation_seconds_max": 1.0,
    "write_seconds_max": 1.0,
    "idle_seconds_max": 2.0,
    "failed_logins_max": 10,
}


@pytest.fixture(scope="session")
def shared_small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    overrides = [f"limits.{name}={value}" for name, value in LIMITS.items()]
    server = RunningServer(tmp_path_factory.mktemp("small-server"), *overrides)
    yield server
    assert server.stop() == 0, server.log.tail()


@pytest.fixture
def small_server(shared_small_server: RunningServer) -> Iterator[RunningServer]:
    """The worker's server with small limits, in which nothing may die while a test runs."""
    with shared_small_server.watched():
        yield shared_small_server
