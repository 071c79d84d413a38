"""The first user of an engine, who must be its only one."""

from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from store.errors import StoreUnavailable, StoreUnusable
from store.mongo.connection import Document
from store.mongo.provision import create_database_user
from tests.store.engines import memory_engine


@pytest.fixture
def fresh_engine() -> Iterator[str]:
    with memory_engine() as uri:
        yield uri


def test_create_database_user_makes_one_who_can_log_in(fresh_engine: str) -> None:
    create_database_user(fresh_engine, "trouper", "secret")
    with MongoClient[Document](fresh_engine, username="trouper", password="secret") as client:
        assert client["trouper"]["anything"].find_one({}) is None


def test_create_database_user_beside_another_is_refused(fresh_engine: str) -> None:
    with MongoClient[Document](fresh_engine) as client:
        client["admin"].command("createUser", "mallory", pwd="x", roles=["root"])
    with pytest.raises(StoreUnusable, match="mallory"):
        create_database_user(fresh_engine, "trouper", "secret")


def test_create_database_user_without_engine_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        create_database_user("mongodb://127.0.0.1:1/?directConnection=true", "trouper", "secret")
