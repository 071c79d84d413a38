"""A `Store` in dictionaries: what the simulation runs on, and the plainest statement of the contract.

It outlives `close`, as a database outlives its clients, so that a simulated restart finds its data again.
Not meant for threads.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar, assert_never, final

from protocols.sasl.keys import ScramKeys
from store.account_items import AccountItem, order_found
from store.errors import Conflict, ConflictKind, NotFound, StoreUnavailable
from store.log import LogRecord
from store.memory.faults import Fault, FaultHook, no_fault
from store.sessions import SessionRecord, SessionSummary
from store.users import User
from store.writes import (
    COMMITTED,
    CreateUser,
    DeleteUser,
    DropItem,
    DropSession,
    InsertRecord,
    Outcome,
    Refused,
    ReplaceUser,
    SaveItem,
    SaveSession,
    SettleRecords,
    Write,
    check_batch,
)

T = TypeVar("T")

# In which the kinds of writes of one batch take effect.
_ORDER: Final[Mapping[type[Write], int]] = {
    CreateUser: 0,
    ReplaceUser: 0,
    SaveItem: 1,
    DropItem: 1,
    SaveSession: 2,
    SettleRecords: 3,
    InsertRecord: 4,
    DropSession: 5,
    DeleteUser: 6,
}


@final
class MemoryStore:
    """A store that keeps everything in this object."""

    def __init__(self, faults: FaultHook = no_fault) -> None:
        self._faults = faults
        self._is_open = False
        self._users: dict[str, User] = {}
        self._log: defaultdict[str, dict[int, LogRecord]] = defaultdict(dict)
        self._by_inbound: dict[tuple[str, int, str], int] = {}
        self._sessions: dict[str, SessionRecord] = {}
        self._items: dict[tuple[str, str, str], AccountItem] = {}

    def open(self) -> None:
        """Make ready; see `store.store.Store` for this and all that follows."""
        self._is_open = True

    def close(self) -> None:
        """Refuse all calls until the next `open`; the data stays."""
        self._is_open = False

    def ping(self) -> None:
        """Return unless a fault is due."""
        self._read("ping", lambda: None)

    def ensure_schema(self) -> None:
        """Do nothing: there is no layout."""
        self._read("ensure_schema", lambda: None)

    def commit(self, batch: Sequence[Write]) -> list[Outcome]:
        """Carry out a batch, or as much of it as the fault lets through."""
        places = sorted(enumerate(check_batch(batch)), key=lambda entry: _ORDER[type(entry[1])])
        fault = self._next_fault("commit")
        match fault:
            case None:
                outcomes = {place: self._carry_out(write) for place, write in places}
                return [outcomes[place] for place in range(len(places))]
            case Fault.AWAY:
                raise StoreUnavailable("simulated: the database is away")
            case Fault.LOST_REQUEST:
                pass
            case Fault.LOST_HALFWAY:
                for _place, write in places[: (len(places) + 1) // 2]:
                    self._carry_out(write)
            case Fault.LOST_ANSWER:
                for _place, write in places:
                    self._carry_out(write)
            case _:
                assert_never(fault)
        raise StoreUnavailable(f"simulated: {fault.value}", outcome_unknown=True)

    def user(self, bare_jid: str) -> User | None:
        """Return an account's document."""
        return self._read("user", lambda: self._users.get(bare_jid))

    def credentials(self, bare_jid: str) -> tuple[ScramKeys, ...] | None:
        """Return an account's keys."""
        user = self._read("credentials", lambda: self._users.get(bare_jid))
        return None if user is None else user.credentials

    def users(self, after: str | None, count_max: int) -> list[str]:
        """Return the next page of account names."""
        names = self._read("users", lambda: sorted(self._users))
        return [name for name in names if after is None or name > after][:count_max]

    def pending(self, owner: str, after_seq: int, up_to_seq: int, count_max: int) -> list[LogRecord]:
        """Return undelivered records of an owner's log in order."""
        log = self._read("pending", lambda: self._log.get(owner, {}))
        seqs = sorted(seq for seq, record in log.items() if record.pending and after_seq < seq <= up_to_seq)
        return [log[seq] for seq in seqs[:count_max]]

    def record(self, owner: str, seq: int) -> LogRecord | None:
        """Return one record of an owner's log."""
        return self._read("record", lambda: self._log.get(owner, {}).get(seq))

    def logged_numbers(self, session: str, after: int, count_max: int) -> list[int]:
        """Return which of the next numbers of a session are in any log."""
        stanzas = self._read("logged_numbers", lambda: self._by_inbound)
        found = {number for name, number, _owner in stanzas if name == session}
        return sorted(number for number in found if after < number <= after + count_max)

    def logged_stanzas(self, session: str, after: int, count_max: int) -> list[tuple[int, bytes]]:
        """Return which of the next numbers of a session are in any log, and what they are."""
        seqs = self._read("logged_stanzas", lambda: sorted(self._by_inbound.items(), reverse=True))
        found = {
            number: self._log[owner][seq].data
            for (name, number, owner), seq in seqs
            if name == session and after < number <= after + count_max
        }
        return sorted(found.items())

    def sessions(self) -> list[SessionSummary]:
        """Return a few facts about every stored session."""
        records = self._read("sessions", lambda: sorted(self._sessions.items()))
        return [
            SessionSummary(key, it.jid, it.hibernated_ms, it.resume_seconds, it.is_exact)
            for key, it in records
        ]

    def session_records(self, sm_ids: Sequence[str]) -> list[SessionRecord]:
        """Return the documents of those sessions that are stored."""
        stored = self._read("session_records", lambda: self._sessions)
        return [stored[sm_id] for sm_id in dict.fromkeys(sm_ids) if sm_id in stored]

    def items(self, owner: str, kind: str) -> list[AccountItem]:
        """Return everything of a kind that an account keeps, by key."""
        items = self._read("items", lambda: sorted(self._items.values()))
        return [item for item in items if (item.owner, item.kind) == (owner, kind)]

    def found_items(self, kind: str, first: str, last: str, count_max: int) -> list[AccountItem]:
        """Return what accounts keep of a kind to be found by a text between these."""
        items = self._read("found_items", self._items.values)
        found = [it for it in items if it.kind == kind and it.found_by and first <= it.found_by <= last]
        return sorted(found, key=order_found)[:count_max]

    def _next_fault(self, operation: str) -> Fault | None:
        return self._faults(operation) if self._is_open else Fault.AWAY

    def _read(self, operation: str, read: Callable[[], T]) -> T:
        if self._next_fault(operation) is not None:
            raise StoreUnavailable(f"simulated: no answer to {operation}")
        return read()

    def _carry_out(self, write: Write) -> Outcome:
        match write:
            case CreateUser(user):
                return self._create(user)
            case ReplaceUser(user, expected_rev):
                return self._replace(user, expected_rev)
            case DeleteUser(bare_jid):
                return self._delete(bare_jid)
            case InsertRecord(record):
                return self._insert(record)
            case SettleRecords(owner, seqs, keep):
                return self._settle(owner, seqs, keep)
            case SaveSession(record):
                self._sessions[record.sm_id] = record
                return COMMITTED
            case DropSession(sm_id):
                self._sessions.pop(sm_id, None)
                return COMMITTED
            case SaveItem(item):
                self._items[item[:3]] = item
                return COMMITTED
            case DropItem(owner, kind, key):
                self._items.pop((owner, kind, key), None)
                return COMMITTED
            case _:
                assert_never(write)

    def _create(self, user: User) -> Outcome:
        if self._users.setdefault(user.bare_jid, user) != user:
            return Refused(Conflict(ConflictKind.TAKEN, user.bare_jid))
        return COMMITTED

    def _replace(self, user: User, expected_rev: int) -> Outcome:
        stored = self._users.get(user.bare_jid)
        if stored is None:
            return Refused(NotFound(user.bare_jid))
        if stored != user:
            if stored.rev != expected_rev:
                return Refused(Conflict(ConflictKind.STALE, user.bare_jid))
            self._users[user.bare_jid] = user
        return COMMITTED

    def _delete(self, bare_jid: str) -> Outcome:
        self._sessions = {key: it for key, it in self._sessions.items() if it.bare_jid != bare_jid}
        self._items = {key: it for key, it in self._items.items() if it.owner != bare_jid}
        for record in self._log.pop(bare_jid, {}).values():
            self._forget_inbound(record)
        self._users.pop(bare_jid, None)
        return COMMITTED

    def _insert(self, record: LogRecord) -> Outcome:
        log = self._log[record.owner]
        stored = log.get(record.seq)
        if stored is not None:
            taken = Conflict(ConflictKind.TAKEN, record.owner)
            return COMMITTED if stored == record else Refused(taken)
        if record.inbound is not None:
            earlier = self._by_inbound.setdefault((*record.inbound, record.owner), record.seq)
            if earlier != record.seq:
                return Refused(Conflict(ConflictKind.REPEATED, record.owner, earlier))
        log[record.seq] = record
        return COMMITTED

    def _settle(self, owner: str, seqs: tuple[int, ...], keep: bool) -> Outcome:
        log = self._log[owner]
        for seq in seqs:
            if keep and seq in log:
                log[seq] = log[seq]._replace(pending=False)
            elif seq in log:
                self._forget_inbound(log.pop(seq))
        return COMMITTED

    def _forget_inbound(self, record: LogRecord) -> None:
        if record.inbound is not None:
            self._by_inbound.pop((*record.inbound, record.owner), None)
