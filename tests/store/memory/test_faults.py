"""What each fault leaves behind, and what the caller is told."""

import pytest

from store.errors import StoreUnavailable
from store.memory.driver import MemoryStore
from store.memory.faults import Fault, no_fault
from store.writes import COMMITTED, CreateUser, DropSession, InsertRecord, SaveSession, SettleRecords, Write
from tests.store.samples import make_record, make_session, make_user

BATCH = [CreateUser(make_user(f"{number}@x")) for number in range(4)]


def store_with(*faults: Fault | None) -> MemoryStore:
    """Return a store whose first calls meet these faults."""
    due = list(faults)
    store = MemoryStore(lambda _operation: due.pop(0) if due else None)
    store.open()
    return store


@pytest.mark.parametrize(
    ("fault", "unknown", "names"),
    [
        (Fault.AWAY, False, []),
        (Fault.LOST_REQUEST, True, []),
        (Fault.LOST_HALFWAY, True, ["0@x", "1@x"]),
        (Fault.LOST_ANSWER, True, ["0@x", "1@x", "2@x", "3@x"]),
    ],
)
def test_commit_with_fault_takes_effect_as_the_fault_says(
    fault: Fault, unknown: bool, names: list[str]
) -> None:
    store = store_with(fault)
    with pytest.raises(StoreUnavailable) as failure:
        store.commit(BATCH)
    assert failure.value.outcome_unknown == unknown
    assert store.users(None, 10) == names
    assert store.commit(BATCH) == [COMMITTED] * 4


@pytest.mark.parametrize("fault", list(Fault))
def test_read_with_fault_is_unavailable_and_never_in_doubt(fault: Fault) -> None:
    store = store_with(fault)
    with pytest.raises(StoreUnavailable) as failure:
        store.user("0@x")
    assert not failure.value.outcome_unknown


def test_no_fault_lets_everything_through() -> None:
    assert no_fault("commit") is None


def test_commit_lost_halfway_goes_in_the_order_of_a_database() -> None:
    """Saved, settled, inserted, dropped: the first of these, whatever their order in the batch."""
    store = store_with(None, Fault.LOST_HALFWAY)
    store.commit([InsertRecord(make_record("a@x", 1, pending=True)), SaveSession(make_session("old"))])
    batch: list[Write] = [
        DropSession("old"),
        InsertRecord(make_record("a@x", 2)),
        SettleRecords("a@x", (1,), keep=True),
        SaveSession(make_session("new")),
    ]
    with pytest.raises(StoreUnavailable):
        store.commit(batch)
    assert [record.sm_id for record in store.session_records(["old", "new"])] == ["old", "new"]
    assert store.pending("a@x", 0, 10, 10) == []
    assert store.record("a@x", 2) is None
    assert store.commit(batch) == [COMMITTED] * 4
