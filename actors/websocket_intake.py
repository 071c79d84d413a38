"""What a client has sent over WebSocket, on its way to the connection's mailbox, in batches.

The library hands out one message per turn of the scheduler. Were each posted at once, connection and session
would wake, and write, once for each; so what was read in one piece is posted in one piece, when the library
goes back to read. Where the mailbox refuses, it is not read on until all has been posted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from actors.connection_messages import CarrierLost, CloseConnection, FrameReceived
from protocols.conditions import StreamCondition

if TYPE_CHECKING:
    from actors.connection_messages import ConnectionMessage
    from supervision.ref import Ref


@final
class WebSocketIntake:
    """See the module's docstring. Filled by one task while another reads; posts in the order of what came."""

    __slots__ = ("_all_posted", "_connection", "_is_reading", "_waiting")

    def __init__(self) -> None:
        self._connection: Ref[ConnectionMessage] | None = None
        self._waiting: list[FrameReceived | CarrierLost] = []
        self._is_reading = False
        self._all_posted: trio.Event | None = None

    def begin(self, connection: Ref[ConnectionMessage]) -> None:
        """Post to this connection."""
        self._connection = connection

    def add(self, text: str) -> None:
        """Take a message; nothing more may come for a while."""
        self._waiting.append(FrameReceived(text.encode()))
        if self._is_reading:
            self._post()

    def end(self) -> None:
        """There will be no more: tell the connection so, behind all that came."""
        self._waiting.append(CarrierLost())
        self._post()

    # -- see `transport.Reader`

    async def before_reading(self) -> None:
        """What was read before is complete: post it, and wait until that is done."""
        self._is_reading = True
        if self._waiting:
            self._post()
        if self._waiting:
            self._all_posted = trio.Event()
            await self._all_posted.wait()
            self._all_posted = None

    def after_reading(self) -> None:
        """More has come: what it says will be added."""
        self._is_reading = False

    def excess(self) -> None:
        """The client is to be told that it went too far, and nothing more will be heard of it."""
        if self._connection is not None:
            text = "too much has come for one message"
            self._connection.tell(CloseConnection(StreamCondition.POLICY_VIOLATION, text))
            self._connection.tell(CarrierLost())

    # -- posting

    def _post(self) -> None:
        """Post as much as there is room for, and come again when there is more; a dead one needs nothing."""
        connection, waiting = self._connection, self._waiting
        assert connection is not None, "messages come when there is somebody to take them"
        count = 0
        while count < len(waiting) and connection.cast(waiting[count], _size(waiting[count])):
            count += 1
        del waiting[:count]
        if waiting and connection.is_alive:
            connection.slot.mailbox.on_room = self._post
            return
        waiting.clear()
        if self._all_posted is not None:
            self._all_posted.set()


def _size(message: FrameReceived | CarrierLost) -> int:
    return len(message.data) if isinstance(message, FrameReceived) else 0
