"""What a batch is made of, what becomes of each part, and which writes may share a batch.

Every write is idempotent: a batch whose outcome was lost is committed again unchanged, and each write that
had taken effect the first time reports `Committed` the second. That holds only as long as no other batch
changed the same documents in between, so whoever commits waits for one outcome before the next batch.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias, assert_never

from store.errors import Conflict, NotFound
from store.log import SEQ_MAX, LogRecord
from store.users import User

# What a batch may take on the embedded database, the slowest there is: a sixth of the time in which the
# driver expects an answer, so that a busy machine does not turn a full batch into an outage.
BATCH_US_MAX: Final = 500_000
# Within the 48 MB that MongoDB takes in one message, so that a bulk is one round trip.
BATCH_BYTES_MAX: Final = 32 * 1024 * 1024
# A longer list is to be cut by its author, as it would not fit a batch.
SETTLED_RECORDS_MAX: Final = 500

# Measured on the embedded database, rounded up.
_INSERT_US: Final = 300
_SETTLE_US: Final = 600
_USER_US: Final = 1100
_ROSTER_ITEM_US: Final = 12

_RECORD_OVERHEAD_BYTES: Final = 512  # what a record has besides the stanza: keys, ids and addresses
_ROSTER_ITEM_BYTES: Final = 256
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
    """Delete an account and its log, the log first; committed as well if there is no such account.

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


_SharingWrite: TypeAlias = CreateUser | ReplaceUser | InsertRecord | SettleRecords
Write: TypeAlias = _SharingWrite | DeleteUser


class Committed(NamedTuple):
    """The write took effect, now or in an earlier try, as durably as the store was asked to be."""


class Refused(NamedTuple):
    """The write had no effect, and the same write never will as things stand."""

    reason: Conflict | NotFound


Outcome: TypeAlias = Committed | Refused

COMMITTED: Final = Committed()


def batch_length(writes: Iterable[Write]) -> int:
    """Return how many of the writes, from the first on, may be committed as one batch.

    The writes of a batch do not take effect in the order in which they stand, and are retried together, so
    no two of them may touch the same account's document or the same record; and a deletion shares a batch
    with nothing. At least one write fits, if there is any.
    """
    claims = _Claims()
    length = size = cost_us = 0
    for write in writes:
        if isinstance(write, DeleteUser):
            return length or 1
        size += _size(write)
        cost_us += _cost_us(write)
        if length and (cost_us > BATCH_US_MAX or size > BATCH_BYTES_MAX):
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
        _check(write)
    return batch


class _Claims:
    """What the writes of a batch touch: accounts' documents, and records by owner."""

    __slots__ = ("_documents", "_records")

    def __init__(self) -> None:
        self._documents: set[str] = set()
        self._records: dict[str, set[int]] = {}

    def admit(self, write: _SharingWrite) -> bool:
        """Note what the write touches, and tell whether nothing before it touches the same."""
        match write:
            case CreateUser(user) | ReplaceUser(user):
                fresh = user.bare_jid not in self._documents
                self._documents.add(user.bare_jid)
                return fresh
            case InsertRecord(record):
                return self._admit_records(record.owner, (record.seq,))
            case SettleRecords(owner, seqs):
                return self._admit_records(owner, seqs)
            case _:
                assert_never(write)

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
            return _ROSTER_ITEM_BYTES * (1 + len(user.roster) + len(user.removed)) + requests
        case SettleRecords(owner, seqs):
            return len(seqs) * (len(owner) + _KEY_BYTES)
        case _:
            assert_never(write)


def _cost_us(write: _SharingWrite) -> int:
    """Estimate how long a write takes."""
    match write:
        case InsertRecord():
            return _INSERT_US
        case CreateUser(user) | ReplaceUser(user):
            return _USER_US + _ROSTER_ITEM_US * len(user.roster)
        case SettleRecords(_, seqs):
            return _SETTLE_US * len(seqs)
        case _:
            assert_never(write)


def _check(write: Write) -> None:
    match write:
        case ReplaceUser(user, expected_rev) if user.rev != expected_rev + 1:
            raise ValueError(f"revision {user.rev} cannot follow {expected_rev}")
        case InsertRecord(record) if not 0 < record.seq <= SEQ_MAX:
            raise ValueError(f"no sequence number: {record.seq}")
        case SettleRecords(_, seqs) if not 0 < len(seqs) <= SETTLED_RECORDS_MAX:
            raise ValueError(f"cannot settle {len(seqs)} records at once")
        case _:
            return
