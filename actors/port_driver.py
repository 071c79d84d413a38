"""The port driver: one actor that waits for every socket through one edge-triggered epoll.

Readiness becomes two bits in the mailbox of the port's owner, never a queued message: a lost post would
stall a client for ever, a repeated one is harmless. The table of ports belongs to the driver's slot; a new
incarnation makes a new epoll object, arms all ports again, and so repeats whatever its predecessor may have
lost.
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn, final

import trio

from actors.port import HUNG_UP, READABLE, WRITABLE
from supervision.actor import Actor
from supervision.child_spec import ChildSpec
from supervision.runtime import Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.port import Port
    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot

_EVENTS: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_READ_EVENTS: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_HUNG_UP_EVENTS: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_READY_MAX: Final = 1_024
"""Sockets reported by one look; the rest by the next, after others have had a turn."""


def _bits(events: int) -> int:
    return (
        (READABLE if events & _READ_EVENTS else 0)
        | (WRITABLE if events & select.EPOLLOUT else 0)
        | (HUNG_UP if events & _HUNG_UP_EVENTS else 0)
    )


@final
class PortTable:
    """The ports by descriptor, and the epoll object that watches them just now."""

    __slots__ = ("_epoll", "_ports")

    def __init__(self) -> None:
        self._ports: dict[int, Port] = {}
        self._epoll: select.epoll | None = None

    def add(self, port: Port) -> None:
        """Watch a port from now on; its owner is told at once what it is ready for."""
        self._ports[port.fileno] = port
        if self._epoll is not None:
            self._epoll.register(port.fileno, _EVENTS)

    def remove(self, port: Port) -> None:
        """Stop watching; call it before the descriptor is closed, since its number may come again."""
        if self._ports.get(port.fileno) is not port:
            return
        del self._ports[port.fileno]
        if self._epoll is not None:
            with suppress(OSError):  # a TLS handshake that fails at once takes the descriptor with it
                self._epoll.unregister(port.fileno)

    def arm_all(self) -> select.epoll:
        """A new epoll object that watches every port and will report what is ready, known or not."""
        self.disarm()
        epoll = self._epoll = select.epoll()
        for fileno in self._ports:
            epoll.register(fileno, _EVENTS)
        return epoll

    def disarm(self) -> None:
        """Close the epoll object."""
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None

    def poll(self) -> list[tuple[int, int]]:
        """What is ready: descriptors, and what for. Whoever asks must pass it on: it is told only once."""
        assert self._epoll is not None
        return self._epoll.poll(0, _READY_MAX)

    def signal(self, ready: list[tuple[int, int]]) -> None:
        """Tell the owners."""
        ports = self._ports
        for fileno, events in ready:
            port = ports.get(fileno)
            if port is not None:
                port.owner.signal(_bits(events))

    def __len__(self) -> int:
        """How many ports are watched."""
        return len(self._ports)


@final
class PortDriver(Actor[NoReturn, None]):
    """Waits for the epoll object itself through Trio's."""

    def __init__(self, slot: Slot[NoReturn], table: PortTable) -> None:
        super().__init__(slot)
        self._table = table

    async def run(self) -> ExitReason:
        """Pass readiness on until asked to stop."""
        mailbox = self.mailbox
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drive)
            while mailbox.stop is None:
                await mailbox.wait()
            nursery.cancel_scope.cancel()
        assert mailbox.stop is not None
        return mailbox.stop

    async def _drive(self) -> None:
        epoll = self._table.arm_all()
        try:
            while True:
                await trio.lowlevel.wait_readable(epoll.fileno())
                ready = self._table.poll()
                self.slot.probe(Point.BEFORE_DECIDE, ready)
                self._table.signal(ready)
                self.slot.handled += len(ready)
        finally:
            self._table.disarm()

    def decide(self, message: NoReturn) -> Sequence[None]:
        """It has no messages."""
        return message


def port_driver_spec(table: PortTable) -> ChildSpec:
    """The child spec. The table outlives every incarnation, since ports are added to it directly."""
    return ChildSpec("port_driver", lambda slot: PortDriver(slot, table))
