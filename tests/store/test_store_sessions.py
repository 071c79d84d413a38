"""The contract of a store for stream-managed sessions, held against every driver."""

import pytest

from store.errors import Conflict, ConflictKind, StoreUnavailable
from store.log import SEQ_MAX, LogRecord, StanzaNumber
from store.sessions import QueueEntry, SessionSummary
from store.store import Store
from store.writes import (
    COMMITTED,
    CreateUser,
    DeleteUser,
    DropSession,
    InsertRecord,
    Refused,
    SaveSession,
    SettleRecords,
    Write,
)
from tests.store.conftest import FaultyStore
from tests.store.samples import make_full_session, make_record, make_session, make_user


def numbered(owner: str, seq: int, session: str, number: int) -> LogRecord:
    """Return a record of a stanza that came as a number of a session."""
    return make_record(owner, seq, inbound=StanzaNumber(session, number), pending=True)


def log_of(session: str) -> str:
    """Return an owner, which holds no slash."""
    return f"log of {session.replace('/', '.')}"


def log_numbers(store: Store, session: str, *numbers: int) -> None:
    """Commit a record for each of a session's numbers."""
    store.commit([InsertRecord(numbered(log_of(session), it, session, it)) for it in numbers])


@pytest.mark.parametrize("make", [make_session, make_full_session])
def test_session_saved_reads_back_equal(store: Store, name: str, make: type) -> None:
    record = make(name)
    assert store.commit([SaveSession(record)]) == [COMMITTED]
    assert store.session_records([name]) == [record]


def test_save_session_replaces_the_whole_document(store: Store, name: str) -> None:
    store.commit([SaveSession(make_full_session(name))])
    assert store.commit([SaveSession(make_session(name))]) == [COMMITTED]
    assert store.session_records([name]) == [make_session(name)]


def test_save_session_again_changes_nothing(store: Store, name: str) -> None:
    for _ in range(2):
        assert store.commit([SaveSession(make_full_session(name))]) == [COMMITTED]
    assert store.session_records([name]) == [make_full_session(name)]


def test_drop_session_deletes_it_alone(store: Store, name: str) -> None:
    store.commit([SaveSession(make_session(each)) for each in (name, f"other {name}")])
    assert store.commit([DropSession(name)]) == [COMMITTED]
    assert store.session_records([name, f"other {name}"]) == [make_session(f"other {name}")]


def test_drop_session_again_or_an_unknown_one_is_committed(store: Store, name: str) -> None:
    store.commit([SaveSession(make_session(name))])
    for _ in range(2):
        assert store.commit([DropSession(name), DropSession(f"unknown {name}")]) == [COMMITTED] * 2


def test_session_records_come_once_and_in_the_order_asked_for(store: Store, name: str) -> None:
    first, second, third = (make_session(f"{letter} {name}") for letter in "bca")
    store.commit([SaveSession(each) for each in (third, second, first)])
    asked = [first.sm_id, f"unknown {name}", second.sm_id, third.sm_id, first.sm_id]
    assert store.session_records(asked) == [first, second, third]
    assert store.session_records([]) == []


def test_sessions_lists_all_with_a_few_facts(store: Store, name: str) -> None:
    records = [
        make_full_session(f"b {name}", jid="a@x/first"),
        make_session(f"a {name}", jid="b@x/second"),
        make_session(f"c {name}", hibernated_ms=0),
    ]
    store.commit([SaveSession(record) for record in records])
    assert [summary for summary in store.sessions() if name in summary.sm_id] == [
        SessionSummary(f"a {name}", "b@x/second", None, 300.0),
        SessionSummary(f"b {name}", "a@x/first", 1_700_000_000_000, 0.5, is_exact=True),
        SessionSummary(f"c {name}", "juliet@example.com/balcony", 0, 300.0),
    ]


def test_sessions_lists_more_than_one_answer_of_the_database(store: Store, name: str) -> None:
    ids = [f"{number:03} {name}" for number in range(250)]
    for start in range(0, len(ids), 50):
        store.commit([SaveSession(make_session(each)) for each in ids[start : start + 50]])
    assert [summary.sm_id for summary in store.sessions() if name in summary.sm_id] == ids


def test_delete_user_takes_its_sessions_along(store: Store, name: str) -> None:
    own = [make_session(f"{place} {name}", jid=f"{name}/{place}") for place in ("home", "a/b")]
    others = [make_session(f"{other} {name}", jid=other) for other in (f"{name}.org/r", f"x{name}/r")]
    store.commit([CreateUser(make_user(name))])
    store.commit([SaveSession(record) for record in own + others])
    for _ in range(2):
        assert store.commit([DeleteUser(name)]) == [COMMITTED]
        assert store.session_records([record.sm_id for record in own + others]) == others


def test_logged_numbers_are_those_within_the_window_in_order(store: Store, name: str) -> None:
    log_numbers(store, name, 12, 3, 100, 4, 9, 11)
    assert store.logged_numbers(name, 0, 2) == []
    assert store.logged_numbers(name, 3, 8) == [4, 9, 11]
    assert store.logged_numbers(name, 3, 1000) == [4, 9, 11, 12, 100]


def test_logged_numbers_of_a_long_run_are_found_page_by_page(store: Store, name: str) -> None:
    log_numbers(store, name, *range(1, 8))
    assert store.logged_numbers(name, 0, 3) == [1, 2, 3]
    assert store.logged_numbers(name, 3, 3) == [4, 5, 6]
    assert store.logged_numbers(name, 6, 3) == [7]


def test_logged_number_that_several_logs_have_comes_once(store: Store, name: str) -> None:
    store.commit([InsertRecord(numbered(f"{place}.{name}", 1, name, 5)) for place in ("a", "b", "c")])
    assert store.logged_numbers(name, 0, 10) == [5]


def test_logged_numbers_leave_out_sessions_of_like_name(store: Store, name: str) -> None:
    likes = [f"{name}/", f"{name}/{1:015}", f"{name}0", name[:-1], f"x{name}"]
    for like in likes:
        log_numbers(store, like, 2)
    assert store.logged_numbers(name, 0, 10) == []
    assert [store.logged_numbers(like, 0, 10) for like in likes] == [[2]] * len(likes)


def test_logged_numbers_reach_the_last_there_is(store: Store, name: str) -> None:
    log_numbers(store, name, SEQ_MAX)
    assert store.logged_numbers(name, SEQ_MAX - 1, 100) == [SEQ_MAX]
    assert store.logged_numbers(name, SEQ_MAX, 100) == []


@pytest.mark.parametrize(("keep", "numbers"), [(True, [1, 2]), (False, [2])])
def test_logged_numbers_hold_what_is_settled_while_it_is_kept(
    store: Store, name: str, keep: bool, numbers: list[int]
) -> None:
    log_numbers(store, name, 1, 2)
    store.commit([SettleRecords(log_of(name), (1,), keep=keep)])
    assert store.logged_numbers(name, 0, 10) == numbers


def test_logged_stanzas_are_those_within_the_window_with_their_numbers_in_order(
    store: Store, name: str
) -> None:
    log_numbers(store, f"{name}/", 5)
    log_numbers(store, name, 12, 3, 4)
    store.commit([InsertRecord(numbered(f"a.{name}", 7, name, 4))])
    data = {record.inbound: record.data for record in store.pending(log_of(name), 0, SEQ_MAX, 10)}
    assert store.logged_stanzas(name, 4, 7) == []
    stanzas = store.logged_stanzas(name, 2, 10)
    assert [number for number, _data in stanzas] == [3, 4, 12]
    assert stanzas[2][1] == data[StanzaNumber(name, 12)]
    assert stanzas[1][1] in {data[StanzaNumber(name, 4)], make_record(name, 7).data}


def test_stanza_sent_again_meets_its_record_beside_a_session_that_is_saved(store: Store, name: str) -> None:
    """As after a crash: the client was told less than is logged, and the counter is behind both."""
    store.commit([SaveSession(make_session(name, received=1)), InsertRecord(numbered(name, 7, name, 2))])
    batch: list[Write] = [
        InsertRecord(numbered(name, 8, name, 2)),
        InsertRecord(numbered(name, 9, name, 3)),
        SaveSession(make_session(name, received=1, acked=4)),
    ]
    for _ in range(2):
        outcomes = store.commit(batch)
        assert outcomes == [Refused(Conflict(ConflictKind.REPEATED, name, 7)), COMMITTED, COMMITTED]
    assert store.logged_numbers(name, 1, 10) == [2, 3]
    assert [record.seq for record in store.pending(name, 0, 100, 100)] == [7, 9]


def test_counter_in_one_batch_with_a_record_that_it_covers_is_our_fault(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="one batch"):
        store.commit([InsertRecord(numbered(name, 1, name, 2)), SaveSession(make_session(name, received=2))])
    assert store.session_records([name]) == []


def test_session_entry_that_is_in_two_places_is_our_fault(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="entry"):
        store.commit([SaveSession(make_session(name, entries=(QueueEntry(1, b"<message/>"),)))])


def moving_batch(name: str) -> list[Write]:
    """Return what the ends of several sessions may bring together in one batch."""
    return [
        DropSession(f"old {name}"),
        SaveSession(make_full_session(f"new {name}")),
        InsertRecord(numbered(name, 3, f"new {name}", 13)),
        SettleRecords(name, (1,), keep=True),
        SettleRecords(name, (2,), keep=False),
        CreateUser(make_user(name)),
        SaveSession(make_session(f"changed {name}", received=2)),
    ]


@pytest.mark.parametrize("loss", ["lose_request", "lose_answer"])
def test_commit_of_sessions_of_unknown_outcome_succeeds_when_tried_again(
    faulty: FaultyStore, name: str, loss: str
) -> None:
    store = faulty.store
    log_numbers(store, f"new {name}", 11)
    store.commit([SaveSession(make_session(f"{kind} {name}")) for kind in ("old", "changed")])
    store.commit([InsertRecord(make_record(name, seq, pending=True)) for seq in (1, 2)])
    batch = moving_batch(name)
    getattr(faulty, loss)()
    with pytest.raises(StoreUnavailable) as failure:
        store.commit(batch)
    assert failure.value.outcome_unknown
    for _ in range(2):
        assert store.commit(batch) == [COMMITTED] * len(batch)
    assert store.session_records([f"{kind} {name}" for kind in ("old", "new", "changed")]) == [
        make_full_session(f"new {name}"),
        make_session(f"changed {name}", received=2),
    ]
    assert [record.seq for record in store.pending(name, 0, 10, 10)] == [3]
    assert store.logged_numbers(f"new {name}", 0, 100) == [11, 13]


@pytest.mark.parametrize("loss", ["lose_request", "lose_answer"])
@pytest.mark.parametrize("is_there", [True, False], ids=["there", "not there"])
def test_commit_of_one_session_of_unknown_outcome_succeeds_when_tried_again(
    faulty: FaultyStore, name: str, loss: str, is_there: bool
) -> None:
    store = faulty.store
    if is_there:
        store.commit([SaveSession(make_session(name))])
    for write, expected in (
        (SaveSession(make_full_session(name)), [make_full_session(name)]),
        (DropSession(name), []),
    ):
        getattr(faulty, loss)()
        with pytest.raises(StoreUnavailable) as failure:
            store.commit([write])
        assert failure.value.outcome_unknown
        assert store.commit([write]) == [COMMITTED]
        assert store.session_records([name]) == expected


@pytest.mark.parametrize("loss", ["lose_request", "lose_answer"])
def test_deletion_with_sessions_of_unknown_outcome_succeeds_when_tried_again(
    faulty: FaultyStore, name: str, loss: str
) -> None:
    store = faulty.store
    store.commit([CreateUser(make_user(name)), SaveSession(make_session(name, jid=f"{name}/r"))])
    getattr(faulty, loss)()
    with pytest.raises(StoreUnavailable) as failure:
        store.commit([DeleteUser(name)])
    assert failure.value.outcome_unknown
    assert store.commit([DeleteUser(name)]) == [COMMITTED]
    assert store.session_records([name]) == []
    assert store.user(name) is None
