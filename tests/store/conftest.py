"""Stores to test: every driver behind the same contract, on one engine for the whole run of a worker.

`MONGODB_URI` names a real server to use in place of the engine.
"""

import itertools
import os
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from store.memory.driver import MemoryStore
from store.memory.faults import Fault
from store.mongo.driver import MongoStore
from store.store import Store
from tests.store.engines import memory_engine
from tests.store.proxy import LossyProxy

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def mongodb_uri() -> Iterator[str]:
    """The address of a database that asks for nothing the address does not say."""
    given = os.environ.get("MONGODB_URI")
    if given is not None:
        yield given
    else:
        with memory_engine() as uri:
            yield uri


@pytest.fixture(scope="module")
def database_name(mongodb_uri: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a database for one module of tests, dropped in the end."""
    module = request.module.__name__.rpartition(".")[2][:20]
    name = f"{module}_{secrets.token_hex(4)}"
    yield name
    with MongoClient[dict[str, object]](mongodb_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def mongo_store(mongodb_uri: str, database_name: str) -> Iterator[MongoStore]:
    store = MongoStore(mongodb_uri, database_name=database_name)
    store.open()
    store.ensure_schema()
    yield store
    store.close()


@pytest.fixture(params=["memory", "mongo"])
def store(request: pytest.FixtureRequest) -> Store:
    """A store of each kind, in which others may have left their accounts."""
    if request.param == "memory":
        memory = MemoryStore()
        memory.open()
        return memory
    mongo: MongoStore = request.getfixturevalue("mongo_store")
    return mongo


@pytest.fixture
def name() -> str:
    """The address of an account nobody has used yet."""
    return f"juliet.{next(_numbers)}@example.com"


class FaultyStore(NamedTuple):
    """A store whose next commit can be made to end in doubt."""

    store: Store
    lose_request: Callable[[], None]
    lose_answer: Callable[[], None]


@pytest.fixture(params=["memory", "mongo"])
def faulty(request: pytest.FixtureRequest) -> Iterator[FaultyStore]:
    make = {"memory": _faulty_memory, "mongo": _faulty_mongo}[request.param]
    yield from make(request)


def _faulty_memory(_request: pytest.FixtureRequest) -> Iterator[FaultyStore]:
    due: list[Fault] = []
    store = MemoryStore(lambda operation: due.pop() if operation == "commit" and due else None)
    store.open()
    yield FaultyStore(store, lambda: due.append(Fault.LOST_REQUEST), lambda: due.append(Fault.LOST_ANSWER))


def _faulty_mongo(request: pytest.FixtureRequest) -> Iterator[FaultyStore]:
    uri: str = request.getfixturevalue("mongodb_uri")
    request.getfixturevalue("mongo_store")  # for the schema
    host, port = parse_uri(uri)["nodelist"][0]
    proxy = LossyProxy(host, port)
    store = MongoStore(
        f"{uri.replace(f'{host}:{port}', f'127.0.0.1:{proxy.port}')}",
        database_name=request.getfixturevalue("database_name"),
    )
    store.open()
    # A write is what carries our write concern.
    concern = b"\x08j\x00\x01"
    yield FaultyStore(
        store,
        lambda: _discard(proxy.lose(concern, answer=False)),
        lambda: _discard(proxy.lose(concern, answer=True)),
    )
    store.close()
    proxy.close()


def _discard(_value: object) -> None:
    """Return nothing."""
