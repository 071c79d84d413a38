"""What no client should do with a managed stream (XEP-0198): refused, bounded, and nobody else's trouble."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from queue import SimpleQueue

import pytest

from actors.managed_session import BURST
from protocols.stream_management import PREVID_CHARACTERS_MAX
from tests.bad_input.test_xml import assert_ended_with
from tests.support.managed_client import CLIENT, MODULUS, SM, ManagedClient, Refused, sm
from tests.support.raw_client import SECONDS_MAX, RawClient, assert_serves
from tests.support.server import RunningServer

PING = "<ping xmlns='urn:xmpp:ping'/>"
UNACKED_STANZAS_MAX = 50
UNACKED_BYTES_MAX = 300_000
RESUME_SECONDS_MAX = 1.0
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


@pytest.fixture(scope="session")
def shared_strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    limits = {
        "unacked_stanzas_max": UNACKED_STANZAS_MAX,
        "unacked_bytes_max": UNACKED_BYTES_MAX,
        "resume_seconds_max": RESUME_SECONDS_MAX,
    }
    flags = [f"--set=limits.{name}={value}" for name, value in limits.items()]
    server = RunningServer(tmp_path_factory.mktemp("strict-server"), *flags)
    yield server
    assert server.stop() == 0, server.log.tail()


@pytest.fixture
def strict_server(shared_strict_server: RunningServer) -> Iterator[RunningServer]:
    """A server that waits for nobody long, in which nothing may die while a test runs."""
    with shared_strict_server.watched():
        yield shared_strict_server


def managed(server: RunningServer, resource: str = "managed") -> ManagedClient:
    """A client with a managed stream that is available."""
    client = ManagedClient(server, server.account(), resource).log_in()
    client.become_available()
    return client


def assert_refused(answer: bytes, condition: str) -> None:
    """`<failed/>` with this condition."""
    assert re.search(
        rb"<failed [^>]*><%s xmlns='%s'/></failed>" % (condition.encode(), STANZAS.encode()), answer
    )


def too_high(h: int, sent: int) -> bytes:
    """What the stream error says besides its condition."""
    return f"<handled-count-too-high xmlns='{SM}' h='{h}' send-count='{sent}'/>".encode()


def failure(client: RawClient, element: str) -> bytes:
    """The `<failed/>` by which an element is answered."""
    client.send(element)
    return client.read_until(rb"</failed>")


def assert_still_resumable(client: ManagedClient) -> None:
    """The session is there for its own client, with nothing lost."""
    client.cut()
    assert client.resume() is None
    client.say(client.address, "still mine")
    assert client.message() == "still mine"


# -- resume: what is not there, or not theirs


def test_resume_of_somebody_elses_session_is_refused_like_one_that_never_was(server: RunningServer) -> None:
    """Nothing tells a stranger that there is such a session, and its owner notices nothing."""
    with managed(server) as owner, ManagedClient(server, server.account()) as thief:
        thief.sm_id = owner.sm_id
        thief.client.authenticate(thief.account)
        answers = [
            failure(thief.client, f"<resume xmlns='{SM}' previd='{name}' h='0'/>")
            for name in (owner.sm_id, "f" * len(owner.sm_id or ""))
        ]
        assert answers[0] == answers[1]
        assert_refused(answers[0], "item-not-found")
        assert b" h=" not in answers[0]
        thief.client.bind("honest")
        owner.say(owner.address, "undisturbed")
        assert owner.message() == "undisturbed"
        assert_still_resumable(owner)
    assert_serves(server)


def test_resume_of_somebody_elses_session_that_has_ended_tells_nothing(server: RunningServer) -> None:
    with managed(server) as owner, RawClient(server, "c2s_tls") as thief:
        owner.wait_acknowledged()
        owner.client.send("</stream:stream>")
        owner.client.read_to_end()
        thief.authenticate(server.account())
        answer = failure(thief, f"<resume xmlns='{SM}' previd='{owner.sm_id}' h='0'/>")
        assert_refused(answer, "item-not-found")
        assert b" h=" not in answer
        assert owner.resume() == Refused("item-not-found", 1)
    assert_serves(server)


def test_resume_after_expiry_is_refused_with_what_was_handled(strict_server: RunningServer) -> None:
    """What the session was owed waits for the next one, which may begin on the very same stream."""
    server = strict_server
    with managed(server) as witness, managed(server) as client:
        client.say(witness.address, "sent")
        assert witness.message() == "sent"
        witness.say(client.address, "never acknowledged")
        assert client.message() == "never acknowledged"
        witness.send(f"<presence to='{client.address}' type='unavailable'/>")
        client.send(f"<presence to='{witness.address}'/>")
        assert witness.expect(f"{{{CLIENT}}}presence").get("from") == client.address
        client.cut()
        assert witness.expect(f"{{{CLIENT}}}presence").get("type") == "unavailable"
        assert client.resume() == Refused("item-not-found", 3)
        client.client.bind("next")
        client.client.send("<presence/>")
        assert b"never acknowledged" in client.client.read_until(rb"</message>")
    assert_serves(server)


@pytest.mark.parametrize("way", ["c2s", "c2s_tls"])
def test_resume_before_log_in_is_refused_and_the_stream_goes_on(server: RunningServer, way: str) -> None:
    with managed(server) as owner, RawClient(server, way) as stranger:
        stranger.secure()
        resume = f"<resume xmlns='{SM}' previd='{owner.sm_id}' h='0'/>"
        assert_refused(failure(stranger, resume), "unexpected-request")
        assert b"<success" in stranger.attempt_plain(owner.account.username, owner.account.password)
        assert_still_resumable(owner)
    assert_serves(server)


def test_resume_by_many_guesses_ends_the_stream(server: RunningServer) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.authenticate(server.account())
        client.send(f"<resume xmlns='{SM}' previd='guess' h='0'/>" * 1_000)
        received = client.read_to_end()
        assert received.count(b"<failed ") < 20
        assert_ended_with(received, "policy-violation")
    assert_serves(server)


def test_resume_on_a_stream_with_a_session_is_refused(server: RunningServer) -> None:
    with managed(server) as owner, RawClient(server, "c2s_tls") as client:
        address = client.log_in(owner.account, "other")
        assert_refused(
            failure(client, f"<resume xmlns='{SM}' previd='{owner.sm_id}' h='0'/>"), "unexpected-request"
        )
        client.send(f"<message to='{address}'><body>unharmed</body></message>")
        assert b"unharmed" in client.read_until(rb"</message>")
        assert_still_resumable(owner)
    assert_serves(server)


MALFORMED = {
    "no previd": "<resume xmlns='{}' h='0'/>",
    "no h": "<resume xmlns='{}' previd='x'/>",
    "nothing": "<resume xmlns='{}'/>",
    "negative h": "<resume xmlns='{}' previd='x' h='-1'/>",
    "h that is no number": "<resume xmlns='{}' previd='x' h='many'/>",
    "h too large": "<resume xmlns='{}' previd='x' h='4294967296'/>",
    "h far too large": "<resume xmlns='{}' previd='x' h='" + "9" * 5_000 + "'/>",
    "h with other digits": "<resume xmlns='{}' previd='x' h='٣'/>",
    "previd too long": "<resume xmlns='{}' h='0' previd='" + "x" * (PREVID_CHARACTERS_MAX + 1) + "'/>",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_resume_malformed_is_refused_and_the_stream_goes_on(server: RunningServer, name: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.authenticate(server.account())
        assert_refused(failure(client, MALFORMED[name].format(SM)), "bad-request")
        client.bind("after")
    assert_serves(server)


@pytest.mark.parametrize("previd", ["", "/", "../../x", "a b", "&lt;x&gt;", "$ne", "😀" * 100, "x" * 4_000])
def test_resume_with_odd_name_is_refused_and_the_stream_goes_on(server: RunningServer, previd: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.authenticate(server.account())
        assert_refused(failure(client, f"<resume xmlns='{SM}' previd='{previd}' h='0'/>"), "item-not-found")
        client.bind("after")
    assert_serves(server)


# -- resume: with a wrong count


@pytest.mark.parametrize("excess", [1, 2, 1_000_000, MODULUS // 4])
def test_resume_with_h_too_high_is_told_so_and_session_waits(server: RunningServer, excess: int) -> None:
    with managed(server) as client:
        client.cut()
        client.connect()
        client.client.send(f"<resume xmlns='{SM}' previd='{client.sm_id}' h='{client.handled + excess}'/>")
        received = client.client.read_to_end()
        assert b"resumed" not in received
        assert too_high(client.handled + excess, client.handled) in received
        assert_ended_with(received, "undefined-condition")
        assert_still_resumable(client)
    assert_serves(server)


def test_resume_with_h_too_low_is_refused_with_what_was_handled(server: RunningServer) -> None:
    """What was acknowledged before is gone: nobody can go on from there."""
    with managed(server) as client:
        for number in range(5):
            client.say(client.address, f"n{number}")
            assert client.message() == f"n{number}"
        client.acknowledge()
        client.wait_acknowledged()  # and so the server has seen ours
        client.cut()
        client.connect()
        assert client.ask_to_resume(client.handled - 1) == Refused("item-not-found", client.acked)
        assert client.ask_to_resume(client.handled) is None
        client.say(client.address, "still mine")
        assert client.message() == "still mine"
    assert_serves(server)


# -- resume: twice at once


def test_resume_twice_one_after_the_other_gives_it_to_the_later(server: RunningServer) -> None:
    with managed(server) as client:
        client.cut()
        assert client.resume() is None
        earlier = client.client
        assert client.resume() is None
        assert_ended_with(earlier.read_to_end(), "conflict")
        client.say(client.address, "mine")
        assert client.message() == "mine"
    assert_serves(server)


def test_resume_by_many_at_once_leaves_it_with_one(server: RunningServer) -> None:
    """Each gets it for a moment; all but one are closed with conflict, and nothing is lost."""
    with managed(server) as client, managed(server) as other, ExitStack() as stack:
        client.wait_acknowledged()
        client.cut()
        other.say(client.address, "waiting")
        rivals = [stack.enter_context(RawClient(server, "c2s_tls")) for _ in range(6)]
        for rival in rivals:
            rival.authenticate(client.account)
        resume = f"<resume xmlns='{SM}' previd='{client.sm_id}' h='{client.handled}'/>"
        ping = f"<iq type='get' id='mine'>{PING}</iq>"
        ends: SimpleQueue[tuple[RawClient, bytes]] = SimpleQueue()

        def resume_and_hear(rival: RawClient) -> None:
            rival.send(resume)
            ends.put((rival, rival.read_until(rb"id='mine'|</stream:stream>")))

        threads = [threading.Thread(target=resume_and_hear, args=(rival,)) for rival in rivals]
        for thread in threads:
            thread.start()
        losers = dict(ends.get(timeout=SECONDS_MAX) for _ in rivals[1:])
        assert all(b"<resumed " in end and b"<conflict " in end for end in losers.values())
        (winner,) = set(rivals) - set(losers)
        winner.send(ping)
        assert b"waiting" in ends.get(timeout=SECONDS_MAX)[1]
        for thread in threads:
            thread.join()
        client.unacked.append(ping)  # as it went out under this client's name
        assert client.resume() is None
        assert client.message() == "waiting"
    assert_serves(server)


# -- acknowledgements


def test_ack_of_what_was_never_sent_ends_the_session(server: RunningServer) -> None:
    """XEP-0198 §6: the error says by how much."""
    with managed(server) as client:
        sent = client.handled
        client.client.send(f"<a xmlns='{SM}' h='{sent + 1}'/>")
        received = client.client.read_to_end()
        assert too_high(sent + 1, sent) in received
        assert_ended_with(received, "undefined-condition")
        answer = client.resume()
        assert answer is not None
        assert answer.condition == "item-not-found"
    assert_serves(server)


@pytest.mark.parametrize("h", [0, 1, MODULUS - 1, MODULUS - 1_000])
def test_ack_that_runs_backwards_says_nothing_new(server: RunningServer, h: int) -> None:
    with managed(server) as client:
        for number in range(5):
            client.say(client.address, f"n{number}")
            assert client.message() == f"n{number}"
        client.acknowledge()
        client.client.send(f"<a xmlns='{SM}' h='{h}'/>" * 3)
        client.acknowledge()
        client.say(client.address, "unharmed")
        assert client.message() == "unharmed"
        assert_still_resumable(client)
    assert_serves(server)


@pytest.mark.parametrize(
    "element",
    [
        "<a xmlns='{}'/>",
        "<a xmlns='{}' h='-1'/>",
        "<a xmlns='{}' h='x'/>",
        "<a xmlns='{}' h='4294967296'/>",
        "<enable xmlns='{}' resume='perhaps'/>",
        "<enable xmlns='{}' resume='true' max='0'/>",
        "<enable xmlns='{}' resume='true' max='-5'/>",
    ],
)
def test_element_malformed_is_refused_and_the_session_goes_on(server: RunningServer, element: str) -> None:
    with managed(server) as client:
        client.client.send(element.format(SM))
        (condition,) = client.expect(sm("failed"))
        assert condition.tag == f"{{{STANZAS}}}bad-request"
        assert_still_resumable(client)
    assert_serves(server)


@pytest.mark.parametrize("name", ["enabled", "resumed", "failed", "sm", "unknown"])
def test_element_that_only_servers_send_is_refused_and_the_session_goes_on(
    server: RunningServer, name: str
) -> None:
    with managed(server) as client:
        client.client.send(f"<{name} xmlns='{SM}' h='5' id='x' previd='{client.sm_id}'/>")
        (condition,) = client.expect(sm("failed"))
        assert condition.tag == f"{{{STANZAS}}}unexpected-request"
        assert_still_resumable(client)
    assert_serves(server)


# -- at the wrong time


@pytest.mark.parametrize("element", ["<r xmlns='{}'/>", "<a xmlns='{}' h='0'/>"])
def test_acknowledgements_before_enabling_are_refused(server: RunningServer, element: str) -> None:
    with RawClient(server, "c2s_tls") as client:
        address = client.log_in(server.account())
        assert_refused(failure(client, element.format(SM)), "unexpected-request")
        client.send(f"<message to='{address}'><body>unharmed</body></message>")
        assert b"unharmed" in client.read_until(rb"</message>")
    assert_serves(server)


@pytest.mark.parametrize("element", ["<enable xmlns='{}'/>", "<r xmlns='{}'/>", "<a xmlns='{}' h='0'/>"])
def test_management_before_binding_is_refused_and_the_stream_goes_on(
    server: RunningServer, element: str
) -> None:
    with RawClient(server, "c2s_tls") as client:
        client.authenticate(server.account())
        assert_refused(failure(client, element.format(SM)), "unexpected-request")
        client.bind("after")
    assert_serves(server)


def test_enabling_twice_is_refused_and_the_first_holds(server: RunningServer) -> None:
    with managed(server) as client:
        client.client.send(f"<enable xmlns='{SM}' resume='true'/>")
        (condition,) = client.expect(sm("failed"))
        assert condition.tag == f"{{{STANZAS}}}unexpected-request"
        assert_still_resumable(client)
    assert_serves(server)


def test_flood_of_requests_and_acknowledgements_is_bounded_by_what_is_read(server: RunningServer) -> None:
    """Each request is answered, and no more is kept of them than of anything else."""
    with RawClient(server, "c2s_tls") as client:
        client.log_in(server.account())
        client.send(f"<enable xmlns='{SM}'/>")
        client.read_until(rb"<enabled [^>]*/>")
        for _ in range(20):
            client.send(f"<r xmlns='{SM}'/><a xmlns='{SM}' h='0'/>" * 500)
            for _ in range(500):
                client.read_until(rb"<a [^>]*h='0'[^>]*/>")
    assert_serves(server)


# -- a client that never acknowledges


@pytest.mark.parametrize("size", [10, 20_000])
def test_client_that_never_acknowledges_is_bounded_and_closed(
    strict_server: RunningServer, size: int
) -> None:
    """In number or in bytes. Its session ends, and what it was owed it finds at its next log-in, once."""
    server = strict_server
    with RawClient(server, "c2s_tls") as mute, managed(server) as other:
        account = server.account()
        address = mute.log_in(account, "mute")
        mute.send(f"<enable xmlns='{SM}' resume='true'/>")
        sm_id = re.search(rb" id='([^']*)'", mute.read_until(rb"<enabled [^>]*/>"))
        assert sm_id is not None
        sent = 0
        with suppress(AssertionError):  # the stream has ended
            while sent < (BURST + 1) * UNACKED_STANZAS_MAX:
                other.say(address, f"n{sent}." + "x" * size, id=f"n{sent}")
                sent += 1
                mute.read_until(rb"</message>")
        assert_ended_with(mute.unread, "resource-constraint")
        other.wait_acknowledged()
        with RawClient(server, "c2s_tls") as again:
            again.authenticate(account)
            assert_refused(
                failure(again, f"<resume xmlns='{SM}' previd='{sm_id[1].decode()}' h='{sent}'/>"),
                "item-not-found",
            )
            again.bind("again")
            again.send("<presence/>")
            other.say(account.jid, "the last")
            received = again.read_until(rb"the last</body>.*?</message>")
        assert re.findall(rb"<body>n(\d+)\.", received) == [b"%d" % number for number in range(sent)]
    assert_serves(server)


def test_client_away_that_is_sent_too_much_loses_its_session_and_no_message(
    strict_server: RunningServer,
) -> None:
    """A hibernating session has the same bounds; beyond, all of it goes to the offline queue."""
    server = strict_server
    with ManagedClient(server, server.account()).log_in() as client, managed(server) as other:
        client.cut()
        total = (BURST + 1) * UNACKED_STANZAS_MAX
        for number in range(total):
            other.say(client.address, f"n{number}")
        other.wait_acknowledged()
        assert _comes_back_as_new(client)
        client.client.send("<presence/>")
        other.say(client.account.jid, "the last")
        received = client.client.read_until(rb"the last</body>.*?</message>")
        assert re.findall(rb"<body>n(\d+)</body>", received) == [b"%d" % number for number in range(total)]
    assert_serves(server)


def _comes_back_as_new(client: ManagedClient) -> bool:
    refused = client.resume()
    client.client.bind("new")
    return refused is not None and refused.condition == "item-not-found"
