"""What only the memory store can do: fail on demand. The contract itself is in `test_store`."""

import pytest

from store.errors import StoreUnavailable
from store.memory.driver import MemoryStore
from store.memory.faults import Fault
from store.writes import COMMITTED, CreateUser
from tests.store.samples import make_user

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
        (Fault.LOST_HALFWAY, True, ["0@x", "2@x"]),
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


def test_fault_hook_is_told_each_operation() -> None:
    operations: list[str] = []

    def note(operation: str) -> None:
        operations.append(operation)

    store = MemoryStore(note)
    store.open()
    store.ping()
    store.ensure_schema()
    store.commit([])
    store.user("a@x")
    store.credentials("a@x")
    store.users(None, 1)
    store.pending("a@x", 0, 1, 1)
    store.record("a@x", 1)
    assert operations == [
        "ping",
        "ensure_schema",
        "commit",
        "user",
        "credentials",
        "users",
        "pending",
        "record",
    ]
