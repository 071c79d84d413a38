"""Deletion works through a log in windows that fit what is there."""

from collections.abc import Iterator

import pytest
from pymongo import MongoClient, monitoring

from store.mongo.collections import log_in, users_in
from store.mongo.connection import Document
from store.mongo.deletion import WINDOW_SEQS_MAX, WINDOW_SEQS_MIN, delete_account
from store.mongo.driver import MongoStore
from store.writes import CreateUser, InsertRecord
from tests.store.samples import make_record, make_user


class Deletions(monitoring.CommandListener):
    """The windows of sequence numbers that were deleted."""

    def __init__(self) -> None:
        self.windows: list[tuple[int, int]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "delete" and "seq" in (query := event.command["deletes"][0]["q"]):
            self.windows.append((query["seq"]["$gt"], query["seq"]["$lte"]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def deletions() -> Deletions:
    return Deletions()


@pytest.fixture
def client(mongodb_uri: str, deletions: Deletions) -> Iterator[MongoClient[Document]]:
    with MongoClient[Document](mongodb_uri, event_listeners=[deletions]) as client:
        yield client


def insert(store: MongoStore, name: str, seqs: range) -> None:
    records = [make_record(name, seq, pending=True) for seq in seqs]
    for start in range(0, len(records), 250):
        store.commit([InsertRecord(record) for record in records[start : start + 250]])


def test_deletion_of_a_dense_log_takes_small_windows(
    mongo_store: MongoStore,
    client: MongoClient[Document],
    deletions: Deletions,
    database_name: str,
    name: str,
) -> None:
    mongo_store.commit([CreateUser(make_user(name, log_reserved=2500))])
    insert(mongo_store, name, range(1, 2501))
    database = client[database_name]
    delete_account(database, name)
    assert log_in(database).count_documents({"owner": name}) == 0
    assert users_in(database).count_documents({"_id": name}) == 0
    assert deletions.windows == [(0, 1000), (1000, 2000), (2000, 3000)]


def test_deletion_of_a_sparse_log_widens_its_windows(
    mongo_store: MongoStore,
    client: MongoClient[Document],
    deletions: Deletions,
    database_name: str,
    name: str,
) -> None:
    reserved = 100_000
    mongo_store.commit([CreateUser(make_user(name, log_reserved=reserved))])
    insert(mongo_store, name, range(1, reserved, 5000))
    delete_account(client[database_name], name)
    assert log_in(client[database_name]).count_documents({"owner": name}) == 0
    widths = [end - start for start, end in deletions.windows]
    assert (min(widths), max(widths)) == (WINDOW_SEQS_MIN, WINDOW_SEQS_MAX)
    assert len(widths) < reserved / WINDOW_SEQS_MAX + 5
    starts = [start for start, _end in deletions.windows]
    assert starts[1:] == [end for _start, end in deletions.windows[:-1]]
    assert deletions.windows[-1][1] >= reserved
