"""What the contract suite cannot see: a batch cut off between its bulks, and errors that are no conflict."""

from collections.abc import Iterator

import pytest
from pymongo import MongoClient
from pymongo.errors import BulkWriteError
from pymongo.uri_parser import parse_uri

from store.errors import StoreUnavailable
from store.mongo.collections import LOG
from store.mongo.commit import _report_duplicates
from store.mongo.connection import Document
from store.mongo.driver import MongoStore
from store.writes import COMMITTED, CreateUser, DropSession, InsertRecord, SaveSession, SettleRecords, Write
from tests.store.proxy import LossyProxy
from tests.store.samples import make_full_record, make_full_session, make_full_user, make_record, make_session

# How commands begin: a string field by their name, which holds the collection.
INSERT_INTO_LOG = b"\x02insert\x00\x04\x00\x00\x00log\x00"
UPDATE_LOG = b"\x02update\x00\x04\x00\x00\x00log\x00"
UPDATE_SESSIONS = b"\x02update\x00\x09\x00\x00\x00sessions\x00"
DELETE_SESSIONS = b"\x02delete\x00\x09\x00\x00\x00sessions\x00"
FIND = b"\x02find\x00"


@pytest.fixture
def proxy(mongodb_uri: str) -> Iterator[LossyProxy]:
    host, port = parse_uri(mongodb_uri)["nodelist"][0]
    proxy = LossyProxy(host, port)
    yield proxy
    proxy.close()


@pytest.fixture
def proxied_store(
    proxy: LossyProxy, mongodb_uri: str, mongo_store: MongoStore, database_name: str
) -> Iterator[MongoStore]:
    mongo_store.ping()  # and has made the schema
    host, port = parse_uri(mongodb_uri)["nodelist"][0]
    uri = mongodb_uri.replace(f"{host}:{port}", f"127.0.0.1:{proxy.port}")
    store = MongoStore(uri, database_name=database_name)
    store.open()
    yield store
    store.close()


@pytest.mark.parametrize("answer", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("needle", [INSERT_INTO_LOG, UPDATE_LOG], ids=["insert", "update"])
def test_commit_cut_off_between_bulks_succeeds_when_tried_again(
    proxied_store: MongoStore, proxy: LossyProxy, name: str, needle: bytes, answer: bool
) -> None:
    store = proxied_store
    store.commit([InsertRecord(make_record(name, 1, pending=True))])
    batch: list[Write] = [
        CreateUser(make_full_user(name)),
        SettleRecords(name, (1,), keep=True),
        InsertRecord(make_full_record(name, 2)),
    ]
    sprung = proxy.lose(needle, answer=answer)
    with pytest.raises(StoreUnavailable) as failure:
        store.commit(batch)
    assert sprung.is_set()
    assert failure.value.outcome_unknown
    assert store.user(name) == make_full_user(name)
    assert store.commit(batch) == [COMMITTED] * 3
    assert store.pending(name, 0, 10, 10) == [make_full_record(name, 2)]


@pytest.mark.parametrize("answer", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize(
    ("needle", "saved", "settled", "inserted"),
    [
        (UPDATE_SESSIONS, False, False, False),
        (UPDATE_LOG, True, False, False),
        (INSERT_INTO_LOG, True, True, False),
        (DELETE_SESSIONS, True, True, True),
    ],
    ids=["save", "settle", "insert", "drop"],
)
def test_commit_cut_off_has_done_what_comes_before(
    proxied_store: MongoStore,
    proxy: LossyProxy,
    name: str,
    needle: bytes,
    saved: bool,
    settled: bool,
    inserted: bool,
    answer: bool,
) -> None:
    """A counter before the record it stands for goes, and a queue's records before the queue goes."""
    store, old = proxied_store, f"old {name}"
    store.commit([InsertRecord(make_record(name, 1, pending=True)), SaveSession(make_session(old))])
    batch: list[Write] = [
        DropSession(old),
        InsertRecord(make_record(name, 2)),
        SettleRecords(name, (1,), keep=True),
        SaveSession(make_full_session(name)),
    ]
    sprung = proxy.lose(needle, answer=answer)
    with pytest.raises(StoreUnavailable):
        store.commit(batch)
    assert sprung.is_set()
    done = (
        store.session_records([name]) != [],
        store.pending(name, 0, 10, 10) == [],
        store.record(name, 2) is not None,
    )
    before = (saved, settled, inserted)
    # Whether the one that was cut off took effect is in doubt only where its answer was lost.
    assert done == before or (answer and sum(done) == sum(before) + 1)
    assert store.commit(batch) == [COMMITTED] * 4
    assert store.session_records([old, name]) == [make_full_session(name)]


def test_commit_that_meets_a_conflict_reads_again_when_the_answer_is_lost(
    proxied_store: MongoStore, proxy: LossyProxy, name: str
) -> None:
    batch = [CreateUser(make_full_user(name))]
    proxied_store.commit(batch)
    sprung = proxy.lose(FIND, answer=True)
    assert proxied_store.commit(batch) == [COMMITTED]
    assert sprung.is_set()


def test_commit_that_cannot_read_what_it_met_is_in_doubt(
    proxied_store: MongoStore, proxy: LossyProxy, name: str
) -> None:
    batch: list[Write] = [CreateUser(make_full_user(name)), InsertRecord(make_record(name, 1))]
    proxied_store.commit(batch[:1])
    proxy.lose(FIND, answer=True, times=2)
    with pytest.raises(StoreUnavailable) as failure:
        proxied_store.commit(batch)
    assert failure.value.outcome_unknown
    assert proxied_store.commit(batch) == [COMMITTED, COMMITTED]


def test_commit_refused_for_another_reason_than_a_conflict_is_our_fault(
    mongodb_uri: str, mongo_store: MongoStore, database_name: str, name: str
) -> None:
    with MongoClient[Document](mongodb_uri) as client:
        database = client[database_name]
        database.command("collMod", LOG, validator={"stanza_id": {"$ne": "forbidden"}})
        with pytest.raises(BulkWriteError):
            mongo_store.commit([InsertRecord(make_record(name, 1, stanza_id="forbidden"))])
        database.command("collMod", LOG, validator={})
    assert mongo_store.commit([InsertRecord(make_record(name, 2))]) == [COMMITTED]


def test_report_of_duplicates_alone_tells_where_they_are() -> None:
    conflicts = [{"index": 1, "code": 11000}, {"index": 4, "code": 11000}]
    error = BulkWriteError({"writeErrors": conflicts, "writeConcernErrors": [], "nMatched": 3})
    assert _report_duplicates(error) == (3, (1, 4))


def test_report_of_duplicates_that_were_not_written_far_enough_is_no_report() -> None:
    """What was written beside them may still be lost, so nothing may be called committed."""
    conflicts = [{"index": 1, "code": 11000}]
    error = BulkWriteError({"writeErrors": conflicts, "writeConcernErrors": [{"code": 64}], "nMatched": 0})
    with pytest.raises(BulkWriteError) as failure:
        _report_duplicates(error)
    assert failure.value is error
