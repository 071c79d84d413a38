"""The first account on an embedded engine, made while it asks nobody for a password."""

from typing import Final

from store.errors import StoreUnusable
from store.mongo.connection import DATABASE_NAME, make_client
from store.mongo.failures import Stage, translated

# What the server does: read, write, create indexes.
_ROLES: Final = ({"role": "readWrite", "db": DATABASE_NAME}, {"role": "dbAdmin", "db": DATABASE_NAME})


def create_database_user(uri: str, name: str, password: str) -> None:
    """Create the one user of an engine.

    Raises:
        StoreUnusable: If there is any other afterwards: somebody was quicker than we.
        StoreUnavailable: If the engine does not answer.
    """
    with make_client(uri, pool_size=1) as client, translated(Stage.READ):
        admin = client.get_database("admin")
        admin.command("createUser", name, pwd=password, roles=list(_ROLES), mechanisms=["SCRAM-SHA-256"])
        users = admin.command("usersInfo", 1)["users"]
    if [user["user"] for user in users] != [name]:
        raise StoreUnusable(f"the new database has users that we did not make: {users}")
