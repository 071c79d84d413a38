"""The client's options as they arrive at the database."""

import socket

import pytest

from store.errors import StoreUnavailable
from store.mongo.connection import Connection
from store.mongo.driver import MongoStore
from store.mongo.failures import Stage
from store.writes import CreateUser
from tests.store.samples import make_user


def connection_to(uri: str, *, journaled: bool = True) -> Connection:
    connection = Connection(uri, journaled=journaled, pool_size=1, database_name="options")
    connection.open()
    return connection


@pytest.mark.parametrize(
    ("options", "journaled", "concern"),
    [
        ("", True, {"j": True}),
        ("", False, {"j": False}),
        ("?w=1", True, {"w": 1, "j": True}),
        ("?w=majority&wtimeoutMS=500", True, {"w": "majority", "wtimeout": 500, "j": True}),
        ("?journal=false", True, {"j": True}),
    ],
)
def test_write_concern_is_the_address_s_with_our_journaling(
    options: str, journaled: bool, concern: dict[str, object]
) -> None:
    """A replica set must be free to ask for a majority; an engine of one has none."""
    connection = connection_to(f"mongodb://localhost/{options}", journaled=journaled)
    with connection.database(Stage.READ) as database:
        assert database.write_concern.document == concern
    connection.close()


def test_closing_twice_or_before_opening_does_nothing() -> None:
    connection = Connection("mongodb://localhost", journaled=True, pool_size=1, database_name="x")
    connection.close()
    connection.open()
    connection.close()
    connection.close()


def test_close_in_the_middle_of_a_call_makes_it_unavailable(mongodb_uri: str) -> None:
    """Another thread closes the store while this one is at work."""
    connection = connection_to(mongodb_uri)

    def ping_a_closed_client() -> None:
        with connection.database(Stage.FIRST_WRITE) as database:
            connection.close()
            database.command("ping")

    with pytest.raises(StoreUnavailable) as failure:
        ping_a_closed_client()
    assert failure.value.outcome_unknown


def test_store_without_a_server_is_unavailable_and_nothing_in_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    store = MongoStore(f"mongodb://127.0.0.1:{port}/?directConnection=true")
    store.open()
    with pytest.raises(StoreUnavailable) as failure:
        store.commit([CreateUser(make_user("a@x"))])
    assert not failure.value.outcome_unknown
    store.close()
