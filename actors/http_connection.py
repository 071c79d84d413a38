"""A connection to the HTTP port: reads one request and answers it, or holds the WebSocket that it asks for.

A holder is nothing but socket and library: it hands messages from the client to a `WebSocketConnection`, in
order, and closes the WebSocket when that one's outlet says so. It outlives the death of that actor, and ends
with its slot; if it dies itself, the socket is closed.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn, final

import trio

from actors.connection import CLOSING_SECONDS_MAX
from actors.connection_messages import CarrierLost, ConnectionMessage
from actors.http_handlers import WEBSOCKET_PATH, respond
from actors.http_message import RequestRefused, Response, read_request
from actors.port import WRITABLE
from actors.port_stream import PortStream
from actors.transport import CloseCode, accept_websocket
from actors.websocket_connection import start_websocket_connection
from actors.websocket_handshake import checked_upgrade
from actors.websocket_intake import WebSocketIntake
from actors.websocket_outlet import WebSocketOutlet
from supervision.actor import Actor
from supervision.child_spec import ChildSpec, Restart
from supervision.dynamic_supervisor import NotAcceptingError
from supervision.exit_reason import ExitReason, Normal, is_abnormal

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from actors.http_message import Request
    from actors.server import Server
    from actors.transport import Transport
    from supervision.slot import Slot

CLOSE: Final = 16
"""Signal: the WebSocket is to be closed."""


@final
class HttpState:
    """What is closed when the slot ends, however that comes."""

    __slots__ = ("connection", "is_over", "outlet", "scope", "stream", "tls", "transport")

    def __init__(self, stream: PortStream, *, tls: bool) -> None:
        self.stream = stream
        self.tls = tls
        self.scope = trio.CancelScope()  # around all that is done; it gets a deadline when the end comes
        self.is_over = False
        self.transport: Transport | None = None
        self.outlet: WebSocketOutlet | None = None
        self.connection: Slot[ConnectionMessage] | None = None


@final
class HttpConnection(Actor[NoReturn, None]):
    """See the module's docstring; made by `start_http_connection`."""

    def __init__(self, slot: Slot[NoReturn], server: Server) -> None:
        super().__init__(slot)
        assert isinstance(slot.state, HttpState)
        self._server = server
        self._state = slot.state
        self._intake = WebSocketIntake()

    async def run(self) -> ExitReason:
        """Read and write, each in its own task, until there is nothing left to do."""
        with self._state.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._converse, nursery)
                await self._heed_until_over(nursery)
                nursery.cancel_scope.cancel()
        return self.mailbox.stop or Normal()

    def decide(self, message: NoReturn) -> Sequence[None]:
        """It has no messages."""
        return message

    # -- the request

    async def _converse(self, nursery: trio.Nursery) -> None:
        try:
            await self._serve(nursery)
        except RequestRefused as refused:
            await self._answer(refused.response)
        except trio.BrokenResourceError:
            self._end()

    async def _serve(self, nursery: trio.Nursery) -> None:
        request = await self._read_request()
        if request.path != WEBSOCKET_PATH:
            await self._answer(respond(request), with_body=request.method != "HEAD")
        elif await self._open_websocket(nursery, request):
            await self._receive()

    async def _read_request(self) -> Request:
        """Read the request within the time that any new connection has to log in.

        Raises:
            RequestRefused: it is none, or too slow.
            trio.BrokenResourceError: the client has gone.
        """
        state = self._state
        with trio.move_on_after(self._server.settings.limits.negotiation_seconds_max):
            if state.tls:
                await state.stream.start_tls(self._server.certificates.context)
            return await read_request(state.stream)
        raise RequestRefused(Response(HTTPStatus.REQUEST_TIMEOUT))

    async def _answer(self, response: Response, *, with_body: bool = True) -> None:
        state = self._state
        state.scope.deadline = trio.current_time() + CLOSING_SECONDS_MAX
        try:
            await state.stream.send_all(response.to_bytes(with_body=with_body))
        except trio.BrokenResourceError:
            self._end()
            return
        await state.stream.aclose()
        self._end()

    def _end(self) -> None:
        self._state.is_over = True
        self.mailbox.wake()

    # -- the WebSocket

    async def _open_websocket(self, nursery: trio.Nursery, request: Request) -> bool:
        """Open it and start the actor that speaks XMPP on it; false if there can be none."""
        state, server = self._state, self._server
        state.transport = await accept_websocket(
            nursery,
            state.stream,
            checked_upgrade(request),
            request.rest,
            self._intake,
            message_bytes_max=server.settings.limits.stanza_bytes_max,
        )
        setup = server.websocket_setup(secure=state.tls)
        outlet = WebSocketOutlet(
            setup.framing, state.transport, state.stream.output, self._ask_to_close, state.scope
        )
        state.outlet = outlet
        # Plain HTTP comes from this machine only: from a proxy, which says for whom. Failed log-ins are to be
        # held against that address, or one client could lock out all who come through the proxy.
        peer = (None if state.tls else request.forwarded_for) or state.stream.port.peer
        try:
            connection = start_websocket_connection(
                server,
                outlet,
                state.transport,
                peer,
                secure=state.tls,
                certificate=state.stream.port.client_certificate(),
            )
        except NotAcceptingError:
            outlet.finish(CloseCode.TRY_AGAIN_LATER)
            return False
        self._intake.begin(connection.ref)
        connection.on_close(lambda _slot, reason: outlet.finish(_closing_code(reason)))
        state.connection = connection
        return True

    def _ask_to_close(self) -> None:
        self.mailbox.signal(CLOSE)

    async def _receive(self) -> None:
        """Hand messages to the connection until there are no more."""
        assert self._state.transport is not None
        while (text := await self._state.transport.receive()) is not None:
            self._intake.add(text)
            self.slot.handled += 1
        self._intake.end()

    # -- what others want of it

    async def _heed_until_over(self, nursery: trio.Nursery) -> None:
        mailbox, state, was_told = self.mailbox, self._state, False
        while not state.is_over:
            if mailbox.stop is not None and not was_told:
                was_told = True
                self._stop(mailbox.stop)
            elif mailbox.signals & WRITABLE:
                mailbox.signals &= ~WRITABLE
                state.stream.output.resume()
            elif mailbox.signals & CLOSE:
                mailbox.signals &= ~CLOSE
                nursery.start_soon(self._close)
            else:
                await mailbox.wait()

    def _stop(self, reason: ExitReason) -> None:
        """Where there is a WebSocket, the connection says the last words."""
        if self._state.connection is None:
            self._state.is_over = True
        else:
            self._state.connection.ref.stop(reason)

    async def _close(self) -> None:
        state = self._state
        assert state.outlet is not None
        assert state.outlet.closing_code is not None
        assert state.transport is not None
        if await state.transport.close(state.outlet.closing_code):
            with suppress(trio.BrokenResourceError):  # gone even sooner
                await state.stream.finish_writing()
        else:
            await state.stream.aclose()
        self._end()


def _closing_code(reason: ExitReason) -> CloseCode:
    """For a connection that has ended for good without saying why; one that has given up among them."""
    return CloseCode.INTERNAL_ERROR if is_abnormal(reason) else CloseCode.NORMAL


def start_http_connection(server: Server, accepted: socket.socket, *, tls: bool = False) -> Slot[NoReturn]:
    """Start the actor for an accepted socket and give its port to the driver.

    Raises:
        NotAcceptingError: there are too many connections, or the server is stopping.
    """
    number = server.next_number()
    spec = ChildSpec(f"http#{number}", lambda slot: HttpConnection(slot, server), Restart.TEMPORARY)
    slot = server.connections.start_child(spec)
    stream = PortStream(accepted, server.ports, lambda: slot.mailbox.signal(WRITABLE))
    state = slot.keep(lambda: HttpState(stream, tls=tls))
    slot.on_close(lambda _slot, _reason: _release(state))
    return slot


def _release(state: HttpState) -> None:
    """Close whatever is still open: the holder may have been killed."""
    state.stream.close()
    if state.connection is not None:
        state.connection.ref.tell(CarrierLost())
