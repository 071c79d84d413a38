"""A batch of writes as few bulks: what is sent, and what became of each write.

A write whose effect is already there is a success (`store.writes`). That is decided by what is stored and
not by which error came: a record meets its own first try in whichever unique index is looked at first. What
can be read has been journaled, if the first try asked for it, or is by the time the retry is answered.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias, final

from pymongo import DeleteMany, InsertOne, ReplaceOne, UpdateMany
from pymongo.errors import BulkWriteError

from store.errors import Conflict, ConflictKind, NotFound
from store.log import LogRecord
from store.mongo.collections import LOG, USERS, items_in, log_in, sessions_in, users_in
from store.mongo.connection import Connection
from store.mongo.deletion import delete_account
from store.mongo.documents import (
    RecordDocument,
    UserDocument,
    document_from_record,
    document_from_user,
    inbound_key,
    record_from_document,
    record_key,
    user_from_document,
)
from store.mongo.failures import DUPLICATE_KEY, Stage
from store.mongo.item_documents import document_from_item, item_key
from store.mongo.session_documents import document_from_session
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
)

_Request: TypeAlias = (
    InsertOne[UserDocument] | InsertOne[RecordDocument] | ReplaceOne[UserDocument] | UpdateMany | DeleteMany
)
_AccountWrite: TypeAlias = CreateUser | ReplaceUser


class _BulkReport(NamedTuple):
    """How a bulk went: the replaced documents, and the requests that met a duplicate key, by position."""

    matched: int
    duplicates: tuple[int, ...]


@final
class BatchCommit:
    """One try at one batch."""

    def __init__(self, connection: Connection, batch: Sequence[Write]) -> None:
        self._connection = connection
        self._batch = batch
        self._outcomes: list[Outcome] = [COMMITTED] * len(batch)
        self._stage = Stage.FIRST_WRITE

    def run(self) -> list[Outcome]:
        """Send everything and return the outcome of each write.

        Raises:
            StoreUnavailable: If not all of them became known.
        """
        self._write_accounts()
        self._write_items()
        self._save_sessions()
        self._settle_records()
        self._insert_records()
        self._drop_sessions()
        for write in self._batch:
            if isinstance(write, DeleteUser):
                self._delete_account(write.bare_jid)
        return self._outcomes

    def _bulk(self, collection: str, requests: Sequence[_Request]) -> _BulkReport:
        with self._connection.database(self._stage) as database:
            try:
                result = database[collection].bulk_write(_untyped(requests), ordered=False)
                report = _BulkReport(result.matched_count, ())
            except BulkWriteError as error:
                report = _report_duplicates(error)
        self._stage = Stage.LATER_WRITE
        return report

    def _write_accounts(self) -> None:
        writes = {
            place: write
            for place, write in enumerate(self._batch)
            if isinstance(write, CreateUser | ReplaceUser)
        }
        if not writes:
            return
        report = self._bulk(USERS, [_account_request(write) for write in writes.values()])
        places = list(writes)
        doubtful = {places[position] for position in report.duplicates}
        replaced = [place for place, write in writes.items() if isinstance(write, ReplaceUser)]
        if report.matched < len(replaced):
            # The server tells how many matched, not which.
            doubtful.update(replaced)
        if doubtful:
            self._judge_accounts({place: writes[place] for place in doubtful})

    def _judge_accounts(self, writes: dict[int, _AccountWrite]) -> None:
        names = [write.user.bare_jid for write in writes.values()]
        with self._connection.database(self._stage) as database:
            found = [user_from_document(it) for it in users_in(database).find({"_id": {"$in": names}})]
        stored = {user.bare_jid: user for user in found}
        for place, write in writes.items():
            self._outcomes[place] = _account_outcome(write, stored.get(write.user.bare_jid))

    def _write_items(self) -> None:
        saved = [document_from_item(write.item) for write in self._batch if isinstance(write, SaveItem)]
        dropped = [item_key(*write) for write in self._batch if isinstance(write, DropItem)]
        if saved:
            requests = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in saved]
            # A duplicate key is no conflict here but a race with our own first try: unknown.
            with self._connection.database(self._stage) as database:
                items_in(database).bulk_write(requests, ordered=False)
            self._stage = Stage.LATER_WRITE
        if dropped:
            with self._connection.database(self._stage) as database:
                items_in(database).delete_many({"_id": {"$in": dropped}})
            self._stage = Stage.LATER_WRITE

    def _save_sessions(self) -> None:
        documents = [
            document_from_session(write.record) for write in self._batch if isinstance(write, SaveSession)
        ]
        if not documents:
            return
        requests = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
        # A duplicate key is no conflict here but a race with our own first try: unknown.
        with self._connection.database(self._stage) as database:
            sessions_in(database).bulk_write(requests, ordered=False)
        self._stage = Stage.LATER_WRITE

    def _drop_sessions(self) -> None:
        keys = [write.sm_id for write in self._batch if isinstance(write, DropSession)]
        if not keys:
            return
        with self._connection.database(self._stage) as database:
            sessions_in(database).delete_many({"_id": {"$in": keys}})
        self._stage = Stage.LATER_WRITE

    def _settle_records(self) -> None:
        # Before insertions: a retry, too, finds their stanzas' numbers as this try leaves them.
        requests = _settling_requests(self._batch)
        if requests:
            self._bulk(LOG, requests)

    def _insert_records(self) -> None:
        records = {
            place: write.record for place, write in enumerate(self._batch) if isinstance(write, InsertRecord)
        }
        if not records:
            return
        report = self._bulk(LOG, [InsertOne(document_from_record(record)) for record in records.values()])
        places = list(records)
        doubtful = [places[position] for position in report.duplicates]
        if doubtful:
            self._judge_records({place: records[place] for place in doubtful})

    def _judge_records(self, records: dict[int, LogRecord]) -> None:
        keys = [record_key(record.owner, record.seq) for record in records.values()]
        stanzas = [inbound_key(it.inbound, it.owner) for it in records.values() if it.inbound is not None]
        with self._connection.database(self._stage) as database:
            log = log_in(database)
            found = [record_from_document(it) for it in log.find({"_id": {"$in": keys}})]
            earlier = {it["inbound"]: it["seq"] for it in log.find({"inbound": {"$in": stanzas}})}
        stored = {(record.owner, record.seq): record for record in found}
        for place, record in records.items():
            self._outcomes[place] = _record_outcome(record, stored.get((record.owner, record.seq)), earlier)

    def _delete_account(self, bare_jid: str) -> None:
        with self._connection.database(self._stage) as database:
            delete_account(database, bare_jid)
        self._stage = Stage.LATER_WRITE


def _untyped(requests: Sequence[_Request]) -> list[Any]:
    """Return the requests as `bulk_write` takes them: its signature wants one type of document."""
    return list(requests)


def _report_duplicates(error: BulkWriteError) -> _BulkReport:
    """Return what went wrong if it is nothing but duplicate keys, else let the error travel on."""
    failures = error.details["writeErrors"]
    if error.details["writeConcernErrors"] or any(it["code"] != DUPLICATE_KEY for it in failures):
        raise error
    return _BulkReport(error.details["nMatched"], tuple(it["index"] for it in failures))


def _account_request(write: _AccountWrite) -> _Request:
    document = document_from_user(write.user)
    match write:
        case CreateUser():
            return InsertOne(document)
        case ReplaceUser(user, expected_rev):
            return ReplaceOne({"_id": user.bare_jid, "rev": expected_rev}, document)


def _settling_requests(batch: Sequence[Write]) -> list[_Request]:
    """Return at most one update and one deletion for all records settled, each a single flush."""
    kept: list[str] = []
    dropped: list[str] = []
    for write in batch:
        if isinstance(write, SettleRecords):
            keys = kept if write.keep else dropped
            keys += [record_key(write.owner, seq) for seq in write.seqs]
    requests: list[_Request] = []
    if kept:
        requests.append(UpdateMany({"_id": {"$in": kept}}, _NO_LONGER_QUEUED))
    if dropped:
        requests.append(DeleteMany({"_id": {"$in": dropped}}))
    return requests


_NO_LONGER_QUEUED: Final = {"$unset": {"queued": ""}}


def _account_outcome(write: _AccountWrite, stored: User | None) -> Outcome:
    if stored == write.user:
        return COMMITTED
    match write:
        case CreateUser(user):
            return Refused(Conflict(ConflictKind.TAKEN, user.bare_jid))
        case ReplaceUser(user):
            if stored is None:
                return Refused(NotFound(user.bare_jid))
            return Refused(Conflict(ConflictKind.STALE, user.bare_jid))


def _record_outcome(record: LogRecord, stored: LogRecord | None, earlier: dict[str, int]) -> Outcome:
    if stored == record:
        return COMMITTED
    if stored is not None or record.inbound is None:
        return Refused(Conflict(ConflictKind.TAKEN, record.owner))
    seq = earlier.get(inbound_key(record.inbound, record.owner))
    return Refused(Conflict(ConflictKind.REPEATED, record.owner, seq))
