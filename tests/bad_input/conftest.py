"""A server with small limits, so that they are met within moments."""

from collections.abc import Iterator

import pytest

from tests.bad_input.limits import LIMITS
from tests.support.server import RunningServer


@pytest.fixture(scope="session")
def shared_small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    flags = [f"--set=limits.{name}={value}" for name, value in LIMITS.items()]
    server = RunningServer(tmp_path_factory.mktemp("small-server"), *flags)
    yield server
    assert server.stop() == 0, server.log.tail()


@pytest.fixture
def small_server(shared_small_server: RunningServer) -> Iterator[RunningServer]:
    """The worker's server with small limits, in which nothing may die while a test runs."""
    with shared_small_server.watched():
        yield shared_small_server
