"""Where things are, for whoever looks with other tools."""

from store.mongo.collections import LOG, SCHEMA, SESSIONS, USERS, log_in, sessions_in, users_in
from store.mongo.driver import MongoStore
from store.mongo.failures import Stage
from store.writes import CreateUser, InsertRecord, SaveSession
from tests.store.samples import make_record, make_session, make_user


def test_collections_hold_what_their_names_say(mongo_store: MongoStore, name: str) -> None:
    mongo_store.commit(
        [CreateUser(make_user(name)), InsertRecord(make_record(name, 1)), SaveSession(make_session(name))]
    )
    with mongo_store._connection.database(Stage.READ) as database:
        assert users_in(database).find_one({"_id": name}) is not None
        assert log_in(database).find_one({"owner": name}) is not None
        assert sessions_in(database).find_one({"_id": name}) is not None
        assert {USERS, LOG, SESSIONS, SCHEMA} == {"users", "log", "sessions", "schema"}
        assert set(database.list_collection_names()) == {USERS, LOG, SESSIONS, SCHEMA}
