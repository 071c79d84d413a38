"""Steps run in order, once, and again after a crash."""

import secrets
from collections.abc import Iterator

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from store.errors import StoreUnusable
from store.mongo.collections import SCHEMA, SCHEMA_KEY
from store.mongo.connection import Document
from store.mongo.documents import SCHEMA_VERSION
from store.mongo.migrations import MIGRATIONS, Migration, migrate


@pytest.fixture
def database(mongodb_uri: str) -> Iterator[Database[Document]]:
    """An empty database."""
    with MongoClient[Document](mongodb_uri) as client:
        name = f"migrations_{secrets.token_hex(4)}"
        yield client[name]
        client.drop_database(name)


def version_of(database: Database[Document]) -> int:
    document = database[SCHEMA].find_one({"_id": SCHEMA_KEY})
    return 0 if document is None else int(document["version"])


class Steps:
    """Migrations that write down that they ran, up to the one that is to fail."""

    def __init__(self, count: int, failing: int | None = None) -> None:
        self.done: list[int] = []
        self.failing = failing
        self.migrations = tuple(self._step(number) for number in range(1, count + 1))

    def _step(self, number: int) -> Migration:
        def apply(_database: Database[Document]) -> None:
            if number == self.failing:
                raise InterruptedError
            self.done.append(number)

        return Migration(number, f"step {number}", apply)


def test_migrations_are_numbered_without_gaps_up_to_the_documents_layout() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(1, SCHEMA_VERSION + 1))


def test_migrate_new_database_runs_every_step_in_order(database: Database[Document]) -> None:
    steps = Steps(3)
    migrate(database, steps.migrations)
    assert steps.done == [1, 2, 3]
    assert version_of(database) == 3


def test_migrate_again_runs_nothing(database: Database[Document]) -> None:
    migrate(database, Steps(3).migrations)
    steps = Steps(3)
    migrate(database, steps.migrations)
    assert steps.done == []


def test_migrate_older_database_runs_what_is_missing(database: Database[Document]) -> None:
    migrate(database, Steps(2).migrations)
    steps = Steps(4)
    migrate(database, steps.migrations)
    assert steps.done == [3, 4]


def test_migrate_after_a_crash_goes_on_with_the_step_that_was_cut_off(database: Database[Document]) -> None:
    steps = Steps(3, failing=2)
    with pytest.raises(InterruptedError):
        migrate(database, steps.migrations)
    assert version_of(database) == 1
    steps.failing = None
    migrate(database, steps.migrations)
    assert steps.done == [1, 2, 3]


def test_migrate_database_of_a_newer_program_is_refused(database: Database[Document]) -> None:
    migrate(database, Steps(3).migrations)
    with pytest.raises(StoreUnusable, match="layout 3"):
        migrate(database, Steps(2).migrations)
    assert version_of(database) == 3
