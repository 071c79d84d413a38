"""How sessions begin among others of their account, and what those that end leave to the others."""

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from actors.connection_messages import ConnectionMessage
from actors.connection_state import ConnectionState
from actors.ledger import Parcel, logged_parcel
from actors.offline_queue import Waiting
from actors.outlet import NO_OUTLET
from actors.receipt import Receipt
from actors.session_messages import Deliver, HandedOver
from actors.session_start import choose_address, start_hibernating, start_session
from actors.session_state import ManagedStream, SessionState
from actors.settings import AuthSettings, ResourceConflict, Settings
from actors.stored_sessions import EndedStream
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.jid import parse_jid
from protocols.stanza import Stanza, build_message
from protocols.stream_queue import Incoming
from supervision.exit_reason import Normal
from supervision.ref import Ref
from tests.actors.house import House
from tests.actors.house_client import Client
from tests.actors.managed_client import appear, managed
from tests.actors.managed_house import BALCONY, FAILED, JULIET, ORCHARD, WINDOW, chat, friends, kept, log


def message(text: object) -> Stanza:
    return build_message(
        to=parse_jid(BALCONY),
        sender=parse_jid(ORCHARD),
        type="chat",
        content=f"<body>{text}</body>".encode(),
    )


def connection(client: Client) -> Ref[ConnectionMessage]:
    assert client.wire.slot is not None
    return client.wire.slot.ref


async def test_start_gives_the_name_and_takes_it_from_whoever_had_it(autojump_clock: MockClock) -> None:
    async with House().open() as house:
        client = house.connect(BALCONY)
        jid, server = parse_jid(BALCONY), house.server
        first = start_session(server, jid, NO_OUTLET, connection(client), None)
        assert server.directory.session(jid) is first
        await house.settle()
        second = start_session(server, jid, NO_OUTLET, connection(client), "it")
        assert server.directory.session(jid) is second
        state = second.slot.state
        assert isinstance(state, SessionState)
        assert (state.lang, state.stream, state.is_hibernating) == ("it", None, False)
        await trio.sleep(10)
        assert client.error == "conflict"


async def test_start_at_the_maximum_a_session_without_a_client_gives_way(autojump_clock: MockClock) -> None:
    """What it was owed goes to the others."""
    async with friends(limits={"sessions_per_user_max": 2}).open() as house:
        romeo = await house.log_in(ORCHARD)
        balcony, window = await appear(house, BALCONY), await appear(house, WINDOW)
        balcony.hang_up()
        romeo.send(chat(BALCONY, "hi"))
        await house.settle()
        third = await managed(house, f"{JULIET}/third")
        assert await window.texts() == ["hi"]
        assert house.server.directory.session(parse_jid(BALCONY)) is None
        assert (await balcony.resume()).tag == FAILED
        with pytest.raises(AssertionError, match="resource-constraint"):
            await house.log_in(f"{JULIET}/fourth")
        assert third.client.is_open


async def test_start_hibernating_waits_for_so_long_and_ends(autojump_clock: MockClock) -> None:
    async with friends().open() as house:
        jid, server = parse_jid(BALCONY), house.server
        state = SessionState(jid, NO_OUTLET, None, None)
        state.stream = ManagedStream("sm", server.ledger_of(jid), 300.0, is_journaled=True)
        state.stream.is_hibernating = True
        session = start_hibernating(server, state, 20.0)
        assert session is not None
        assert server.directory.session(jid) is session
        seen = []
        for seconds in (19, 2):
            await trio.sleep(seconds)
            seen.append((session.is_alive, server.streams.live("sm") is None, server.streams.ended("sm")))
        assert seen == [(True, False, None), (False, True, EndedStream(JULIET, 0))]


async def test_start_beyond_the_server_s_maximum_is_no_session(autojump_clock: MockClock) -> None:
    async with House(limits={"sessions_max": 1}).open() as house:
        await house.log_in(ORCHARD)
        jid, server = parse_jid(BALCONY), house.server
        state = SessionState(jid, NO_OUTLET, None, None)
        state.stream = ManagedStream("sm", server.ledger_of(jid), 300.0, is_journaled=True)
        assert start_hibernating(server, state, 20.0) is None
        with pytest.raises(StanzaError) as caught:
            start_session(server, jid, NO_OUTLET, connection(house.connect(BALCONY)), None)
        assert caught.value.condition is StanzaCondition.RESOURCE_CONSTRAINT
        assert server.directory.session(jid) is None
        assert server.streams.live("sm") is None


async def test_end_what_waits_in_the_mailbox_frees_those_who_wait_for_it(autojump_clock: MockClock) -> None:
    """A message for two resources: one ends with it unread, and the other's copy is not held for ever."""
    async with friends().open() as house:
        balcony, window = await appear(house, BALCONY), await appear(house, WINDOW)
        incoming = Incoming(is_journaled=True)
        receipt = Receipt("somebody's", incoming.receive(), incoming, lambda: None)
        stanza = message("to both")
        stanza.receipt = receipt
        parcel = Parcel(stanza, 2)
        sessions = [house.session_of(client.client.jid) for client in (balcony, window)]
        sessions[0].mailbox.request_stop(Normal())
        for session in sessions:
            receipt.hold()
            assert session.ref.cast(Deliver(stanza, parcel))
        receipt.release()
        assert await window.texts() == ["to both"]
        assert not sessions[0].ref.is_alive
        assert [len(record.outbound) for record in log(house)] == [1]
        assert incoming.safe == 1


async def test_end_of_a_session_that_is_not_managed_gives_its_rest_to_the_others(
    autojump_clock: MockClock,
) -> None:
    async with friends().open() as house:
        window = await appear(house, WINDOW)
        juliet = await house.log_in(BALCONY)
        session = house.session_of(juliet.jid)
        assert juliet.wire.slot is not None
        assert isinstance(juliet.wire.slot.state, ConnectionState)
        juliet.wire.slot.state.outlet.end()
        for number in range(3):
            assert session.ref.cast(Deliver(message(number)))
        juliet.hang_up()
        assert await window.texts() == ["0", "1", "2"]
        assert kept(house) == []


@pytest.mark.parametrize("is_taken", [False, True])
async def test_end_of_a_session_that_was_handed_the_queue_leaves_it_to_the_next(
    autojump_clock: MockClock, is_taken: bool
) -> None:
    """Whether it lies in the mailbox still, or could not be written any more."""
    async with friends().open() as house:
        romeo = await managed(house, ORCHARD)
        romeo.send(chat(JULIET, "1"))
        await house.settle()
        (record,) = log(house)
        juliet = await house.log_in(BALCONY)
        assert juliet.wire.slot is not None
        assert isinstance(juliet.wire.slot.state, ConnectionState)
        juliet.wire.slot.state.outlet.end()
        parcel = logged_parcel(house.server.ledger_of(juliet.jid), record.seq, 0, record.inbound)
        waiting = Waiting(record.seq, 0, message("1"), record.inbound)
        session = house.session_of(juliet.jid)
        session.ref.tell(HandedOver((waiting,), (parcel,)))
        if is_taken:
            await house.settle()
        session.ref.stop(Normal())
        await house.settle()
        window = await managed(house, WINDOW)
        window.send("<presence/>")
        assert await window.texts() == ["1"]


# -- two clients that want one resource (RFC 6120 §7.7.2.2)


@pytest.mark.parametrize("policy", list(ResourceConflict))
@pytest.mark.parametrize("is_fixed", [True, False])
async def test_resource_in_use_goes_by_the_setting(policy: ResourceConflict, *, is_fixed: bool) -> None:
    settings = Settings(auth=AuthSettings(resource_conflict=policy))
    async with House(settings=settings).open() as house:
        await house.log_in("romeo@localhost/orchard")
        wanted, free = parse_jid("romeo@localhost/orchard"), parse_jid("romeo@localhost/garden")
        assert choose_address(house.server, free, is_fixed=is_fixed) == free
        if policy is ResourceConflict.REPLACE:
            assert choose_address(house.server, wanted, is_fixed=is_fixed) == wanted
        elif policy is ResourceConflict.RENAME and not is_fixed:
            chosen = choose_address(house.server, wanted, is_fixed=is_fixed)
            assert (chosen.bare, chosen == wanted) == ("romeo@localhost", False)
        else:
            with pytest.raises(StanzaError, match="conflict"):
                choose_address(house.server, wanted, is_fixed=is_fixed)
