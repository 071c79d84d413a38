"""Every query finds an index: on the embedded engine one that does not is a thousand times slower."""

from typing import Any

import pytest

from store.account_items import AccountItem
from store.log import StanzaNumber
from store.mongo.collections import ITEMS, LOG, SESSIONS, USERS
from store.mongo.documents import inbound_key, inbound_window, record_key
from store.mongo.driver import MongoStore
from store.mongo.failures import Stage
from store.mongo.indexes import INDEXES, create_indexes
from store.mongo.item_documents import found_window
from store.writes import CreateUser, InsertRecord, SaveItem, SaveSession
from tests.store.samples import make_full_record, make_session, make_user

STANZA = inbound_key(StanzaNumber("session", 1), "a@x")
QUERIES = [
    (USERS, {"shelf": {"$gte": 0, "$lt": 16}}, "shelf"),
    (LOG, {"queued": {"$gt": record_key("a@x", 0), "$lte": record_key("a@x", 9)}}, "queued"),
    (LOG, {"inbound": {"$in": [STANZA]}}, "inbound"),
    (LOG, {"inbound": inbound_window("session", 0, 100)}, "inbound"),
    (LOG, {"owner": "a@x", "seq": {"$gt": 1, "$lte": 100}}, "owner_seq"),
    (LOG, {"owner": "a@x"}, "owner_seq"),
    (LOG, {"owner": "a@x", "with_jid": "b@x", "seq": {"$gt": 1, "$lte": 100}}, "owner_with_seq"),
    (SESSIONS, {"bare_jid": "a@x"}, "bare_jid"),
    (ITEMS, {"of": "a@x/private"}, "of"),
    (ITEMS, {"owner": "a@x"}, "owner"),
    (ITEMS, {"found": found_window("directory", "nick=r", "nick=s")}, "found"),
]


def index_names(plan: Any) -> set[str]:
    """Return the indexes anywhere in a plan."""
    if isinstance(plan, dict):
        here = {plan["indexName"]} if "indexName" in plan else set()
        return here.union(*map(index_names, plan.values()))
    return set().union(*map(index_names, plan)) if isinstance(plan, list) else set()


@pytest.fixture(autouse=True)
def _something_to_find(mongo_store: MongoStore) -> None:
    mongo_store.commit(
        [
            CreateUser(make_user("a@x")),
            InsertRecord(make_full_record("a@x", 1)),
            SaveSession(make_session("s", jid="a@x/r")),
            SaveItem(AccountItem("a@x", "directory", "nick", b"", "nick=romeo")),
        ]
    )


@pytest.mark.parametrize(("collection", "query", "index"), QUERIES)
def test_query_uses_its_index(
    mongo_store: MongoStore, collection: str, query: dict[str, Any], index: str
) -> None:
    with mongo_store._connection.database(Stage.READ) as database:
        plan = database[collection].find(query).explain()["queryPlanner"]["winningPlan"]
    assert "COLLSCAN" not in str(plan)
    # Which one of two that begin alike is the server's business.
    alike = {"owner_seq", "owner_with_seq"}
    assert index_names(plan) & (alike if query == {"owner": "a@x"} and collection == LOG else {index})


def test_indexes_created_twice_are_those_declared(mongo_store: MongoStore) -> None:
    with mongo_store._connection.database(Stage.READ) as database:
        create_indexes(database)
        for collection, indexes in INDEXES.items():
            found = database[collection].index_information()
            assert set(found) == {"_id_", *(index.name for index in indexes)}
            for index in indexes:
                assert [field for field, _order in found[index.name]["key"]] == list(index.fields)
                assert bool(found[index.name].get("unique")) == index.unique
                assert bool(found[index.name].get("sparse")) == index.sparse


def test_indexes_of_the_log_leave_out_what_is_neither_queued_nor_numbered() -> None:
    """Messages delivered at once, by far the most, pay for two indexes and not for four."""
    assert {index.name for index in INDEXES[LOG] if index.sparse} == {"queued", "inbound"}
