"""The reasons for which writes are refused: values that compare, copy and speak."""

import pickle

from store.errors import Conflict, ConflictKind, NotFound, StoreUnavailable


def test_refusals_of_same_content_are_equal() -> None:
    assert Conflict(ConflictKind.REPEATED, "a@b", 3) == Conflict(ConflictKind.REPEATED, "a@b", 3)
    assert len({NotFound("a@b"), NotFound("a@b")}) == 1


def test_refusals_of_other_content_differ() -> None:
    reasons = [
        Conflict(ConflictKind.REPEATED, "a@b", 3),
        Conflict(ConflictKind.REPEATED, "a@b", 4),
        Conflict(ConflictKind.TAKEN, "a@b", 3),
        Conflict(ConflictKind.TAKEN, "a@c", 3),
        NotFound("a@b"),
        NotFound("a@c"),
    ]
    assert len(set(reasons)) == len(reasons)


def test_refusals_tell_what_and_who() -> None:
    assert str(Conflict(ConflictKind.REPEATED, "a@b", 3)) == "repeated: a@b (sequence number 3)"
    assert str(Conflict(ConflictKind.TAKEN, "a@b")) == "taken: a@b"
    assert str(NotFound("a@b")) == "no such account: a@b"


def test_refusals_survive_copying() -> None:
    reason = Conflict(ConflictKind.STALE, "a@b")
    assert pickle.loads(pickle.dumps(reason)) == reason  # noqa: S301 - our own bytes


def test_unavailable_is_not_in_doubt_by_default() -> None:
    assert not StoreUnavailable("away").outcome_unknown
