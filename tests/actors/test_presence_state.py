"""What a presence actor knows."""

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
    state.note_kept(100)
    assert state.pending is None
    state.pending = NOTHING_PENDING
    state.note_kept(100)
    state.note_kept(50)
    assert state.pending == PendingSize(2, 150)


def test_drop_makes_the_queue_uncertain() -> None:
    """What the resource was owed may be waiting there by now."""
    state = make_state({"a": 0})
    state.pending = NOTHING_PENDING
    state.drop("a")
    assert state.pending is None


def test_forget_document_keeps_the_resources() -> None:
    state = make_state({"a": 0})
    state.pending = NOTHING_PENDING
    state.forget_document()
    assert {name: getattr(state, name) for name in ("is_loaded", "pending")} == {
        "is_loaded": False,
        "pending": None,
    }
    assert list(state.resources) == ["a"]
