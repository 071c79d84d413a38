"""What a batch is made of, what becomes of each part, and which writes may share a batch.

Every write is idempotent: a batch whose outcome was lost is committed again unchanged, and each write that
had taken effect the first time reports `Committed` the second. That holds only as long as no other batch
changed the same documents in between, so whoever commits waits for one outcome before the next batch.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias, assert_never

from store.account_items import AccountItem
from store.errors import Conflict, NotFound
from store.log import SEQ_MAX, LogRecord, StanzaNumber
from store.sessions import SessionRecord
from store.users import User

# What a batch may take on the embedded database, the slowest there is. Readers wait for it: a larger one
# saves next to nothing, and on a busy machine it takes a multiple.
BATCH_US_MAX: Final = 100_000
# Within the 48 MB that MongoDB takes in one message, so that a bulk is one round trip.
BATCH_BYTES_MAX: Final = 32 * 1024 * 1024
# A longer list is to be cut by its author: what is written meanwhile would wait too long for it.
SETTLED_RECORDS_MAX: Final = 100
# Within the 16 MiB that MongoDB allows a document, as our sizes are estimates.
SESSION_BYTES_MAX: Final = 12 * 1024 * 1024

# Of one thing that an account keeps; larger ones are for another kind of store.
ITEM_BYTES_MAX: Final = 4 * 1024 * 1024
ITEM_KEY_CHARACTERS_MAX: Final = 1024
ITEM_FOUND_BY_CHARACTERS_MAX: Final = 1024

# Measured on the embedded database, rounded up.
_INSERT_US: Final = 300
_SETTLE_US: Final = 600
_USER_US: Final = 1100
_ROSTER_ITEM_US: Final = 12
_SESSION_US: Final = 1100
_QUEUE_ENTRY_US: Final = 8
_DROP_US: Final = 2000
_ITEM_US: Final = 1200

_RECORD_OVERHEAD_BYTES: Final = 512  # what a record has besides the stanza: keys, ids and addresses
_ROSTER_ITEM_BYTES: Final = 256
_SESSION_OVERHEAD_BYTES: Final = 512  # what a session has besides its lists: ids, addresses, counters
_LIST_ITEM_BYTES: Final = 32  # what an item of those lists has besides its texts
_KEY_BYTES: Final = 32  # what a record's key has besides the owner's name


class CreateUser(NamedTuple):
    """Make an account; refused with `Conflict` (`TAKEN`) if there is another one by that name."""

    user: User


class ReplaceUser(NamedTuple):
    """Replace an account's document if it is still at the expected revision.

    Refused with `Conflict` (`STALE`) if it is not, with `NotFound` if there is none. The new document's
    `rev` is one higher.
    """

    user: User
    expected_rev: int


class DeleteUser(NamedTuple):
    """Delete an account with its sessions, what it keeps and its log; committed as well if there is none.

    Sessions go first, as nobody may resume one of an account that is half gone, and the account's document
    last. A session that is saved afterwards is there again: its owner ends it before.

    Always a batch of its own, as it takes a quarter of a millisecond for each record in the log on the
    embedded database.
    """

    bare_jid: str


class InsertRecord(NamedTuple):
    """Add a record to a log.

    Refused with `Conflict` (`REPEATED`, with the earlier record's sequence number) if the stanza is
    already in that log, or (`TAKEN`) if the sequence number holds something else.
    """

    record: LogRecord


class SettleRecords(NamedTuple):
    """Take delivered records off the offline queue: keep them for the archive, or delete them.

    Committed as well for records that are already gone.
    """

    owner: str
    seqs: tuple[int, ...]
    keep: bool


class SaveSession(NamedTuple):
    """Write a session's document, whether or not there is one; the last one wins.

    Its counter `received` covers only what was committed before, or needs no record.
    """

    record: SessionRecord


class DropSession(NamedTuple):
    """Delete a session's document; committed as well if there is none."""

    sm_id: str


class SaveItem(NamedTuple):
    """Keep a thing for an account, in place of one by that kind and key; the last one wins."""

    item: AccountItem


class DropItem(NamedTuple):
    """Keep a thing no longer; committed as well if it is not there."""

    owner: str
    kind: str
    key: str


_SharingWrite: TypeAlias = (
    CreateUser | ReplaceUser | InsertRecord | SettleRecords | SaveSession | DropSession | SaveItem | DropItem
)
Write: TypeAlias = _SharingWrite | DeleteUser


class Committed(NamedTuple):
    """The write took effect, now or in an earlier try, as durably as the store was asked to be."""


class Refused(NamedTuple):
    """The write had no effect, and the same write never will as things stand."""

    reason: Conflict | NotFound


Outcome: TypeAlias = Committed | Refused

COMMITTED: Final = Committed()


def batch_length(writes: Iterable[Write], us_max: int = BATCH_US_MAX) -> int:
    """Return how many of the writes, from the first on, may be committed as one batch.

    The writes of a batch do not take effect in the order in which they stand, and are retried together, so
    no two of them may touch the same document or the same record; and the deletion of an account shares a
    batch with nothing. Neither does a session's counter share one with the record of a stanza that it
    covers, for it would be written first: a crash in between would lose a stanza its sender holds for
    handled. At least one write fits, if there is any.

    Args:
        writes: What waits to be written.
        us_max: What the batch may take on the embedded database, in microseconds and by estimate.
    """
    claims = _Claims()
    length = size = total_us = 0
    for write in writes:
        if isinstance(write, DeleteUser):
            return length or 1
        size += _size(write)
        total_us += cost_us(write)
        if length and (total_us > us_max or size > BATCH_BYTES_MAX):
            break
        if not claims.admit(write):
            break
        length += 1
    return length


def check_batch(writes: Iterable[Write]) -> tuple[Write, ...]:
    """Return the writes if they form one batch.

    Raises:
        ValueError: If they do not, or if one of them can never be carried out; the caller is at fault.
    """
    batch = tuple(writes)
    if batch_length(batch) != len(batch):
        raise ValueError("these writes touch the same document or are too many for one batch")
    for write in batch:
        check_write(write)
    return batch


class _Claims:
    """What the writes of a batch touch: accounts' documents, what they keep, records by owner, and sessions.

    Of sessions it knows the counters that are saved, and the lowest number for which a record is inserted.
    """

    __slots__ = ("_counters", "_documents", "_items", "_numbers", "_records")

    def __init__(self) -> None:
        self._documents: set[str] = set()
        self._items: set[tuple[str, str, str]] = set()
        self._records: dict[str, set[int]] = {}
        self._counters: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    def admit(self, write: _SharingWrite) -> bool:
        """Note what the write touches, and tell whether nothing before it touches the same."""
        match write:
            case CreateUser(user) | ReplaceUser(user):
                fresh = user.bare_jid not in self._documents
                self._documents.add(user.bare_jid)
                return fresh
            case InsertRecord(record):
                is_fresh = self._admit_records(record.owner, (record.seq,))
                return is_fresh and (record.inbound is None or self._admit_number(record.inbound))
            case SettleRecords(owner, seqs):
                return self._admit_records(owner, seqs)
            case SaveSession(record):
                return self._admit_session(record.sm_id, record.received)
            case DropSession(sm_id):
                return self._admit_session(sm_id, 0)
            case SaveItem(item):
                return self._admit_item(item.owner, item.kind, item.key)
            case DropItem(owner, kind, key):
                return self._admit_item(owner, kind, key)
            case _:
                assert_never(write)

    def _admit_number(self, inbound: StanzaNumber) -> bool:
        session, number = inbound
        self._numbers[session] = min(number, self._numbers.get(session, number))
        return number > self._counters.get(session, 0)

    def _admit_session(self, sm_id: str, received: int) -> bool:
        is_fresh = sm_id not in self._counters
        self._counters[sm_id] = received
        return is_fresh and received < self._numbers.get(sm_id, received + 1)

    def _admit_item(self, *name: str) -> bool:
        owner, kind, key = name
        is_fresh = (owner, kind, key) not in self._items
        self._items.add((owner, kind, key))
        return is_fresh

    def _admit_records(self, owner: str, seqs: tuple[int, ...]) -> bool:
        known = self._records.setdefault(owner, set())
        fresh = known.isdisjoint(seqs)
        known.update(seqs)
        return fresh


def size_of(write: Write) -> int:
    """Estimate the bytes a write needs while it waits, for whoever bounds that."""
    return len(write.bare_jid) if isinstance(write, DeleteUser) else _size(write)


def _size(write: _SharingWrite) -> int:
    """Estimate the bytes a write needs on the wire."""
    match write:
        case InsertRecord(record):
            return _RECORD_OVERHEAD_BYTES + len(record.data)
        case CreateUser(user) | ReplaceUser(user):
            requests = sum(len(request.stanza) for request in user.requests)
            told = 0 if user.vacation is None else len(user.vacation.message)
            rules = sum(
                _LIST_ITEM_BYTES + len(item.value) for each in user.privacy_lists for item in each.items
            )
            return _ROSTER_ITEM_BYTES * (1 + len(user.roster) + len(user.removed)) + requests + rules + told
        case SettleRecords(owner, seqs):
            return len(seqs) * (len(owner) + _KEY_BYTES)
        case SaveSession(record):
            return _session_size(record)
        case DropSession(sm_id):
            return len(sm_id) + _KEY_BYTES
        case SaveItem(item):
            return _RECORD_OVERHEAD_BYTES + len(item.key) + len(item.data) + len(item.found_by)
        case DropItem(owner, _, key):
            return len(owner) + len(key) + _KEY_BYTES
        case _:
            assert_never(write)


def _session_size(record: SessionRecord) -> int:
    texts = [
        *record.directed,
        *(request.id + request.to for request in record.requests),
        *(key + value for key, value in record.notes),
    ]
    stanzas = [record.presence or b"", *(entry.data or b"" for entry in record.entries)]
    items = len(texts) + len(stanzas)
    return _SESSION_OVERHEAD_BYTES + items * _LIST_ITEM_BYTES + sum(map(len, texts)) + sum(map(len, stanzas))


def cost_us(write: Write) -> int:
    """Estimate the microseconds that a write takes on the embedded database, a deletion at the least."""
    match write:
        case DeleteUser():
            return _USER_US
        case InsertRecord():
            return _INSERT_US
        case CreateUser(user) | ReplaceUser(user):
            rules = sum(len(each.items) for each in user.privacy_lists)
            return _USER_US + _ROSTER_ITEM_US * (len(user.roster) + rules)
        case SettleRecords(_, seqs):
            return _SETTLE_US * len(seqs)
        case SaveSession(record):
            return _SESSION_US + _QUEUE_ENTRY_US * len(record.entries)
        case DropSession():
            return _DROP_US
        case SaveItem() | DropItem():
            return _ITEM_US
        case _:
            assert_never(write)


def check_write(write: Write) -> None:
    """See to it that a write can be carried out at all.

    Raises:
        ValueError: It never can; its author is at fault.
    """
    match write:
        case ReplaceUser(user, expected_rev) if user.rev != expected_rev + 1:
            raise ValueError(f"revision {user.rev} cannot follow {expected_rev}")
        case InsertRecord(record) if not 0 < record.seq <= SEQ_MAX:
            raise ValueError(f"no sequence number: {record.seq}")
        case SettleRecords(_, seqs) if not 0 < len(seqs) <= SETTLED_RECORDS_MAX:
            raise ValueError(f"cannot settle {len(seqs)} records at once")
        case SaveSession(record):
            _check_session(record)
        case SaveItem(item):
            _check_item(item)
        case _:
            return


def _check_item(item: AccountItem) -> None:
    if "/" in item.kind:
        raise ValueError(f"no kind of thing: {item.kind!r}")
    if len(item.key) > ITEM_KEY_CHARACTERS_MAX or len(item.data) > ITEM_BYTES_MAX:
        raise ValueError(f"{len(item.data)} bytes of {item.kind} for {item.owner}, or its key, are too long")
    if len(item.found_by) > ITEM_FOUND_BY_CHARACTERS_MAX or min(item.found_by, default=" ") < " ":
        raise ValueError(f"{item.kind} of {item.owner} cannot be found by {item.found_by!r}")


def _check_session(record: SessionRecord) -> None:
    unlogged = ((entry.data, entry.place) != (None, None) for entry in record.entries)
    if any((entry.seq is not None) == other for entry, other in zip(record.entries, unlogged, strict=True)):
        raise ValueError(f"an entry of session {record.jid} is not either in the log or here")
    if (size := _session_size(record)) > SESSION_BYTES_MAX:
        raise ValueError(f"session {record.jid} takes {size} bytes, more than {SESSION_BYTES_MAX}")
