"""With durability `memory` streams are managed as well, and an orderly restart loses nothing."""

from collections.abc import Iterator

import pytest

from tests.support.managed_client import ManagedClient
from tests.support.server import RunningServer


@pytest.fixture
def forgetful_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that journals no message it delivers."""
    server = RunningServer(tmp_path_factory.mktemp("memory"), "--set=durability='memory'")
    yield server
    assert server.stop() == 0, server.log.tail()
    assert server.log.faults() == []


def test_memory_resumes_after_a_loss_and_after_an_orderly_restart(forgetful_server: RunningServer) -> None:
    server = forgetful_server
    with (
        ManagedClient(server, server.account(), "one").log_in() as one,
        ManagedClient(server, server.account(), "other").log_in() as other,
    ):
        one.cut()
        other.say(one.address, "while away")
        other.wait_acknowledged()
        assert one.resume() is None
        assert one.message() == "while away"
        other.say(one.address, "before the end")
        other.wait_acknowledged()
        assert server.stop() == 0
        one.cut()  # with the message unread
        other.cut()
        server.restart()
        assert other.resume() is None
        other.say(one.address, "before it is back")
        other.wait_acknowledged()
        assert one.resume() is None
        assert [one.message() for _ in range(2)] == ["before the end", "before it is back"]
        assert one.settle() == other.settle() == []
