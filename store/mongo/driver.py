"""A `Store` in a MongoDB database: the reads, and the way to what writes.

Costs on the embedded engine are given where they are not a millisecond or two.
"""

from collections.abc import Sequence
from typing import Final, final

from pymongo import ASCENDING, DESCENDING

from protocols.sasl.keys import ScramKeys
from store.account_items import AccountItem, order_found
from store.log import LogRecord
from store.mongo.collections import SCHEMA, SCHEMA_KEY, items_in, log_in, sessions_in, users_in
from store.mongo.commit import BatchCommit
from store.mongo.connection import DATABASE_NAME, POOL_SIZE_DEFAULT, Connection
from store.mongo.documents import (
    SHELVES,
    inbound_from_key,
    inbound_window,
    keys_from_documents,
    record_from_document,
    record_key,
    shelf_of,
    user_from_document,
)
from store.mongo.failures import Stage
from store.mongo.item_documents import found_window, item_from_document, kind_key
from store.mongo.migrations import migrate
from store.mongo.session_documents import SUMMARY_FIELDS, session_from_document, summary_from_document
from store.sessions import SessionRecord, SessionSummary
from store.users import User
from store.writes import Outcome, Write, check_batch

# Windows over the shelves grow by this factor until the page is full: seven queries for a small server,
# and never more than four times what is needed for a large one.
_SHELVES_GROWTH: Final = 4


@final
class MongoStore:
    """A store in the database at a `mongodb://` address; see `store.store.Store` for its methods.

    Args:
        uri: The address. What it says of TLS, replica sets and `w` holds; time-outs are ours.
        journaled: Whether `commit` returns only when the journal is on disk.
        pool_size: The connections to use at once: as many as there are threads.
        database_name: Another one than the server's own, for tests.
    """

    def __init__(
        self,
        uri: str,
        *,
        journaled: bool = True,
        pool_size: int = POOL_SIZE_DEFAULT,
        database_name: str = DATABASE_NAME,
    ) -> None:
        self._connection = Connection(
            uri, journaled=journaled, pool_size=pool_size, database_name=database_name
        )

    def open(self) -> None:
        """Make ready to connect."""
        self._connection.open()

    def close(self) -> None:
        """Give up all connections."""
        self._connection.close()

    def ping(self) -> None:
        """Return if the database answers, and knows us."""
        with self._connection.database(Stage.READ) as database:
            database.command("ping")
            # A ping is answered to everybody; this takes a permission.
            database[SCHEMA].find_one({"_id": SCHEMA_KEY})

    def ensure_schema(self) -> None:
        """Bring the database to the present layout."""
        with self._connection.patient_database() as database:
            migrate(database)

    def commit(self, batch: Sequence[Write]) -> list[Outcome]:
        """Carry out a batch."""
        return BatchCommit(self._connection, check_batch(batch)).run()

    def user(self, bare_jid: str) -> User | None:
        """Return an account's document."""
        with self._connection.database(Stage.READ) as database:
            document = users_in(database).find_one({"_id": bare_jid})
        return None if document is None else user_from_document(document)

    def credentials(self, bare_jid: str) -> tuple[ScramKeys, ...] | None:
        """Return an account's keys alone."""
        with self._connection.database(Stage.READ) as database:
            document = users_in(database).find_one({"_id": bare_jid}, {"credentials": 1})
        return None if document is None else keys_from_documents(document["credentials"])

    def users(self, after: str | None, count_max: int) -> list[str]:
        """Return the next page of account names, ordered by shelf: 60 µs a name."""
        found: list[tuple[int, str]] = []
        position = (-1, "") if after is None else (shelf_of(after), after)
        start, width = max(position[0], 0), 1
        while start < SHELVES and len(found) < count_max:
            window = {"shelf": {"$gte": start, "$lt": start + width}}
            with self._connection.database(Stage.READ) as database:
                page = [(it["shelf"], it["_id"]) for it in users_in(database).find(window, {"shelf": 1})]
            found += sorted(entry for entry in page if entry > position)
            start, width = start + width, width * _SHELVES_GROWTH
        return [name for _shelf, name in found[:count_max]]

    def pending(self, owner: str, after_seq: int, up_to_seq: int, count_max: int) -> list[LogRecord]:
        """Return undelivered records of an owner's log in order: 40 µs for each there is in the window."""
        window = {"$gt": record_key(owner, after_seq), "$lte": record_key(owner, up_to_seq)}
        with self._connection.database(Stage.READ) as database:
            cursor = log_in(database).find({"queued": window}).sort("queued", ASCENDING).limit(count_max)
            documents = list(cursor)
        return [record_from_document(document) for document in documents]

    def record(self, owner: str, seq: int) -> LogRecord | None:
        """Return one record of an owner's log."""
        with self._connection.database(Stage.READ) as database:
            document = log_in(database).find_one({"_id": record_key(owner, seq)})
        return None if document is None else record_from_document(document)

    def logged_numbers(self, session: str, after: int, count_max: int) -> list[int]:
        """Return which of the next numbers of a session are in any log."""
        window = {"inbound": inbound_window(session, after, after + count_max)}
        with self._connection.database(Stage.READ) as database:
            stanzas = [
                inbound_from_key(it["inbound"]) for it in log_in(database).find(window, {"inbound": 1})
            ]
        return sorted({stanza.number for stanza in stanzas if stanza.session == session})

    def logged_stanzas(self, session: str, after: int, count_max: int) -> list[tuple[int, bytes]]:
        """Return which of the next numbers of a session are in any log, and what they are."""
        window = {"inbound": inbound_window(session, after, after + count_max)}
        with self._connection.database(Stage.READ) as database:
            found = list(log_in(database).find(window, {"inbound": 1, "data": 1}).sort("inbound", DESCENDING))
        stanzas = [(inbound_from_key(it["inbound"]), it["data"]) for it in found]
        return sorted({each.number: data for each, data in stanzas if each.session == session}.items())

    def sessions(self) -> list[SessionSummary]:
        """Return a few facts about every session: 40 µs for each, and four for each kilobyte owed to it."""
        # The engine looks at all of them before it answers, and the server cannot start without.
        with self._connection.patient_database() as database:
            documents = list(sessions_in(database).find({}, SUMMARY_FIELDS))
        return sorted(summary_from_document(document) for document in documents)

    def session_records(self, sm_ids: Sequence[str]) -> list[SessionRecord]:
        """Return the documents of those sessions that are stored: 300 µs for each."""
        with self._connection.database(Stage.READ) as database:
            documents = list(sessions_in(database).find({"_id": {"$in": list(sm_ids)}}))
        stored = {document["_id"]: session_from_document(document) for document in documents}
        return [stored[sm_id] for sm_id in dict.fromkeys(sm_ids) if sm_id in stored]

    def items(self, owner: str, kind: str) -> list[AccountItem]:
        """Return everything of a kind that an account keeps, by key."""
        with self._connection.database(Stage.READ) as database:
            documents = list(items_in(database).find({"of": kind_key(owner, kind)}))
        return sorted(item_from_document(document) for document in documents)

    def found_items(self, kind: str, first: str, last: str, count_max: int) -> list[AccountItem]:
        """Return what accounts keep of a kind to be found by a text between these: 60 µs for each."""
        with self._connection.database(Stage.READ) as database:
            window = {"found": found_window(kind, first, last)}
            documents = list(items_in(database).find(window).sort("found", ASCENDING).limit(count_max))
        return sorted(map(item_from_document, documents), key=order_found)
