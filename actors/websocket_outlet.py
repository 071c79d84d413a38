"""The outgoing half of a connection over WebSocket: an outlet whose every element is a message of its own.

Like any outlet it belongs to the connection's slot, and the session writes through it in its own turn. How
the WebSocket ends is said here too, and done by the holder of the socket (`http_connection`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from actors.connection import CLOSING_SECONDS_MAX
from protocols.framing import messages
from protocols.stanza import as_framed

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.outlet import PortOutput
    from actors.transport import CloseCode, Transport
    from protocols.framing import Framing
    from protocols.stanza import Stanza


@final
class WebSocketOutlet:
    """See the module's docstring.

    Attributes:
        closing_code: Why the WebSocket is to be closed behind all that was appended, once that is said.
    """

    __slots__ = ("_ended_at", "_output", "_scope", "_transport", "_wake", "closing_code", "framing")

    def __init__(
        self,
        framing: Framing,
        transport: Transport,
        output: PortOutput,
        wake: Callable[[], None],
        scope: trio.CancelScope,
    ) -> None:
        """Make one.

        Args:
            framing: How elements are written.
            transport: Makes messages of them.
            output: Where those go.
            wake: Tells the holder that the WebSocket is to be closed.
            scope: Around all that the holder does; it gets a deadline then.
        """
        self.framing = framing
        self.closing_code: CloseCode | None = None
        self._ended_at: float | None = None
        self._transport = transport
        self._output = output
        self._wake = wake
        self._scope = scope

    @property
    def bytes_pending(self) -> int:
        """See `Outlet`."""
        return self._output.bytes_pending

    @property
    def on_drained(self) -> Callable[[], None] | None:
        """See `Outlet`."""
        return self._output.on_drained

    @on_drained.setter
    def on_drained(self, told: Callable[[], None] | None) -> None:
        self._output.on_drained = told

    def append(self, data: bytes) -> None:
        """See `Outlet`; one element or several, as the framing joins them."""
        for message in messages(data):
            self._transport.append(message)

    def append_stanza(self, stanza: Stanza) -> bool:
        """See `Outlet`."""
        if self._ended_at is not None or self._output.is_broken:
            return False
        return self._transport.append(as_framed(stanza))

    def end(self) -> None:
        """See `Outlet`."""
        if self._ended_at is None:
            self._ended_at = trio.current_time()

    def flush(self) -> None:
        """See `Outlet`."""
        self._output.flush()

    def finish(self, code: CloseCode) -> None:
        """Close the WebSocket behind what was appended; the first code given stands.

        Time for that is bounded. What waits to be written has waited since the stream ended.
        """
        if self.closing_code is None:
            self.closing_code = code
            begin = self._ended_at if self._output.bytes_pending else None
            self._scope.deadline = (begin or trio.current_time()) + CLOSING_SECONDS_MAX
            self._wake()
