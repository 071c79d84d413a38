"""The indexes, and why each is as it is.

Every insertion pays for each index of its collection (some 0.08 ms a record on the embedded engine, a third
of what it costs in all), so there is none that no reader needs. Three are over one text made for the purpose
and present only where it is needed, hence sparse: an index with a partial filter, or one more field beside
the window, makes the embedded engine scan the collection (0.4 s at 30,000 records against 4 ms), while a
window of one field is found quickly by every server.
"""

from typing import Final, NamedTuple

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from store.mongo.collections import ITEMS, LOG, SESSIONS, USERS
from store.mongo.connection import Document


class Index(NamedTuple):
    """One index: its name, what it sorts by, and whether it is unique and leaves out who lacks the field."""

    name: str
    fields: tuple[str, ...]
    unique: bool = False
    sparse: bool = False


INDEXES: Final = {
    USERS: (
        # Listing accounts page by page.
        Index("shelf", ("shelf",)),
    ),
    LOG: (
        # The log of an owner, in order, window by window.
        Index("owner_seq", ("owner", "seq")),
        # The same for one conversation.
        Index("owner_with_seq", ("owner", "with_jid", "seq")),
        # The offline queue. Only pending records are in it, so reading a queue costs what the queue holds,
        # however large the archive; a message delivered at once costs nothing here.
        Index("queued", ("queued",), sparse=True),
        # A stanza sent again meets its own record; also finds the numbers logged for a session.
        Index("inbound", ("inbound",), unique=True, sparse=True),
    ),
    SESSIONS: (
        # Deleting an account's sessions. Saving one again, which leaves the field as it is, costs no more.
        Index("bare_jid", ("bare_jid",)),
    ),
    ITEMS: (
        # What an account keeps of one kind.
        Index("of", ("of",)),
        # Deleting all of it with the account.
        Index("owner", ("owner",)),
        # What all accounts keep to be found, window by window; only what is to be found is in it.
        Index("found", ("found",), sparse=True),
    ),
}


def create_indexes(database: Database[Document]) -> None:
    """Create what is missing; collections come into being with their first index."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes([_model(index) for index in indexes])


def _model(index: Index) -> IndexModel:
    keys = [(field, ASCENDING) for field in index.fields]
    return IndexModel(keys, name=index.name, unique=index.unique, sparse=index.sparse)
