"""What a session remembers."""

import pytest

from actors.ledger import Parcel
from actors.outlet import NO_OUTLET
from actors.session_state import Entry, ManagedStream, SessionState
from tests.actors.session_support import BALCONY, Account, chat, make_ledger


def test_entry_is_held_until_its_record_is_committed() -> None:
    stanza = chat("hi")
    entry = Entry(stanza)
    assert (entry.size, entry.gate) == (stanza.size, None)
    parcel = Parcel(stanza, 1)
    gate = Entry(stanza, parcel).gate
    assert gate is not None
    before = gate.is_open
    parcel.open()
    assert (before, gate.is_open) == (False, True)


@pytest.mark.parametrize("is_journaled", [True, False])
def test_h_is_nothing_until_the_session_itself_is_known_to_last(is_journaled: bool) -> None:
    """A client that was told more could not get it back."""
    stream = ManagedStream("sm", make_ledger(), 300.0, is_journaled=is_journaled)
    for _ in range(3):
        stream.incoming.receive()
    stream.incoming.journaled(3)
    before, stream.is_saved = stream.h, True
    assert (before, stream.h) == (0 if is_journaled else 3, 3)


def test_session_without_management_owes_nothing_and_never_hibernates() -> None:
    state = SessionState(BALCONY, NO_OUTLET, None, None)
    assert list(state.owed()) == []
    assert not state.is_hibernating
    assert state.phase_name == "session_established"


def test_session_owes_what_was_written_and_what_waits() -> None:
    account = Account()
    state = account.session()
    first, second = account.owe(state, chat("1")), account.owe(state, chat("2"))
    assert state.stream is not None
    state.stream.outgoing.next()
    assert list(state.owed()) == [first, second]
    before, state.stream.is_hibernating = state.is_hibernating, True
    assert (before, state.is_hibernating, state.phase_name) == (False, True, "detached")
