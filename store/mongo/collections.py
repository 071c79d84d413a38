"""The collections by name, each with the type of its documents."""

from typing import Final, cast

from pymongo.collection import Collection
from pymongo.database import Database

from store.mongo.connection import Document
from store.mongo.documents import RecordDocument, UserDocument
from store.mongo.item_documents import ItemDocument
from store.mongo.session_documents import SessionDocument

USERS: Final = "users"
LOG: Final = "log"
SESSIONS: Final = "sessions"
ITEMS: Final = "items"
SCHEMA: Final = "schema"
SCHEMA_KEY: Final = "schema"  # of its one document


def users_in(database: Database[Document]) -> Collection[UserDocument]:
    """Return the accounts."""
    return cast("Collection[UserDocument]", database[USERS])


def log_in(database: Database[Document]) -> Collection[RecordDocument]:
    """Return the records of all logs."""
    return cast("Collection[RecordDocument]", database[LOG])


def sessions_in(database: Database[Document]) -> Collection[SessionDocument]:
    """Return the stream-managed sessions."""
    return cast("Collection[SessionDocument]", database[SESSIONS])


def items_in(database: Database[Document]) -> Collection[ItemDocument]:
    """Return what accounts keep beside their documents and logs."""
    return cast("Collection[ItemDocument]", database[ITEMS])
