"""How far a connection has come, and what outlives its incarnations; the actor is in `connection`."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from protocols.negotiation import Negotiation
from protocols.negotiation_values import State

if TYPE_CHECKING:
    from actors.outlet import Outlet
    from actors.session_messages import SessionMessage
    from protocols.jid import JID
    from protocols.negotiation_values import Setup
    from protocols.stream_events import Event
    from supervision.ref import Ref
    from supervision.timers import Timer


class Phase(enum.Enum):
    """How far a connection has come."""

    NEGOTIATING = "negotiating"
    ESTABLISHED = "established"
    CLOSING = "closing"  # nothing is said any more; the last bytes are being written and read
    CLOSED = "closed"


class ConnectionState:
    """What outlives an incarnation of any connection.

    Attributes:
        negotiation: Until the session is established or the stream closes.
        session: Once a resource is bound, until it has ended.
        via: Which of the session's connections this is.
        jid: The same resource.
        is_old: Whether the client is older than XMPP 1.0, once the session is established.
        held_events: What the client said while the negotiation waits for us, or is just being dealt with.
        held_messages: What the session could not take yet, with its size.
        is_end_told: Whether the session is told of the stream's end, behind what is held.
        is_clean: Whether the client itself has closed its stream in good order.
        is_written: Whether the end of a closing stream has been written.
        heard_at: When something last came from the client, in seconds of Trio's clock.
        asked_at: When the client was last asked for a sign of life, by the same clock.
        timer: For the negotiation's end, then for the next look at a silent client, then for the cut.
    """

    # Lists, not deques: seldom used and short, and an empty deque is ten times as large.
    __slots__ = (
        "asked_at",
        "heard_at",
        "held_events",
        "held_messages",
        "is_clean",
        "is_end_told",
        "is_old",
        "is_written",
        "jid",
        "lang",
        "negotiation",
        "outlet",
        "peer",
        "phase",
        "session",
        "timer",
        "via",
    )

    def __init__(self, outlet: Outlet, setup: Setup, peer: str) -> None:
        self.outlet = outlet
        self.peer = peer
        self.phase = Phase.NEGOTIATING
        self.negotiation: Negotiation | None = Negotiation(setup)
        self.session: Ref[SessionMessage] | None = None
        self.via = 0
        self.lang: str | None = None
        self.jid: JID | None = None
        self.is_old = False
        self.held_events: list[Event] = []
        self.held_messages: list[tuple[SessionMessage, int]] = []
        self.is_clean = False
        self.is_end_told = False
        self.is_written = False
        self.heard_at = 0.0
        self.asked_at = 0.0
        self.timer: Timer | None = None

    @property
    def phase_name(self) -> str:
        """Where the stream stands, by the names of `protocols.negotiation_values.State`; or how it ends."""
        if self.phase is Phase.NEGOTIATING and self.negotiation is not None:
            return self.negotiation.state.value
        return State.SESSION_ESTABLISHED.value if self.phase is Phase.ESTABLISHED else self.phase.value
