"""The contract of a store, held against every driver."""

from dataclasses import replace

import pytest

from store.errors import Conflict, ConflictKind, NotFound, StoreUnavailable
from store.log import LogRecord, StanzaNumber
from store.store import Store
from store.writes import (
    COMMITTED,
    CreateUser,
    DeleteUser,
    InsertRecord,
    Outcome,
    Refused,
    ReplaceUser,
    SettleRecords,
    Write,
)
from tests.store.conftest import FaultyStore
from tests.store.samples import KEYS, make_full_record, make_full_user, make_record, make_user


def commit_one(store: Store, write: Write) -> Outcome:
    (outcome,) = store.commit([write])
    return outcome


def pending_seqs(store: Store, owner: str, after_seq: int, up_to_seq: int, count_max: int = 100) -> list[int]:
    return [record.seq for record in store.pending(owner, after_seq, up_to_seq, count_max)]


def test_ping_of_open_store_returns(store: Store) -> None:
    store.ping()


def test_ensure_schema_twice_changes_nothing(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name))])
    store.ensure_schema()
    assert store.user(name) == make_user(name)


def test_commit_empty_batch_has_no_outcomes(store: Store) -> None:
    assert store.commit([]) == []


@pytest.mark.parametrize("make", [make_user, make_full_user])
def test_user_created_reads_back_equal(store: Store, name: str, make: type) -> None:
    user = make(name)
    assert commit_one(store, CreateUser(user)) == COMMITTED
    assert store.user(name) == user


def test_user_unknown_is_none(store: Store, name: str) -> None:
    assert store.user(name) is None
    assert store.credentials(name) is None


def test_credentials_of_user_are_its_keys(store: Store, name: str) -> None:
    store.commit([CreateUser(make_full_user(name))])
    assert store.credentials(name) == KEYS


def test_credentials_of_user_without_keys_are_empty(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name))])
    assert store.credentials(name) == ()


def test_create_same_user_again_is_committed(store: Store, name: str) -> None:
    store.commit([CreateUser(make_full_user(name))])
    assert commit_one(store, CreateUser(make_full_user(name))) == COMMITTED


def test_create_other_user_of_that_name_is_refused(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name))])
    outcome = commit_one(store, CreateUser(make_full_user(name)))
    assert outcome == Refused(Conflict(ConflictKind.TAKEN, name))
    assert store.user(name) == make_user(name)


def test_replace_user_at_expected_rev_is_committed(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name))])
    changed = make_full_user(name, rev=2)
    assert commit_one(store, ReplaceUser(changed, 1)) == COMMITTED
    assert store.user(name) == changed


def test_replace_user_loses_what_the_new_document_lacks(store: Store, name: str) -> None:
    store.commit([CreateUser(make_full_user(name))])
    store.commit([ReplaceUser(make_user(name, rev=2), 1)])
    assert store.user(name) == make_user(name, rev=2)


def test_replace_user_again_is_committed(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name))])
    write = ReplaceUser(make_full_user(name, rev=2), 1)
    store.commit([write])
    assert commit_one(store, write) == COMMITTED


def test_replace_user_at_another_rev_is_refused(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name, rev=7))])
    outcome = commit_one(store, ReplaceUser(make_full_user(name, rev=4), 3))
    assert outcome == Refused(Conflict(ConflictKind.STALE, name))
    assert store.user(name) == make_user(name, rev=7)


def test_replace_user_by_other_content_of_same_rev_is_refused(store: Store, name: str) -> None:
    """Two writers at once: the second must not take the first one's work for its own."""
    store.commit([CreateUser(make_user(name))])
    store.commit([ReplaceUser(make_user(name, rev=2, last_status="mine"), 1)])
    outcome = commit_one(store, ReplaceUser(make_user(name, rev=2, last_status="yours"), 1))
    assert outcome == Refused(Conflict(ConflictKind.STALE, name))


def test_replace_unknown_user_is_refused(store: Store, name: str) -> None:
    assert commit_one(store, ReplaceUser(make_user(name, rev=2), 1)) == Refused(NotFound(name))
    assert store.user(name) is None


def test_delete_user_takes_its_log_along(store: Store, name: str) -> None:
    stanza = StanzaNumber(f"session of {name}", 1)
    records = [make_record(name, seq, pending=True) for seq in (1, 1500, 9999)]
    store.commit([CreateUser(make_user(name, log_reserved=2000))])
    store.commit([InsertRecord(record) for record in [*records, make_record(name, 2, inbound=stanza)]])
    assert commit_one(store, DeleteUser(name)) == COMMITTED
    assert store.user(name) is None
    assert pending_seqs(store, name, 0, 10_000) == []
    assert store.record(name, 9999) is None
    assert commit_one(store, InsertRecord(make_record(name, 3, inbound=stanza))) == COMMITTED


def test_delete_user_leaves_other_logs_alone(store: Store, name: str) -> None:
    other = f"other.{name}"
    store.commit([CreateUser(make_user(name)), InsertRecord(make_record(other, 1, pending=True))])
    store.commit([DeleteUser(name)])
    assert pending_seqs(store, other, 0, 10) == [1]


def test_delete_unknown_user_is_committed(store: Store, name: str) -> None:
    assert commit_one(store, DeleteUser(name)) == COMMITTED


@pytest.mark.parametrize("make", [make_record, make_full_record])
def test_record_inserted_reads_back_equal(store: Store, name: str, make: type) -> None:
    record = make(name, 5)
    assert commit_one(store, InsertRecord(record)) == COMMITTED
    assert store.record(name, 5) == record


def test_record_unknown_is_none(store: Store, name: str) -> None:
    assert store.record(name, 1) is None


def test_insert_same_record_again_is_committed(store: Store, name: str) -> None:
    """Whichever of its unique keys the record meets first."""
    record = make_full_record(name, 5)
    store.commit([InsertRecord(record)])
    assert commit_one(store, InsertRecord(record)) == COMMITTED


def test_insert_other_record_of_that_seq_is_refused(store: Store, name: str) -> None:
    store.commit([InsertRecord(make_record(name, 5))])
    outcome = commit_one(store, InsertRecord(make_record(name, 5, data=b"<message>other</message>")))
    assert outcome == Refused(Conflict(ConflictKind.TAKEN, name))


def test_insert_stanza_sent_again_is_refused_with_the_earlier_seq(store: Store, name: str) -> None:
    store.commit([InsertRecord(make_full_record(name, 5))])
    resent = make_full_record(name, 6, inbound=make_full_record(name, 5).inbound)
    outcome = commit_one(store, InsertRecord(resent))
    assert outcome == Refused(Conflict(ConflictKind.REPEATED, name, 5))
    assert store.record(name, 6) is None


def test_insert_one_stanza_into_two_logs_is_committed(store: Store, name: str) -> None:
    stanza = StanzaNumber(f"session of {name}", 1)
    logs = [make_record(owner, 1, inbound=stanza) for owner in (name, f"other.{name}")]
    assert store.commit([InsertRecord(record) for record in logs]) == [COMMITTED, COMMITTED]


def test_insert_records_without_inbound_do_not_collide(store: Store, name: str) -> None:
    batch = [InsertRecord(make_record(name, seq)) for seq in (1, 2, 3)]
    assert store.commit(batch) == [COMMITTED] * 3


def test_pending_gives_undelivered_records_in_order(store: Store, name: str) -> None:
    records = [make_record(name, seq, pending=seq % 3 != 0, kept=True) for seq in (12, 3, 100, 7, 9, 11)]
    store.commit([InsertRecord(record) for record in records])
    expected = sorted((record for record in records if record.pending), key=lambda record: record.seq)
    assert store.pending(name, 0, 1000, 100) == expected


def test_pending_window_excludes_its_lower_end_only(store: Store, name: str) -> None:
    store.commit([InsertRecord(make_record(name, seq, pending=True)) for seq in range(1, 8)])
    assert pending_seqs(store, name, 2, 5) == [3, 4, 5]


def test_pending_page_is_bounded(store: Store, name: str) -> None:
    store.commit([InsertRecord(make_record(name, seq, pending=True)) for seq in range(1, 8)])
    assert pending_seqs(store, name, 1, 1000, count_max=3) == [2, 3, 4]


def test_pending_of_one_owner_leaves_out_those_of_like_name(store: Store, name: str) -> None:
    owners = [name, f"{name}.org", f"{name}0", name[:-1]]
    store.commit([InsertRecord(make_record(owner, 1, pending=True)) for owner in owners])
    assert [record.owner for record in store.pending(name, 0, 1000, 100)] == [name]


def test_settle_without_keeping_deletes(store: Store, name: str) -> None:
    store.commit([InsertRecord(make_full_record(name, seq)) for seq in (1, 2, 3)])
    assert commit_one(store, SettleRecords(name, (1, 3), keep=False)) == COMMITTED
    assert [store.record(name, seq) for seq in (1, 2, 3)] == [None, make_full_record(name, 2), None]
    assert pending_seqs(store, name, 0, 10) == [2]


def test_settle_keeping_only_ends_pending(store: Store, name: str) -> None:
    record = make_full_record(name, 1)
    store.commit([InsertRecord(record)])
    assert commit_one(store, SettleRecords(name, (1,), keep=True)) == COMMITTED
    assert store.record(name, 1) == record._replace(pending=False)
    assert pending_seqs(store, name, 0, 10) == []


@pytest.mark.parametrize("keep", [True, False])
def test_settle_again_or_what_is_gone_is_committed(store: Store, name: str, keep: bool) -> None:
    store.commit([InsertRecord(make_record(name, 1, pending=True))])
    for _ in range(2):
        assert commit_one(store, SettleRecords(name, (1, 99), keep=keep)) == COMMITTED


def test_batch_of_all_kinds_gives_each_its_own_outcome(store: Store, name: str) -> None:
    """Refused writes leave their neighbours alone, wherever in the batch they stand."""
    others = [f"{part}.{name}" for part in ("taken", "stale", "gone", "good")]
    taken, stale, gone, good = others
    store.commit([CreateUser(make_user(each)) for each in (taken, good)])
    store.commit([CreateUser(make_user(stale, rev=9))])
    store.commit([InsertRecord(make_record(name, seq, pending=True)) for seq in (1, 2, 3)])
    outcomes = store.commit(
        [
            ReplaceUser(make_user(stale, rev=3), 2),
            InsertRecord(make_record(name, 10, pending=True)),
            CreateUser(make_full_user(taken)),
            InsertRecord(make_record(name, 1)),
            ReplaceUser(make_full_user(good, rev=2), 1),
            SettleRecords(name, (2,), keep=True),
            ReplaceUser(make_user(gone, rev=2), 1),
            SettleRecords(name, (3,), keep=False),
            CreateUser(make_user(name)),
        ]
    )
    assert outcomes == [
        Refused(Conflict(ConflictKind.STALE, stale)),
        COMMITTED,
        Refused(Conflict(ConflictKind.TAKEN, taken)),
        Refused(Conflict(ConflictKind.TAKEN, name)),
        COMMITTED,
        COMMITTED,
        Refused(NotFound(gone)),
        COMMITTED,
        COMMITTED,
    ]
    assert [store.user(each) for each in (good, name)] == [make_full_user(good, rev=2), make_user(name)]
    assert pending_seqs(store, name, 0, 100) == [1, 10]


def test_batch_settles_before_it_inserts(store: Store, name: str) -> None:
    """The other way round a retry would insert what the first try refused."""
    record = make_full_record(name, 1)
    store.commit([InsertRecord(record)])
    batch: list[Write] = [InsertRecord(record._replace(seq=2)), SettleRecords(name, (1,), keep=False)]
    for _ in range(2):
        assert store.commit(batch) == [COMMITTED, COMMITTED]
    assert pending_seqs(store, name, 0, 10) == [2]


def test_batch_touching_a_document_twice_is_our_fault(store: Store, name: str) -> None:
    user = make_user(name)
    with pytest.raises(ValueError, match="one batch"):
        store.commit([CreateUser(user), ReplaceUser(replace(user, rev=2), 1)])
    assert store.user(name) is None


def test_names_and_texts_of_any_script_read_back_equal(store: Store, name: str) -> None:
    longest = "ü" * 511 + "@" + "é" * 511
    user = make_user(longest, last_status="\U0001f3ad \u202e 'quoted' $dollar \x00")
    record = make_record(longest, 1, pending=True, peer=f"{name}/🎭 / more")
    store.commit([CreateUser(user), InsertRecord(record)])
    assert store.user(longest) == user
    assert store.pending(longest, 0, 1, 1) == [record]
    store.commit([DeleteUser(longest)])


def test_users_pages_give_every_name_once(store: Store, name: str) -> None:
    names = {f"{number}.{name}" for number in range(25)}
    for each in names:
        store.commit([CreateUser(make_user(each))])
    listed: list[str] = []
    while page := store.users(listed[-1] if listed else None, 7):
        assert len(page) <= 7
        listed += page
        assert len(listed) == len(set(listed))
    assert names <= set(listed)


def test_users_page_after_a_deleted_name_goes_on_behind_it(store: Store, name: str) -> None:
    for number in range(5):
        store.commit([CreateUser(make_user(f"{number}.{name}"))])
    everyone = store.users(None, 10_000)
    deleted = next(each for each in everyone if name in each)
    store.commit([DeleteUser(deleted)])
    assert store.users(deleted, 10_000) == everyone[everyone.index(deleted) + 1 :]


def shared_batch(name: str) -> tuple[list[Write], LogRecord]:
    """Return a batch for an account that is prepared, its last write in vain, and the record it adds."""
    record = make_full_record(name, 3)
    batch: list[Write] = [
        CreateUser(make_full_user(f"new.{name}")),
        ReplaceUser(make_full_user(name, rev=2), 1),
        InsertRecord(record),
        SettleRecords(name, (1,), keep=True),
        SettleRecords(name, (2,), keep=False),
        ReplaceUser(make_user(f"nobody.{name}", rev=2), 1),
    ]
    return batch, record


def prepare(store: Store, name: str) -> None:
    store.commit([CreateUser(make_user(name))])
    store.commit([InsertRecord(make_record(name, seq, pending=True)) for seq in (1, 2)])


@pytest.mark.parametrize("loss", ["lose_request", "lose_answer"])
def test_commit_of_unknown_outcome_succeeds_when_tried_again(
    faulty: FaultyStore, name: str, loss: str
) -> None:
    """The same outcomes, whether the first try took effect or not."""
    store = faulty.store
    prepare(store, name)
    batch, record = shared_batch(name)
    getattr(faulty, loss)()
    with pytest.raises(StoreUnavailable) as failure:
        store.commit(batch)
    assert failure.value.outcome_unknown
    for _ in range(2):
        outcomes = store.commit(batch)
        assert outcomes[:-1] == [COMMITTED] * 5
        assert outcomes[-1] == Refused(NotFound(f"nobody.{name}"))
    assert store.user(name) == make_full_user(name, rev=2)
    assert store.pending(name, 0, 100, 100) == [record]


@pytest.mark.parametrize("loss", ["lose_request", "lose_answer"])
def test_deletion_of_unknown_outcome_succeeds_when_tried_again(
    faulty: FaultyStore, name: str, loss: str
) -> None:
    store = faulty.store
    prepare(store, name)
    getattr(faulty, loss)()
    with pytest.raises(StoreUnavailable) as failure:
        store.commit([DeleteUser(name)])
    assert failure.value.outcome_unknown
    assert commit_one(store, DeleteUser(name)) == COMMITTED
    assert store.user(name) is None
    assert pending_seqs(store, name, 0, 100) == []


def test_closed_store_is_unavailable_and_nothing_in_doubt(faulty: FaultyStore, name: str) -> None:
    faulty.store.close()
    for call in (
        faulty.store.ping,
        faulty.store.ensure_schema,
        lambda: faulty.store.user(name),
        lambda: faulty.store.users(None, 1),
        lambda: faulty.store.pending(name, 0, 1, 1),
        lambda: faulty.store.logged_numbers(name, 0, 1),
        lambda: faulty.store.logged_stanzas(name, 0, 1),
        faulty.store.sessions,
        lambda: faulty.store.session_records([name]),
        lambda: faulty.store.commit([CreateUser(make_user(name))]),
    ):
        with pytest.raises(StoreUnavailable) as failure:
            call()
        assert not failure.value.outcome_unknown


def test_store_opened_again_finds_its_data(faulty: FaultyStore, name: str) -> None:
    faulty.store.commit([CreateUser(make_user(name))])
    faulty.store.close()
    faulty.store.open()
    assert faulty.store.user(name) == make_user(name)
