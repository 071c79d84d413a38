"""What a connection actor is told; the actor that handles these is in `connection`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocols.conditions import StreamCondition
    from protocols.negotiation_values import Answer
    from supervision.exit_reason import ExitReason
    from supervision.reply import Reply


@final
class Filled(NamedTuple):
    """Something that the negotiation had asked for is there, or has failed; `convert` says what it means."""

    outcome: Reply[Any]
    convert: Callable[[Reply[Any]], Answer]


@final
class Answered(NamedTuple):
    """What that means for the negotiation."""

    answer: Answer


@final
class FrameReceived(NamedTuple):
    """One WebSocket message from the client."""

    data: bytes


@final
class CarrierLost(NamedTuple):
    """What carries the stream has ended without more ado; everything that came before was told before."""


@final
class CloseConnection(NamedTuple):
    """Tell the client this stream error and close."""

    condition: StreamCondition
    text: str = ""
    detail: bytes = b""


@final
class SessionDown(NamedTuple):
    """The session of this connection has ended for good."""

    reason: ExitReason


@final
class NegotiationTimeout(NamedTuple):
    """Time is up for a client that has not logged in."""


@final
class IdleCheck(NamedTuple):
    """See whether the client has been heard of since the last time."""


@final
class Cut(NamedTuple):
    """Time is up for a closing stream: close the socket whatever is still to be written."""


ConnectionMessage = (
    Filled
    | Answered
    | FrameReceived
    | CarrierLost
    | CloseConnection
    | SessionDown
    | NegotiationTimeout
    | IdleCheck
    | Cut
)
