"""Houses in which Romeo and Juliet manage their streams: who they are, what they say, what stays of it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from protocols.jid import parse_jid
from store.log import SEQ_MAX
from tests.actors.house import House
from tests.actors.managed_client import appear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from store.log import LogRecord
    from store.memory.driver import MemoryStore
    from tests.actors.managed_client import ManagedClient

ROMEO, JULIET = "romeo@localhost", "juliet@localhost"
ORCHARD, BALCONY, WINDOW = f"{ROMEO}/orchard", f"{JULIET}/balcony", f"{JULIET}/window"
RESUMED, FAILED = "{urn:xmpp:sm:3}resumed", "{urn:xmpp:sm:3}failed"

_seeds = count(1)


def chat(to: str, text: object) -> str:
    """A message with this text."""
    return f"<message to='{to}' type='chat'><body>{text}</body></message>"


def friends(**fields: Any) -> House:
    """A house in which the two see each other's presence."""
    house = House(**fields)
    house.befriend(ROMEO, JULIET)
    return house


def after(store: MemoryStore, **fields: Any) -> House:
    """The next process, which has nothing but what was in the store."""
    return House((), store=store, seed=next(_seeds), **fields)


async def couple(house: House) -> tuple[ManagedClient, ManagedClient]:
    """Both are there, and have acknowledged everything."""
    romeo, juliet = await appear(house, ORCHARD), await appear(house, BALCONY)
    await romeo.hears()
    romeo.acknowledge()
    return romeo, juliet


def log(house: House, owner: str = JULIET) -> list[LogRecord]:
    """What an account's log holds undelivered."""
    return house.store.pending(owner, 0, SEQ_MAX, 10**6)


def kept(house: House, owner: str = JULIET) -> list[str]:
    """The texts of that."""
    found = [re.findall(b"<body>(.*?)</body>", record.data) for record in log(house, owner)]
    return [text.decode() for texts in found for text in texts]


@contextmanager
def slow(house: House, seconds: float = 1.0) -> Iterator[None]:
    """Within this the database takes its time for everything."""
    house.pool.delay = lambda: seconds
    yield
    house.pool.delay = None


async def warm(house: House, *jids: str) -> None:
    """Reserve numbers of these accounts' logs, as the first message does, so that the next waits for none."""
    for jid in jids:
        house.server.ledger_of(parse_jid(jid)).ask_for_more()
    await house.settle()
