"""Bugs that the simulation must find: each patches the server for one run, as a test of the tests."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from actors import session_revival
from actors.ledger import Parcel
from actors.session import Session
from actors.session_state import ManagedStream
from protocols import stream_queue
from tests.simulation import disasters
from tests.simulation.disasters import Disaster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from protocols.stanza import Stanza

DROPPED_ONE_IN: Final = 100
"""A run has some hundred messages; in a thousand runs one in a thousand would do as well."""


@contextmanager
def drop_messages() -> Iterator[None]:
    """A handler forgets one message in so many."""
    handle, seen = Session._message, 0

    def forgetful(self: Session, stanza: Stanza) -> Sequence[Any]:
        nonlocal seen
        seen += 1
        return () if seen % DROPPED_ONE_IN == 0 else handle(self, stanza)

    with patch.object(Session, "_message", forgetful):
        yield


@contextmanager
def acknowledge_early() -> Iterator[None]:
    """`h` covers what has been received, whether or not it is committed."""
    with patch.object(ManagedStream, "h", property(lambda self: self.incoming.received)):
        yield


@contextmanager
def deliver_early() -> Iterator[None]:
    """A message goes to its recipient's client before it is committed; much crashes over a slow store."""
    place = Parcel.place
    stormy = {**disasters.WEIGHTS, Disaster.CRASH: 20, Disaster.STORE_SLOW: 20}

    def hasty(self: Parcel, *arguments: Any) -> None:
        place(self, *arguments)
        self.open()

    with patch.object(Parcel, "place", hasty), patch.object(disasters, "WEIGHTS", stormy):
        yield


@contextmanager
def rename_messages() -> Iterator[None]:
    """A message stands in the log under a name of its own, so it does not meet itself when sent again."""
    record, renamed = Parcel.record, 0

    def anew(self: Parcel) -> Any:
        nonlocal renamed
        renamed += 1
        made = record(self)
        origin = made.inbound
        return made if origin is None else made._replace(inbound=origin._replace(session=f"fresh-{renamed}"))

    with patch.object(Parcel, "record", anew):
        yield


@contextmanager
def recover_too_little() -> Iterator[None]:
    """After a crash `h` is one lower than it was."""

    def one_less(counter: int, logged: list[int]) -> int:
        return max(0, stream_queue.recovered(counter, logged) - 1)

    with patch.object(session_revival, "recovered", one_less):
        yield


PLANTS: Final[Mapping[str, Callable[[], AbstractContextManager[None]]]] = {
    "drop": drop_messages,
    "early-ack": acknowledge_early,
    "early-delivery": deliver_early,
    "fresh-id": rename_messages,
    "low-h": recover_too_little,
}
