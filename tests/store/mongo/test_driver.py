"""The driver's own side: threads, paging, and what `journaled` means. The contract is in `test_store`."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pymongo import monitoring

from store.mongo.documents import SHELVES, shelf_of
from store.mongo.driver import MongoStore
from store.writes import COMMITTED, CreateUser, InsertRecord, Outcome
from tests.store.samples import make_record, make_user

THREADS = 8


class Commands(monitoring.CommandListener):
    """What clients send, while somebody wants to know."""

    def __init__(self) -> None:
        self.seen: list[monitoring.CommandStartedEvent] = []
        self.listening = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.listening:
            self.seen.append(event)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture(scope="session")
def listener() -> Commands:
    """Hears every client made from here on: pymongo forgets no listener, so there is only one."""
    listener = Commands()
    monitoring.register(listener)
    return listener


@pytest.fixture
def commands(listener: Commands) -> Iterator[Commands]:
    """The commands sent during a test."""
    listener.seen.clear()
    listener.listening = True
    yield listener
    listener.listening = False


@pytest.fixture(params=[True, False], ids=["journaled", "in memory"])
def heard_store(
    commands: Commands,
    mongodb_uri: str,
    mongo_store: MongoStore,
    database_name: str,
    request: pytest.FixtureRequest,
) -> Iterator[tuple[MongoStore, bool]]:
    mongo_store.ping()  # and has made the schema
    store = MongoStore(mongodb_uri, journaled=request.param, database_name=database_name)
    store.open()
    store.ping()
    commands.seen.clear()
    yield store, request.param
    store.close()


def test_every_write_waits_for_the_journal_exactly_if_asked_to(
    heard_store: tuple[MongoStore, bool], commands: Commands, name: str
) -> None:
    store, journaled = heard_store
    store.commit([CreateUser(make_user(name)), InsertRecord(make_record(name, 1))])
    assert [event.command_name for event in commands.seen] == ["insert", "insert"]
    assert [event.command["writeConcern"]["j"] for event in commands.seen] == [journaled] * 2


def test_batch_of_many_records_is_one_command(
    heard_store: tuple[MongoStore, bool], commands: Commands, name: str
) -> None:
    store, _journaled = heard_store
    store.commit([InsertRecord(make_record(name, seq)) for seq in range(1, 201)])
    assert [event.command_name for event in commands.seen] == ["insert"]


def test_listing_every_shelf_takes_few_queries(
    heard_store: tuple[MongoStore, bool], commands: Commands, name: str
) -> None:
    store, _journaled = heard_store
    store.commit([CreateUser(make_user(name))])
    commands.seen.clear()
    assert name in store.users(None, 10_000)
    windows = [event.command["filter"]["shelf"] for event in commands.seen]
    assert len(windows) < 10
    assert windows[0]["$gte"] == 0
    assert windows[-1]["$lt"] >= SHELVES
    assert [window["$gte"] for window in windows[1:]] == [window["$lt"] for window in windows[:-1]]


def test_listing_one_shelf_in_pages_goes_by_name(mongo_store: MongoStore, name: str) -> None:
    """In whatever order the server finds them, or some would be on no page."""
    candidates = (f"{number}.{name}" for number in itertools.count())
    shelf = shelf_of(name)
    names = [name, *itertools.islice((each for each in candidates if shelf_of(each) == shelf), 3)]
    for each in sorted(names, reverse=True):
        mongo_store.commit([CreateUser(make_user(each))])
    everyone = mongo_store.users(None, 10_000)
    assert [each for each in everyone if each in names] == sorted(names)
    for one, following in itertools.pairwise(everyone):
        assert mongo_store.users(one, 1) == [following]


def test_store_serves_more_threads_than_it_has_connections(mongo_store: MongoStore, name: str) -> None:
    def write_and_read(number: int) -> tuple[list[Outcome], int]:
        owner = f"{number}.{name}"
        outcomes = mongo_store.commit([InsertRecord(make_record(owner, seq, pending=True)) for seq in (1, 2)])
        return outcomes, len(mongo_store.pending(owner, 0, 10, 10))

    with ThreadPoolExecutor(THREADS) as threads:
        results = list(threads.map(write_and_read, range(THREADS * 4)))
    assert results == [([COMMITTED, COMMITTED], 2)] * (THREADS * 4)
