"""Who takes part, and who talks to whom: a pure function of the number of clients.

Most are pairs of accounts with a client each. Of every ten clients four are two accounts with two clients
each. Some write to full addresses, some to bare ones, some to both in turns; some come by STARTTLS, some by
TLS from the first byte, some by WebSocket.
"""

from enum import Enum, unique
from typing import Final, NamedTuple

_GROUP: Final = 10
_SINGLE: Final = 6


@unique
class Way(Enum):
    """How a client connects; the names are those of the server's settings."""

    STARTTLS = "c2s"
    TLS = "c2s_tls"
    WEBSOCKET = "http"


@unique
class Addresses(Enum):
    """What a client writes to."""

    FULL = "full"
    BARE = "bare"
    IN_TURNS = "in turns"


class Part(NamedTuple):
    """One client.

    Attributes:
        number: Its own.
        account: The name of its account.
        resource: Its own among those of its account.
        partner: The number of the client it talks to.
        way: How it connects.
        addresses: How it addresses its partner.
    """

    number: int
    account: str
    resource: str
    partner: int
    way: Way
    addresses: Addresses


# Mostly STARTTLS; a WebSocket costs the harness more than all else.
_WAYS: Final = (Way.STARTTLS, Way.STARTTLS, Way.TLS, Way.STARTTLS, Way.WEBSOCKET)


def cast(clients: int, prefix: str, ways: frozenset[Way] = frozenset(Way)) -> tuple[Part, ...]:
    """Every client of a run.

    Args:
        clients: How many; even.
        prefix: What the names of the accounts begin with.
        ways: How the server can be reached; never none.
    """
    possible = tuple(way for way in _WAYS if way in ways) or tuple(ways)
    return tuple(_part(number, clients, prefix, possible) for number in range(clients))


def _part(number: int, clients: int, prefix: str, ways: tuple[Way, ...]) -> Part:
    group, place = divmod(number, _GROUP)
    way = ways[(number // 2) % len(ways)]
    if place >= _SINGLE and (group + 1) * _GROUP <= clients:
        side, resource = divmod(place - _SINGLE, 2)
        partner = group * _GROUP + _SINGLE + 2 * (1 - side) + resource
        account = f"{prefix}{group * _GROUP + _SINGLE + 2 * side}"
        return Part(number, account, f"desk{resource}", partner, way, Addresses.IN_TURNS)
    addresses = tuple(Addresses)[(number // 2) % len(Addresses)]
    return Part(number, f"{prefix}{number}", "desk0", number ^ 1, way, addresses)
