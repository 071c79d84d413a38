"""What holds for every test, and the real server that tests of behaviour share."""

import gc
import os
from collections.abc import Generator, Iterator
from typing import Final

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


COSTLY_FOR_MODULE: Final = frozenset(
    {"faulty", "faulty_server", "generator", "made", "mongo_store", "own_server", "shared_restarted", "store"}
)
COSTLY_FOR_ALL: Final = frozenset({"shared_small_server", "shared_strict_server"})
"""Fixtures that take a second and more to make, and are made for each module or once for a worker."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what is costly made once: the tests that share it go to one worker, as do those that parse us."""
    for item in items:
        fixtures = set(item.fixturenames) if isinstance(item, pytest.Function) else set()
        if servers := fixtures & COSTLY_FOR_ALL:
            item.add_marker(pytest.mark.xdist_group(min(servers)))
        elif fixtures & COSTLY_FOR_MODULE:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        elif item.path.parent.name == "architecture":
            item.add_marker(pytest.mark.xdist_group("architecture"))


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
