"""What a presence actor knows."""

import pytest

from actors.presence_state import NOTHING_PENDING, PendingSize, PresenceState
from tests.actors.presence_support import ROMEO, make_state


def test_priorities_are_those_of_available_resources() -> None:
    assert make_state({"a": 5, "b": None, "c": -1}).priorities == {"a": 5, "c": -1}


def test_drop_forgets_that_it_wanted_the_roster() -> None:
    state = make_state({"a": 0, "b": 0})
    state.interested["a"] = None
    state.drop("a")
    state.drop("a")
    assert (list(state.resources), list(state.interested)) == (["b"], [])


def test_note_kept_counts_on_where_the_count_is_known() -> None:
    state = PresenceState(ROMEO)
    state.next_seq = 7
    state.note_kept(100)
    assert (state.next_seq, state.pending) == (8, None)
    state.pending = NOTHING_PENDING
    state.note_kept(100)
    state.note_kept(50)
    assert (state.next_seq, state.pending) == (10, PendingSize(2, 150))


def test_note_kept_without_a_number_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="no number was reserved"):
        PresenceState(ROMEO).note_kept(1)


def test_forget_document_keeps_the_resources() -> None:
    state = make_state({"a": 0})
    state.next_seq, state.pending = 3, NOTHING_PENDING
    state.forget_document()
    assert {name: getattr(state, name) for name in ("is_loaded", "next_seq", "pending")} == {
        "is_loaded": False,
        "next_seq": None,
        "pending": None,
    }
    assert list(state.resources) == ["a"]
