"""What only the memory store has: a hook for faults. The contract itself is in `test_store`."""

from store.memory.driver import MemoryStore


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
    store.logged_numbers("s", 0, 1)
    store.logged_stanzas("s", 0, 1)
    store.sessions()
    store.session_records(["s"])
    assert operations == [
        "ping",
        "ensure_schema",
        "commit",
        "user",
        "credentials",
        "users",
        "pending",
        "record",
        "logged_numbers",
        "logged_stanzas",
        "sessions",
        "session_records",
    ]
