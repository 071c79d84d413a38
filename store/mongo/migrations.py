"""How a database comes to the present layout: numbered steps, run in order, each of them at most once.

A step may be cut off by a crash and is then run again, so it must be able to meet its own work. The number
of the last step done is kept in the database; documents carry the number of the layout they are in.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from pymongo import WriteConcern
from pymongo.database import Database

from store.errors import StoreUnusable
from store.mongo.collections import SCHEMA, SCHEMA_KEY
from store.mongo.connection import Document
from store.mongo.indexes import create_indexes


class Migration(NamedTuple):
    """One step: the layout it leads to, what it does in a few words, and how."""

    version: int
    purpose: str
    apply: Callable[[Database[Document]], None]


# The last one leads to the layout that `store.mongo.documents` writes.
MIGRATIONS: Final = (
    Migration(1, "users and log, with their indexes", create_indexes),
    # Users and records without `outbound` are as they were, and before there were sessions none had it.
    Migration(2, "sessions, with their index", create_indexes),
    Migration(3, "what accounts keep, with its indexes", create_indexes),
    Migration(4, "what is found among that, with its index", create_indexes),
)


def migrate(database: Database[Document], migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Run the steps that the database has not seen.

    Raises:
        StoreUnusable: If a newer program has been at work here.
    """
    # Journaled whatever the durability: a step must not be forgotten once its effect is there.
    schema = database.get_collection(SCHEMA, write_concern=WriteConcern(j=True))
    found = schema.find_one({"_id": SCHEMA_KEY})
    version = 0 if found is None else int(found["version"])
    if version > migrations[-1].version:
        raise StoreUnusable(
            f"the database has layout {version}, this program knows {migrations[-1].version}: "
            "a newer version of it was here"
        )
    for migration in migrations:
        if migration.version > version:
            migration.apply(database)
            schema.replace_one({"_id": SCHEMA_KEY}, {"version": migration.version}, upsert=True)
