"""Clients that come back to a server started again, and ask for what is not theirs, or count wrongly."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bad_input.test_stream_management import assert_refused, failure, too_high
from tests.bad_input.test_xml import assert_ended_with
from tests.support.managed_client import MODULUS, SM, ManagedClient, Refused
from tests.support.raw_client import RawClient, assert_serves
from tests.support.server import RunningServer

SCENARIOS = ("too high", "too low", "stranger", "twice", "honest", "away", "rebound")
ACKED = 3
"""Messages that each client has acknowledged, of five that it has got, when the server ends."""


class Restarted(NamedTuple):
    """A server started again, and the clients that knew it before, by what they are going to do."""

    server: RunningServer
    is_crash: bool
    clients: dict[str, ManagedClient]


def stop_in_order(server: RunningServer) -> None:
    assert server.stop() == 0, server.log.tail()


def kill_with_database(server: RunningServer) -> None:
    server.kill_with_database()


@pytest.fixture(scope="module", params=[stop_in_order, kill_with_database])
def shared_restarted(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Restarted]:
    end: Callable[[RunningServer], None] = request.param
    server = RunningServer(tmp_path_factory.mktemp("restarted"))
    with ExitStack() as stack:
        clients = {name: stack.enter_context(_owed_two(server)) for name in SCENARIOS}
        end(server)
        for client in clients.values():
            client.cut()
        server.restart()
        yield Restarted(server, end is kill_with_database, clients)
        assert server.stop() == 0, server.log.tail()


def _owed_two(server: RunningServer) -> ManagedClient:
    """A client that has got five messages from one that is managed too, and has acknowledged three."""
    client = ManagedClient(server, server.account()).log_in()
    with ManagedClient(server, server.account(), "other").log_in() as other:
        for number in range(5):
            other.say(client.address, f"n{number}")
        other.wait_acknowledged()
        for number in range(ACKED):
            assert client.message() == f"n{number}"
        client.acknowledge()
        client.send(f"<presence to='{other.address}'/>")
        client.wait_acknowledged()
        client.handled = ACKED  # whatever came besides is lost with the connection
        client._elements.clear()
    return client


@pytest.fixture
def restarted(shared_restarted: Restarted) -> Iterator[Restarted]:
    """In which nothing may die while a test runs."""
    with shared_restarted.server.watched():
        yield shared_restarted


def assert_gets_the_rest(client: ManagedClient) -> None:
    """Those that it had not acknowledged, in order, and nothing twice."""
    assert client.message() == "n3"
    assert client.message() == "n4"
    assert client.settle() == []
    client.wait_acknowledged()


def test_resume_is_given_to_an_honest_client(restarted: Restarted) -> None:
    client = restarted.clients["honest"]
    assert client.resume() is None
    assert_gets_the_rest(client)
    assert_serves(restarted.server)


def test_resume_with_h_too_high_goes_by_what_can_be_known(restarted: Restarted) -> None:
    """After an orderly end that is exact. After a crash nobody knows what else was sent: all of it may be."""
    client = restarted.clients["too high"]
    client.connect()
    h = ACKED + 1_000
    if restarted.is_crash:
        client.handled = h
        assert client.ask_to_resume() is None
        assert client.settle() == []
    else:
        client.client.send(f"<resume xmlns='{SM}' previd='{client.sm_id}' h='{h}'/>")
        received = client.client.read_to_end()
        assert too_high(h, 5) in received
        assert_ended_with(received, "undefined-condition")
        assert client.resume() is None
        assert_gets_the_rest(client)
    assert_serves(restarted.server)


def test_resume_with_h_too_low_is_refused_with_what_was_handled(restarted: Restarted) -> None:
    client = restarted.clients["too low"]
    client.connect()
    if not restarted.is_crash:  # else what was acknowledged since the last document is not known
        for h in (ACKED - 1, 0):
            assert client.ask_to_resume(h) == Refused("item-not-found", client.acked)
    assert client.ask_to_resume(MODULUS - 1) == Refused("item-not-found", client.acked)
    assert client.ask_to_resume() is None
    assert_gets_the_rest(client)
    assert_serves(restarted.server)


def test_resume_of_somebody_elses_session_is_refused_like_one_that_never_was(restarted: Restarted) -> None:
    server, client = restarted.server, restarted.clients["stranger"]
    with RawClient(server, "c2s_tls") as thief:
        thief.authenticate(server.account())
        answers = {
            failure(thief, f"<resume xmlns='{SM}' previd='{name}' h='0'/>") for name in (client.sm_id, "none")
        }
        assert len(answers) == 1
        assert_refused(answers.pop(), "item-not-found")
    assert client.resume() is None
    assert_gets_the_rest(client)
    assert_serves(server)


def test_resume_by_several_at_once_leaves_it_with_one(restarted: Restarted) -> None:
    """Those who come while the session is being read from the database as well."""
    server, client = restarted.server, restarted.clients["twice"]
    with ExitStack() as stack:
        rivals = [stack.enter_context(RawClient(server, "c2s_tls")) for _ in range(4)]
        for rival in rivals:
            rival.authenticate(client.account)
        for rival in rivals:
            rival.send(f"<resume xmlns='{SM}' previd='{client.sm_id}' h='{client.handled}'/>")
        outcomes = [rival.read_until(rb"<resumed [^>]*/>|</failed>") for rival in rivals]
        assert any(b"<resumed " in outcome for outcome in outcomes)
        for outcome in outcomes:
            if b"<failed " in outcome:
                assert_refused(outcome, "conflict")
        assert client.resume() is None
        for rival, outcome in zip(rivals, outcomes, strict=True):
            if b"<resumed " in outcome:
                assert_ended_with(rival.read_to_end(), "conflict")
    assert_gets_the_rest(client)
    assert_serves(server)


def test_session_whose_resource_is_bound_anew_is_over(restarted: Restarted) -> None:
    """The new one gets what the old one was owed."""
    server, client = restarted.server, restarted.clients["rebound"]
    with RawClient(server, "c2s_tls") as newer:
        newer.log_in(client.account, "managed")
        newer.send("<presence/>")
        received = newer.read_until(rb"n4</body>.*?</message>")
        assert received.count(b"<message ") == 2
        assert b"<body>n3</body>" in received
        refused = client.resume()
        assert refused is not None
        assert refused.condition == "item-not-found"
    assert_serves(server)


def test_session_that_nobody_resumes_is_sent_to_like_any_other(restarted: Restarted) -> None:
    """Another client of the account finds nothing: it all waits for the one that may come back."""
    server, client = restarted.server, restarted.clients["away"]
    with RawClient(server, "c2s_tls") as newer, RawClient(server, "c2s_tls") as other:
        newer.log_in(client.account, "newer")
        other.log_in(server.account())
        other.send(f"<message to='{client.address}' type='chat'><body>n5</body></message>")
        other.send(f"<iq type='get' to='{client.account.jid}' id='dealt'><ping xmlns='urn:xmpp:ping'/></iq>")
        other.read_until(rb"<iq [^>]*id='dealt'")
        newer.send(f"<presence/><message to='{client.account.jid}/newer'><body>the last</body></message>")
        received = newer.read_until(rb"the last</body></message>")
        assert b"<body>n" not in received
    assert client.resume() is None
    assert [client.message() for _ in range(3)] == ["n3", "n4", "n5"]
    assert client.settle() == []
    assert_serves(server)


@pytest.mark.parametrize("end", [pytest.param(stop_in_order, marks=pytest.mark.long), kill_with_database])
def test_session_whose_time_is_over_leaves_what_it_was_owed_to_others(
    tmp_path: Path, end: Callable[[RunningServer], None]
) -> None:
    """Whether it was over before the server had started again, or soon after."""
    server = RunningServer(tmp_path, "--set=limits.resume_seconds_max=1")
    with _owed_two(server) as client:
        end(server)
        client.cut()
        server.restart()
        with server.watched(), RawClient(server, "c2s_tls") as newer:
            newer.log_in(client.account, "newer")
            newer.send("<presence/>")
            received = newer.read_until(rb"n4</body>.*?</message>")
            assert received.count(b"<message ") == 2
            assert b"<body>n3</body>" in received
            refused = client.resume()
            assert refused is not None
            assert refused.condition == "item-not-found"
            assert_serves(server)
    assert server.stop() == 0, server.log.tail()
