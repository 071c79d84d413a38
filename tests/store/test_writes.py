"""Which writes may share a batch."""

import pytest

from store.account_items import AccountItem
from store.log import SEQ_MAX, StanzaNumber
from store.sessions import QueueEntry
from store.users import RosterItem
from store.writes import (
    BATCH_BYTES_MAX,
    ITEM_BYTES_MAX,
    SESSION_BYTES_MAX,
    SETTLED_RECORDS_MAX,
    CreateUser,
    DeleteUser,
    DropItem,
    DropSession,
    InsertRecord,
    ReplaceUser,
    SaveItem,
    SaveSession,
    SettleRecords,
    Write,
    batch_length,
    check_batch,
    size_of,
)
from tests.store.samples import make_full_session, make_record, make_session, make_user

CREATE = CreateUser(make_user("a@x"))
REPLACE = ReplaceUser(make_user("a@x", rev=2), 1)
DELETE = DeleteUser("a@x")
INSERT = InsertRecord(make_record("a@x", 1))
SETTLE = SettleRecords("a@x", (1, 2), keep=False)
SAVE = SaveSession(make_session("s", received=5))
DROP = DropSession("s")
KEEP = SaveItem(AccountItem("a@x", "private", "a", b"<a/>"))


def insert_number(session: str, number: int) -> InsertRecord:
    return InsertRecord(make_record("b@x", number, inbound=StanzaNumber(session, number)))


@pytest.mark.parametrize(
    ("writes", "length"),
    [
        ([], 0),
        ([CREATE], 1),
        ([CREATE, CREATE], 1),
        ([CREATE, REPLACE], 1),
        ([CREATE, INSERT], 2),
        ([REPLACE, SETTLE], 2),
        ([INSERT, INSERT], 1),
        ([INSERT, SETTLE], 1),
        ([SETTLE, SETTLE], 1),
        ([INSERT, SettleRecords("a@x", (2, 3), keep=True)], 2),
        ([INSERT, SettleRecords("b@x", (1,), keep=True)], 2),
        ([INSERT, InsertRecord(make_record("a@x", 2)), SETTLE, CREATE], 2),
        ([DELETE], 1),
        ([DELETE, INSERT], 1),
        ([CreateUser(make_user("b@x")), DELETE], 1),
        ([DELETE, DELETE], 1),
        ([SAVE, DELETE], 1),
        ([SAVE, SAVE], 1),
        ([SAVE, DROP], 1),
        ([DROP, SAVE], 1),
        ([DROP, DROP], 1),
        ([SAVE, DropSession("t"), SaveSession(make_session("u")), CREATE, INSERT], 5),
        ([KEEP, DropItem("a@x", "private", "b"), DropItem("a@x", "card", "a"), REPLACE], 4),
        ([KEEP, KEEP], 1),
        ([KEEP, DropItem("a@x", "private", "a")], 1),
        ([DropItem("a@x", "private", "a"), KEEP], 1),
        ([insert_number("s", 6), insert_number("t", 5), SAVE], 3),
        ([SAVE, insert_number("s", 6), insert_number("t", 5)], 3),
        ([insert_number("s", 5), SAVE], 1),
        ([insert_number("s", 5), insert_number("s", 6), SAVE], 2),
        ([insert_number("s", 6), insert_number("s", 5), SAVE], 2),
        ([SAVE, insert_number("s", 5)], 1),
        ([DROP, insert_number("s", 1)], 2),
        ([insert_number("s", 1), DROP], 2),
    ],
)
def test_batch_length_ends_before_what_touches_the_same(writes: list[Write], length: int) -> None:
    assert batch_length(writes) == length


def test_batch_length_is_bounded_by_time() -> None:
    """Some hundred messages are one batch, some thousands are not."""
    messages = [InsertRecord(make_record("a@x", seq)) for seq in range(1, 10_000)]
    assert 200 < batch_length(messages) < 1000


def test_batch_length_counts_large_rosters() -> None:
    roster = tuple(RosterItem(f"{number}@x") for number in range(1000))
    users = [CreateUser(make_user(f"{number}@x", roster=roster)) for number in range(1000)]
    plain = [CreateUser(make_user(f"{number}@x")) for number in range(1000)]
    assert batch_length(users) < batch_length(plain) / 5


def test_batch_length_counts_long_queues() -> None:
    """An orderly stop saves every session with all that is owed to it."""
    entries = tuple(QueueEntry(seq=seq) for seq in range(1, 1001))
    queues = [SaveSession(make_session(f"{number}", entries=entries)) for number in range(1000)]
    plain = [SaveSession(make_session(f"{number}")) for number in range(1000)]
    assert batch_length(queues) < batch_length(plain) / 5


def test_batch_length_is_bounded_by_size() -> None:
    large = [InsertRecord(make_record("a@x", seq, data=bytes(BATCH_BYTES_MAX // 4))) for seq in range(1, 10)]
    assert batch_length(large) == 3


def test_batch_length_of_one_write_over_the_bounds_is_one() -> None:
    oversized = InsertRecord(make_record("a@x", 1, data=bytes(BATCH_BYTES_MAX)))
    assert batch_length([oversized, CREATE]) == 1


def test_size_of_counts_what_weighs() -> None:
    small, large = (InsertRecord(make_record("a@x", 1, data=bytes(size))) for size in (10, 1_010))
    assert size_of(large) - size_of(small) == 1_000
    assert 0 < size_of(DELETE) < size_of(CREATE)
    assert 0 < size_of(DROP) < size_of(SAVE)


def test_size_of_session_counts_what_is_owed_and_known() -> None:
    plain = size_of(SAVE)
    for field, value in {
        "entries": (QueueEntry(data=bytes(1000)),),
        "presence": bytes(1000),
        "directed": ("a" * 1000,),
        "requests": make_full_session("s").requests * 50,
    }.items():
        assert size_of(SaveSession(make_session("s", **{field: value}))) >= plain + 1000


def test_check_batch_gives_what_may_share() -> None:
    assert check_batch([CREATE, INSERT]) == (CREATE, INSERT)


@pytest.mark.parametrize(
    "batch",
    [
        [CREATE, CREATE],
        [INSERT, DELETE],
        [ReplaceUser(make_user("a@x", rev=1), 1)],
        [ReplaceUser(make_user("a@x", rev=3), 1)],
        [InsertRecord(make_record("a@x", 0))],
        [InsertRecord(make_record("a@x", SEQ_MAX + 1))],
        [SettleRecords("a@x", (), keep=True)],
        [SaveItem(AccountItem("a@x", "a/b", "c", b""))],
        [SaveItem(AccountItem("a@x", "b", "c" * 1025, b""))],
        [SaveItem(AccountItem("a@x", "b", "c", b"d" * (ITEM_BYTES_MAX + 1)))],
        [SaveItem(AccountItem("a@x", "b", "c", b"", "d" * 1025))],
        [SaveItem(AccountItem("a@x", "b", "c", b"", "d\n"))],
        [SettleRecords("a@x", tuple(range(SETTLED_RECORDS_MAX + 1)), keep=True)],
        [SaveSession(make_session("s", entries=(QueueEntry(),)))],
        [SaveSession(make_session("s", entries=(QueueEntry(seq=1, data=b""),)))],
        [SaveSession(make_session("s", entries=(QueueEntry(seq=1, place=(0, 1)),)))],
        [SaveSession(make_session("s", entries=(QueueEntry(data=bytes(SESSION_BYTES_MAX)),)))],
    ],
)
def test_check_batch_refuses_what_never_works(batch: list[Write]) -> None:
    with pytest.raises(
        ValueError, match=r"batch|revision|sequence number|settle|session|thing|too long|found by"
    ):
        check_batch(batch)
