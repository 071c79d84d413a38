"""The pymongo client of one store: its options, and the only way to the database.

Every time-out is shorter than the grace an actor has to stop, as a thread that waits cannot be cancelled.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, final

from pymongo import MongoClient, WriteConcern
from pymongo.database import Database
from pymongo.errors import PyMongoError

from store.errors import StoreUnavailable, StoreUnusable
from store.mongo.failures import Stage, is_forbidden, translated

DATABASE_NAME: Final = "trouper"

# How long until the database counts as away. Finding it and connecting are local affairs; an answer may
# take a while on a busy machine, where the largest batch takes half a second on an idle one.
SERVER_SELECTION_MS: Final = 1_500
CONNECT_MS: Final = 1_000
ANSWER_MS: Final = 3_000
# Waiting for one of our own other threads to give a connection back: as long as its answer may take.
POOL_WAIT_MS: Final = 3_000
# Building an index or migrating a large collection: whoever upgrades waits for it, unless the database goes.
SCHEMA_ANSWER_MS: Final = 900_000
# How often an unreachable database is tried for again; the default of ten seconds prolongs every outage.
HEARTBEAT_MS: Final = 2_000

# The embedded engine gains nothing from more. A real MongoDB does.
POOL_SIZE_DEFAULT: Final = 2

Document: TypeAlias = dict[str, Any]


@final
class Connection:
    """Holds the client between `open` and `close`; used by several threads."""

    def __init__(self, uri: str, *, journaled: bool, pool_size: int, database_name: str) -> None:
        self._uri = uri
        self._journaled = journaled
        self._pool_size = pool_size
        self._database_name = database_name
        self._client: MongoClient[Document] | None = None

    def open(self) -> None:
        """Make the client, which connects by itself when first used."""
        if self._client is None:
            self._client = make_client(self._uri, pool_size=self._pool_size)

    def close(self) -> None:
        """Give the client up; threads that use it fail with `StoreUnavailable`."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @contextmanager
    def database(self, stage: Stage) -> Iterator[Database[Document]]:
        """Give the database, and translate what goes wrong with it.

        Raises:
            StoreUnavailable: As `translated` does, or if the store is or gets closed.
            StoreUnusable: As `translated` does.
        """
        client = self._client
        if client is None:
            raise StoreUnavailable("the store is closed", outcome_unknown=stage is Stage.LATER_WRITE)
        try:
            with _translated(stage, client):
                yield client.get_database(self._database_name, write_concern=self._write_concern(client))
        except PyMongoError as error:
            if self._client is client:
                raise
            raise StoreUnavailable("the store was closed", outcome_unknown=stage is not Stage.READ) from error

    @contextmanager
    def patient_database(self) -> Iterator[Database[Document]]:
        """Give the database through a client of its own, for work that may take minutes.

        Raises:
            StoreUnavailable: If the database is away or goes, or the store is closed.
            StoreUnusable: As `translated` does.
        """
        with self.database(Stage.READ):
            client = make_client(self._uri, pool_size=1, answer_ms=SCHEMA_ANSWER_MS)
        with client, _translated(Stage.READ, client):
            yield client.get_database(self._database_name, write_concern=self._write_concern(client))

    def _write_concern(self, client: MongoClient[Document]) -> WriteConcern:
        """Return what the address says about `w` (nothing: the server's own default), with our `j`."""
        document = client.write_concern.document
        return WriteConcern(w=document.get("w"), wtimeout=document.get("wtimeout"), j=self._journaled)


def make_client(uri: str, *, pool_size: int, answer_ms: int = ANSWER_MS) -> MongoClient[Document]:
    """Return a client, which connects by itself when first used."""
    return MongoClient(
        uri,
        appname="trouper",
        connect=False,
        maxPoolSize=pool_size,
        serverSelectionTimeoutMS=SERVER_SELECTION_MS,
        connectTimeoutMS=CONNECT_MS,
        socketTimeoutMS=answer_ms,
        waitQueueTimeoutMS=POOL_WAIT_MS,
        heartbeatFrequencyMS=HEARTBEAT_MS,
        # The batcher retries, and must know what was sent; reads are harmless to send twice.
        retryWrites=False,
        retryReads=True,
    )


@contextmanager
def _translated(stage: Stage, client: MongoClient[Document]) -> Iterator[None]:
    """Translate what goes wrong.

    A server that has refused us once is, to pymongo, one that cannot be found.
    """
    try:
        with translated(stage):
            yield
    except StoreUnavailable as unavailable:
        servers = client.topology_description.server_descriptions().values()
        refusal = next((server.error for server in servers if is_forbidden(server.error)), None)
        if refusal is None:
            raise
        raise StoreUnusable(f"the database refuses us: {refusal}") from unavailable
