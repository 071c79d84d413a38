"""A connection: the incoming half of one client's stream, whatever carries it.

It turns bytes into stanzas, negotiates, and hands each stanza to its session; it knows nothing of rosters.
What is common to all carriers is here; `tcp_connection` and `websocket_connection` add their own way in. It
never waits: what the negotiation asks for comes back as a message. A crash during negotiation closes the
stream; so does one with a part of the client's stream in hand, since that part is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from actors.connection_messages import (
    Answered,
    CarrierLost,
    CloseConnection,
    ConnectionMessage,
    Cut,
    Filled,
    FrameReceived,
    IdleCheck,
    NegotiationTimeout,
    SessionDown,
)
from actors.connection_requests import Requests
from actors.connection_state import ConnectionState, Phase
from actors.session_messages import Deliver, FromClient, NonzaFromClient, SessionMessage, StreamEnded
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import StanzaError
from protocols.namespaces import PING, STREAM_MANAGEMENT
from protocols.negotiation_values import (
    Action,
    Admit,
    Answer,
    CloseStream,
    Established,
    RestartStream,
    Send,
    StartTls,
)
from protocols.negotiation_values import StreamEnded as NegotiationEnded
from protocols.session_bits import SessionBits
from protocols.stanza import StanzaKind, build_iq
from protocols.stream_events import (
    ElementReceived,
    Event,
    StanzaReceived,
    StanzaRefused,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)
from supervision.actor import Actor
from supervision.exit_reason import ExitReason, Normal, Shutdown
from supervision.runtime import KillHere, Point
from supervision.slot import ApplyFailedError, Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.server import Server
    from protocols.jid import JID
    from protocols.stanza import Stanza

ROOM: Final = 8
"""Signal: the session takes stanzas again, or the client has read what it was sent."""
CLOSING_SECONDS_MAX: Final = 3.0
"""How long a closed stream's last bytes may take to be read, and the client to close its side."""
UNREAD_BYTES_MAX: Final = 65_536
"""Answers of the negotiation that a client may leave unread; it is not heard until it has read them."""

_PING: Final = f"<ping xmlns='{PING}'/>".encode()
_OPEN: Final = (Phase.NEGOTIATING, Phase.ESTABLISHED)


class Connection(Actor[ConnectionMessage, ConnectionMessage]):
    """See the module's docstring. Subclasses say how to begin anew, start TLS and close."""

    def __init__(self, slot: Slot[ConnectionMessage], server: Server, state: ConnectionState) -> None:
        super().__init__(slot)
        self.server = server
        self.state = state
        self._requests = Requests(server, slot.ref, state, self.negotiate)

    # -- what a carrier does its own way

    def restart_stream(self) -> None:
        """Expect a new stream header, from an authenticated client."""
        raise NotImplementedError

    def admit(self) -> None:
        """Allow what an authenticated client may send."""
        raise NotImplementedError

    def start_tls(self) -> None:
        """Drop what came in clear and start the handshake."""
        raise NotImplementedError

    def finish_writing(self) -> None:
        """Everything is written: close our half, so that the peer sees the last of it and closes its own."""
        raise NotImplementedError

    def release(self) -> None:
        """Give the carrier back, whatever is still to be written."""
        raise NotImplementedError

    def held_back(self) -> Sequence[Event]:
        """What the client had sent behind an element that might have changed the stream; for TCP."""
        return ()

    def resume_reading(self) -> None:
        """Whatever kept us from reading is over."""
        raise NotImplementedError

    # -- life

    async def init(self) -> None:
        """Begin the clock of the negotiation, or go on after a crash."""
        state = self.state
        if self.slot.incarnation == 1:
            self.heard()
            seconds = self.server.settings.limits.negotiation_seconds_max
            state.timer = self.slot.send_after(seconds, NegotiationTimeout())
        elif state.phase is Phase.NEGOTIATING:
            self.close(StreamCondition.INTERNAL_SERVER_ERROR)
        else:
            if state.phase is Phase.CLOSING:
                self._set_timer(CLOSING_SECONDS_MAX, Cut())
            self.mailbox.signal(ROOM)
            self.resume_reading()

    def decide(self, message: ConnectionMessage) -> Sequence[ConnectionMessage]:
        """A connection has no decisions of its own; the negotiation makes them."""
        return (Answered(message.convert(message.outcome)),) if isinstance(message, Filled) else (message,)

    def apply(self, effects: Sequence[ConnectionMessage]) -> None:
        """React to an answer, a request to close, or the clock."""
        for message in effects:
            match message:
                case Answered(answer):
                    self._answered(answer)
                case CloseConnection(condition, text, detail):
                    self.close(condition, text, detail)
                case SessionDown(reason):
                    self._session_down(reason)
                case NegotiationTimeout():
                    self._negotiation_timeout()
                case IdleCheck():
                    self._idle_check()
                case Cut():
                    self._finish()
                case FrameReceived():
                    self.receive_frame(message)
                case CarrierLost():
                    self.lost()

    def set_aside(self, message: ConnectionMessage, _error: BaseException) -> Sequence[ConnectionMessage]:
        """What is told by the server's own actors or its clock still holds; what a client said is lost."""
        return () if isinstance(message, Filled | FrameReceived) else (message,)

    async def handle_signals(self, bits: int) -> None:
        """See `heed`, in which nothing is awaited: it is cut short by a fault only.

        Raises:
            ApplyFailedError: the client's stream was in hand, and cannot be trusted any more.
        """
        try:
            self.heed(bits)
        except KillHere:
            raise  # between two events, all of which are held
        except Exception as error:
            raise ApplyFailedError from error

    def heed(self, bits: int) -> None:
        """React to readiness bits."""
        if bits & ROOM:
            self.retry_held()

    def receive_frame(self, frame: FrameReceived) -> None:
        """A WebSocket message, on carriers that have them."""
        raise NotImplementedError

    def broken(self, _error: BaseException) -> None:
        """The stream cannot be trusted any more; the next incarnation closes it."""
        if self.state.phase is Phase.ESTABLISHED:
            self.state.phase = Phase.NEGOTIATING

    def heard(self) -> None:
        """Something has come from the client."""
        self.state.heard_at = trio.current_time()

    def flush(self) -> None:
        """Write what this batch brought."""
        self.state.outlet.flush()
        self.check_written()

    # -- events of the client's stream

    @property
    def is_closed(self) -> bool:
        """Whether the carrier has been given back."""
        return self.state.phase is Phase.CLOSED

    @property
    def can_take(self) -> bool:
        """Whether events may be taken: nobody is being waited for."""
        state = self.state
        if state.phase is Phase.ESTABLISHED:
            return not state.held_messages
        return state.negotiation is not None and not state.negotiation.is_waiting

    @property
    def is_unread(self) -> bool:
        """Whether a client that negotiates has left too much unread to be heard.

        It is heard again when it has read that.
        """
        state = self.state
        if state.phase is not Phase.NEGOTIATING or state.outlet.bytes_pending <= UNREAD_BYTES_MAX:
            return False
        state.outlet.on_drained = self._signal_room
        return True

    def take(self, events: Sequence[Event]) -> None:
        """Take events in order; those that must wait are held, those behind the end mean nothing.

        All are held until they have been taken, so that a successor finds them whatever becomes of us.
        """
        held = self.state.held_events
        held += events
        self._take_held_events(held)
        if self.state.phase not in _OPEN:
            held.clear()

    def _take_held_events(self, held: list[Event]) -> None:
        while held and (self.state.phase is Phase.ESTABLISHED or self.can_take):
            self.slot.probe(Point.BEFORE_DECIDE, held[0])
            self._take_one(held.pop(0))

    def _take_one(self, event: Event) -> None:
        if self.state.phase is Phase.ESTABLISHED:
            self._take_established(event)
        else:
            self._take_negotiating(event)

    def _take_negotiating(self, event: Event) -> None:
        state = self.state
        if isinstance(event, StreamOpened):
            state.lang = event.header.lang
            is_stranger = state.negotiation is not None and state.negotiation.account is None
            if is_stranger and self.server.login_throttle.is_blocked(state.peer):
                self.negotiate(NegotiationEnded(StreamCondition.POLICY_VIOLATION, "too many failed log-ins"))
                return
        self.negotiate(event)

    def _take_established(self, event: Event) -> None:
        match event:
            case StanzaReceived(stanza):
                fault = _old_fault(stanza) if self.state.is_old else None
                self.to_session(FromClient(stanza, self.state.via, fault), stanza.size)
            case StanzaRefused(stanza, condition, text):
                fault = StanzaError(condition, text)
                self.to_session(FromClient(stanza, self.state.via, fault), stanza.size)
            case ElementReceived(namespace) if namespace == STREAM_MANAGEMENT:
                self.to_session(NonzaFromClient(event, self.state.via), len(event.data))
            case StreamClosed():
                self.state.is_clean = True
                self.close(None)
            case StreamFailed(condition, text):
                self.close(condition, text)
            case _:
                self.close(StreamCondition.UNSUPPORTED_STANZA_TYPE, "not expected here")

    def to_session(self, message: SessionMessage, size: int) -> None:
        """Post to the session, in order; what it cannot take is held and nothing more is read meanwhile."""
        state = self.state
        assert state.session is not None
        if state.held_messages or not state.session.cast(message, size):
            state.held_messages.append((message, size))
            state.session.slot.mailbox.on_room = self._signal_room

    def _signal_room(self) -> None:
        self.mailbox.signal(ROOM)

    def retry_held(self) -> None:
        """The session has room: post what is held, then read on."""
        state = self.state
        while state.held_messages and state.session is not None:
            message, size = state.held_messages[0]
            if state.session.is_alive and not state.session.cast(message, size):
                state.session.slot.mailbox.on_room = self._signal_room
                return
            del state.held_messages[0]
        self._stop_if_done()
        if state.phase in _OPEN:
            self.take_held()

    # -- negotiation

    def negotiate(self, event: Event | Answer) -> None:
        """Let the negotiation say what follows from an event or an answer, and do it."""
        negotiation = self.state.negotiation
        if negotiation is None:
            return
        for action in negotiation.receive(event):
            self._carry_out(action)

    def _answered(self, answer: Answer) -> None:
        self.negotiate(answer)
        self.take_held()

    def take_held(self) -> None:
        """Go on with the events that came while we were waited for, then read on."""
        held = self.state.held_events
        if self.can_take:
            self._take_held_events(held)
        while not held and self.can_take:
            events = self.held_back()
            if not events:
                self.resume_reading()
                return
            self.take(events)

    def _carry_out(self, action: Action) -> None:
        match action:
            case Send(data):
                self.state.outlet.append(data)
            case StartTls():
                self.start_tls()
            case RestartStream():
                self.restart_stream()
                self.admit()
            case Admit():
                self.admit()
            case Established(jid):
                self._established(jid)
            case CloseStream():
                self._begin_closing()
            case _:
                self._requests.make(action)

    def _established(self, jid: JID) -> None:
        state = self.state
        state.jid = jid
        state.phase = Phase.ESTABLISHED
        state.is_old = state.negotiation is not None and SessionBits.UNVERSIONED in state.negotiation.bits
        state.negotiation = None
        self._set_timer(self.server.settings.limits.idle_seconds_max, IdleCheck())

    def _set_timer(self, seconds: float, message: ConnectionMessage) -> None:
        """A connection waits for one thing at a time."""
        if self.state.timer is not None:
            self.state.timer.cancel()
        self.state.timer = self.slot.send_after(seconds, message)

    def _negotiation_timeout(self) -> None:
        if self.state.phase is Phase.NEGOTIATING:
            self.close(StreamCondition.CONNECTION_TIMEOUT, "logging in took too long")

    def _idle_check(self) -> None:
        """A client silent for a whole period is asked for a sign of life; after another it is gone."""
        state = self.state
        if state.phase is not Phase.ESTABLISHED:
            return
        period = self.server.settings.limits.idle_seconds_max
        left = state.heard_at + period - trio.current_time()
        if left > 0:
            self._set_timer(left, IdleCheck())
        elif state.asked_at > state.heard_at:
            self.close(StreamCondition.CONNECTION_TIMEOUT, "nothing was heard of you")
        else:
            state.asked_at = trio.current_time()
            self._set_timer(period, IdleCheck())
            self._ask_for_sign_of_life()

    def _ask_for_sign_of_life(self) -> None:
        ping = build_iq(
            to=self.state.jid,
            sender=self.server.domain,
            type="get",
            id=self.server.world.new_token(),
            payload=_PING,
        )
        self.to_session(Deliver(ping), ping.size)

    # -- the end

    def end_for_shutdown(self, reason: ExitReason) -> None:
        """The server stops, or this connection alone is made to."""
        is_orderly = isinstance(reason, Shutdown | Normal)
        self.close(StreamCondition.SYSTEM_SHUTDOWN if is_orderly else StreamCondition.INTERNAL_SERVER_ERROR)

    def close(self, condition: StreamCondition | None, text: str = "", detail: bytes = b"") -> None:
        """End the stream from our side, with an error or in answer to the client's own closing."""
        state = self.state
        if state.phase not in _OPEN:
            return
        if state.negotiation is not None and condition is not None:
            # It knows what may be said in its state.
            self.negotiate(NegotiationEnded(condition, text, detail))
        else:
            framing = state.outlet.framing
            if condition is not None:
                state.outlet.append(framing.error(condition, text, detail))
            state.outlet.append(framing.close())
        self._begin_closing()

    def lost(self) -> None:
        """The carrier is gone; nothing can be said any more."""
        self._finish()

    def _begin_closing(self) -> None:
        state = self.state
        if state.phase not in _OPEN:
            return
        self._end_stream(Phase.CLOSING)
        self._set_timer(CLOSING_SECONDS_MAX, Cut())
        state.outlet.flush()
        self.check_written()

    def check_written(self) -> None:
        """When a closing stream's last byte has been written, say so to the peer and wait for its end."""
        state = self.state
        if state.phase is Phase.CLOSING and not state.outlet.bytes_pending and not state.is_written:
            state.is_written = True
            self.finish_writing()

    def _end_stream(self, phase: Phase) -> None:
        """The session learns of the end behind everything its client sent before."""
        state = self.state
        state.phase = phase
        state.negotiation = None
        state.held_events.clear()
        state.outlet.end()
        if not state.is_end_told:
            state.is_end_told = True
            if state.session is not None:
                self.to_session(StreamEnded(state.via, state.is_clean), 0)

    def _session_down(self, reason: ExitReason) -> None:
        self.state.session = None
        self.state.held_messages.clear()
        self._stop_if_done()
        match reason:
            case Normal():
                self.close(None)
            case Shutdown():
                self.close(StreamCondition.SYSTEM_SHUTDOWN)
            case _:
                self.close(StreamCondition.INTERNAL_SERVER_ERROR)

    def _finish(self) -> None:
        if self.state.phase is not Phase.CLOSED:
            self._end_stream(Phase.CLOSED)
            self.release()
        self._stop_if_done()

    def _stop_if_done(self) -> None:
        """Not before the session has everything, the end of the stream included."""
        if self.state.phase is Phase.CLOSED and not self.state.held_messages:
            self.stop(Normal())

    async def terminate(self, reason: ExitReason) -> None:
        """The server stops, or this connection is made to: say so, and give the client time to read it."""
        if not self.is_closed:
            self.end_for_shutdown(reason)
        while not self.is_closed:
            if self.mailbox.signals:
                await self.handle_signals(self.mailbox.take_signals())
            elif self.mailbox.control or self.mailbox.queue:
                self.apply(self.decide(self.mailbox.take()))
                self.mailbox.done()
            else:
                await self.mailbox.wait()


def _old_fault(stanza: Stanza) -> StanzaError | None:
    """Before RFC 3920 a message had to say whom it was for; that it might be for oneself is newer."""
    if stanza.kind is StanzaKind.MESSAGE and stanza.to is None:
        return StanzaError(StanzaCondition.BAD_REQUEST, "a message needs an address")
    return None


def end_session(slot: Slot[ConnectionMessage], _reason: ExitReason) -> None:
    """When a connection has ended for good, so has its session's stream, even if nobody could say so."""
    state = slot.state
    assert isinstance(state, ConnectionState)
    if state.session is not None and (state.held_messages or not state.is_end_told):
        state.session.tell(StreamEnded(state.via, state.is_clean))
