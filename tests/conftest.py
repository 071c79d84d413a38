"""What holds for every test, and the real server that tests of behaviour share."""

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.support.server import RunningServer

# No deadline: this says nothing about speed, and shared machines stall. The same examples each time where the
# result decides whether a change lands; fresh ones everywhere else.
settings.register_profile("trouper", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("trouper")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are imported, and never again look through what that has made.

    It is hundreds of thousands of objects that stay to the end, and each full collection would pass over them
    all: that cost as much time as many of the tests themselves.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server with its database for all tests of a worker; in the end it must stop in good order."""
    server = RunningServer(tmp_path_factory.mktemp("server"))
    yield server
    assert server.stop() == 0, server.log.tail()


@pytest.fixture
def server(shared_server: RunningServer) -> Iterator[RunningServer]:
    """The worker's server, in which nothing may die while a test runs."""
    with shared_server.watched():
        yield shared_server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the last lines of a server's log with a test that failed."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for server in {
            id(each): each for each in item.funcargs.values() if isinstance(each, RunningServer)
        }.values():
            report.sections.append(("server log", server.log.tail()))
    return report
