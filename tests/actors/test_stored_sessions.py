"""Sessions by name: who lives, who waits in the database, and how the last ones ended."""

import math
from typing import TYPE_CHECKING, Any, cast

import pytest

from actors import stored_sessions
from actors.stored_sessions import EndedStream, LiveStream, StoredSession, Streams
from protocols.jid import parse_jid
from store.sessions import SessionSummary

if TYPE_CHECKING:
    from supervision.ref import Ref

BALCONY, WINDOW = parse_jid("juliet@localhost/balcony"), parse_jid("juliet@localhost/window")
ORCHARD = parse_jid("romeo@localhost/orchard")
SESSION = cast("Ref[Any]", "a session")


def read() -> Streams:
    """Of Juliet one that was connected when the server died and one that was not, and one of Romeo."""
    streams = Streams()
    assert not streams.is_read
    streams.read(
        [
            SessionSummary("a", BALCONY.full, None, 300.0),
            SessionSummary("b", WINDOW.full, 10_000, 0.5),
            SessionSummary("c", ORCHARD.full, 50_000, 60.0),
        ],
        now_ms=100_000,
    )
    return streams


def test_live_from_its_beginning_to_its_end() -> None:
    streams = Streams()
    streams.add("a", BALCONY, SESSION)
    assert streams.live("a") == LiveStream(BALCONY, SESSION)
    assert streams.exists("a")
    streams.remove("a", BALCONY.bare, 7)
    assert streams.live("a") is None
    assert not streams.exists("a")
    assert streams.ended("a") == EndedStream(BALCONY.bare, 7)


def test_ended_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_sessions, "ENDED_MAX", 3)
    streams = Streams()
    for number in range(5):
        streams.remove(str(number), BALCONY.bare, number)
    assert [streams.ended(str(number)) is not None for number in range(5)] == [False, False, True, True, True]


def test_read_notes_who_was_kept_with_all_that_was_owed() -> None:
    streams = Streams()
    exact = SessionSummary("a", BALCONY.full, 10_000, 0.5, is_exact=True)
    streams.read([exact, SessionSummary("b", WINDOW.full, 10_000, 0.5)], now_ms=100_000)
    assert streams.kept == {BALCONY}
    streams.take(BALCONY.bare)
    assert streams.kept == {BALCONY}, "whom they asked may still be heard of"


def test_accounts_are_those_of_which_nobody_has_read_the_sessions() -> None:
    streams = Streams()
    accounts = streams.accounts
    streams.read([SessionSummary("a", BALCONY.full, 10_000, 0.5)], now_ms=100_000)
    assert BALCONY.bare in accounts
    streams.take(BALCONY.bare)
    assert BALCONY.bare not in accounts


def test_read_those_connected_at_a_crash_have_their_full_time_from_now() -> None:
    streams = read()
    assert streams.is_read
    assert streams.stored_of(BALCONY.bare) == [
        StoredSession("a", BALCONY, 400_000),
        StoredSession("b", WINDOW, 10_500),
    ]
    assert streams.stored("c") == StoredSession("c", ORCHARD, 110_000)
    assert streams.stored("d") is None
    assert streams.exists("a")


def test_take_leaves_those_of_other_accounts() -> None:
    streams = read()
    streams.take(BALCONY.bare)
    assert list(streams.stored_of(BALCONY.bare)) == []
    assert [streams.exists(name) for name in "abc"] == [False, False, True]
    streams.take("nobody@localhost")


def test_expired_are_those_whose_time_is_over_some_at_a_time() -> None:
    streams = read()
    assert [each.sm_id for each in streams.expired(100_000, 10)] == ["b"]
    assert [each.sm_id for each in streams.expired(110_000, 10)] == ["b", "c"]
    assert [each.sm_id for each in streams.expired(400_000, 2)] == ["a", "b"]


def test_left_is_for_the_next_process_and_never_over_in_this() -> None:
    streams = Streams()
    streams.add("a", BALCONY, SESSION)
    streams.leave("a", BALCONY, 7)
    assert streams.live("a") is None
    assert streams.stored("a") == StoredSession("a", BALCONY, math.inf, 7)
    assert streams.ended("a") is None
    assert streams.expired(10**15, 10) == []
