"""The outside world as the actors see it: wall clock, randomness and blocking work come in here.

The simulation makes one from a seed. Monotonic time is Trio's own clock, which it
replaces as well.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from actors.blocking import ThreadPool
from protocols.sasl.keys import SALT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.blocking import BlockingPool

TOKEN_BYTES: Final = 15
"""120 bits: nobody guesses it, and it is 20 characters in base64."""
READERS_MAX: Final = 4
"""Database reads at a time; more would only wait inside the driver."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def _new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


@final
@dataclass(frozen=True, slots=True)
class World:
    """Clock, randomness and threads.

    Attributes:
        now_ms: Milliseconds since 1970.
        new_token: An unguessable text of 20 characters, for stream ids, stanza ids, nonces and resources.
        new_salt: Random bytes for the keys of one password.
        writer: Where batches are committed, one at a time.
        readers: Where the database is read.
        hashing: Where passwords are hashed.
    """

    now_ms: Callable[[], int]
    new_token: Callable[[], str]
    new_salt: Callable[[], bytes]
    writer: BlockingPool
    readers: BlockingPool
    hashing: BlockingPool


def real_world() -> World:
    """The world outside the simulation."""
    return World(
        _now_ms,
        _new_token,
        _new_salt,
        writer=ThreadPool("writer", 1),
        readers=ThreadPool("reader", READERS_MAX),
        hashing=ThreadPool("hashing", 1),
    )
