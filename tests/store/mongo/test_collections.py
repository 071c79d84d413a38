"""Where things are, for whoever looks with other tools."""

from store.account_items import AccountItem
from store.mongo.collections import (
    ITEMS,
    LOG,
    SCHEMA,
    SESSIONS,
    USERS,
    items_in,
    log_in,
    sessions_in,
    users_in,
)
from store.mongo.driver import MongoStore
from store.mongo.failures import Stage
from store.writes import CreateUser, InsertRecord, SaveItem, SaveSession
from tests.store.samples import make_record, make_session, make_user


def test_collections_hold_what_their_names_say(mongo_store: MongoStore, name: str) -> None:
    item = SaveItem(AccountItem(name, "private", "key", b""))
    account, record = CreateUser(make_user(name)), InsertRecord(make_record(name, 1))
    mongo_store.commit([account, record, SaveSession(make_session(name)), item])
    with mongo_store._connection.database(Stage.READ) as database:
        assert users_in(database).find_one({"_id": name}) is not None
        assert log_in(database).find_one({"owner": name}) is not None
        assert sessions_in(database).find_one({"_id": name}) is not None
        assert items_in(database).find_one({"owner": name}) is not None
        names = {USERS, LOG, SESSIONS, ITEMS, SCHEMA}
        assert names == {"users", "log", "sessions", "items", "schema"}
        assert set(database.list_collection_names()) == names
