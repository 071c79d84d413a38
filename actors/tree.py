"""The supervision tree of the server, as one readable list of child specs.

Start is from top to bottom, stop from bottom to top: listeners start last and stop first. The strategies
are chosen so that no single death closes a client's stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.http_connection import start_http_connection
from actors.ledger_keeper import ledger_keeper_spec
from actors.listener import listener_spec
from actors.port_driver import port_driver_spec
from actors.registry import registry_spec
from actors.settings import Durability
from actors.store_batcher import batcher_spec
from actors.store_link import database_spec
from actors.tcp_connection import start_tcp_connection
from supervision.child_spec import ChildSpec, Strategy
from supervision.supervisor import supervisor_spec
from supervision.timers import timers_spec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from actors.server import Server
    from supervision.slot import Slot


def root_spec(server: Server, say: Callable[[str], None], ops: Sequence[ChildSpec] = ()) -> ChildSpec:
    """The whole tree; `ops` are the children through which people look into it."""
    return supervisor_spec(
        "root",
        [
            *core_specs(server, _named_database(server, say)),
            port_driver_spec(server.ports),
            server.connections.spec(),
            supervisor_spec("ops", ops, intensity=server.intensity),
            listeners_spec(server),
        ],
        strategy=Strategy.ONE_FOR_ONE,
        intensity=server.intensity,
    )


def core_specs(server: Server, database: ChildSpec) -> list[ChildSpec]:
    """What needs neither sockets nor processes, given an actor that offers a database to the server."""
    return [
        timers_spec(),
        store_spec(server, database),
        ledger_keeper_spec(server),
        registry_spec(server),
        server.users.spec(),
        server.sessions.spec(),
        server.jobs.spec(),
    ]


def _named_database(server: Server, say: Callable[[str], None]) -> ChildSpec:
    """The link to the database that the settings name."""
    settings = server.settings
    return database_spec(
        settings.database.uri,
        settings.data_dir,
        server.store,
        server.world.readers,
        journaled=settings.durability is Durability.JOURNALED,
        say=say,
    )


def store_spec(server: Server, database: ChildSpec) -> ChildSpec:
    """The link to the database and the batcher, each of which can die without the other.

    The batcher stops first, so that it can commit what it has accepted.
    """
    limits = server.settings.limits
    batcher = batcher_spec(
        server.store, server.world.writer, limits.store_away_seconds, limits.ledger_bytes_max, server.note
    )
    return supervisor_spec("store", [database, batcher], intensity=server.intensity)


def listeners_spec(server: Server) -> ChildSpec:
    """One listener for each address."""
    listen = server.settings.listen
    children = [
        *(listener_spec(f"c2s:{each}", server, each, start_tcp_connection) for each in listen.c2s),
        *(listener_spec(f"c2s_tls:{each}", server, each, _start_direct_tls) for each in listen.c2s_tls),
        *(listener_spec(f"http:{each}", server, each, start_http_connection) for each in listen.http),
        *(listener_spec(f"https:{each}", server, each, _start_https) for each in listen.https),
    ]
    return supervisor_spec("listeners", children, intensity=server.intensity)


def _start_direct_tls(server: Server, accepted: socket.socket) -> Slot[Any]:
    return start_tcp_connection(server, accepted, direct_tls=True)


def _start_https(server: Server, accepted: socket.socket) -> Slot[Any]:
    return start_http_connection(server, accepted, tls=True)
