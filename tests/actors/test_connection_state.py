"""Tests of `actors.connection_state`: where every connection begins, and that ten thousand stay small."""

import pytest

from actors.connection_state import ConnectionState, Phase
from protocols.negotiation_values import State
from tests.actors.house import House
from tests.actors.house_wire import Wire, WireOutlet


async def test_connection_begins_with_its_negotiation_and_no_session() -> None:
    async with House().open() as house:
        setup = house.server.tcp_setup(secure=True)
        state = ConnectionState(WireOutlet(Wire(), setup.framing), setup, "192.0.2.1")
    assert state.phase is Phase.NEGOTIATING
    assert state.negotiation is not None
    assert state.negotiation.state is State.WAIT_FOR_STREAM
    assert state.phase_name == "wait_for_stream"
    assert (state.session, state.jid, state.peer) == (None, None, "192.0.2.1")
    assert not hasattr(state, "__dict__"), "each of thousands has one: fields go into __slots__"


@pytest.mark.parametrize(
    ("phase", "name"),
    [(Phase.ESTABLISHED, "session_established"), (Phase.CLOSING, "closing"), (Phase.CLOSED, "closed")],
)
async def test_connection_says_where_it_stands(phase: Phase, name: str) -> None:
    async with House().open() as house:
        setup = house.server.tcp_setup(secure=True)
        state = ConnectionState(WireOutlet(Wire(), setup.framing), setup, "192.0.2.1")
    state.phase, state.negotiation = phase, None
    assert state.phase_name == name
