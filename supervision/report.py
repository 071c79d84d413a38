"""What supervisors say, as values: OTP's four reports, and starts, restarts and set-aside messages.

They go to the runtime's `report` function; who logs or counts them decides there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from supervision.exit_reason import ExitReason


@final
class ChildStarted(NamedTuple):
    """A child's init has ended well; `recovery_seconds` since the death of the incarnation before, if any."""

    path: str
    incarnation: int
    recovery_seconds: float | None


@final
class ChildTerminated(NamedTuple):
    """A child ended that nobody had asked to (OTP: child_terminated)."""

    path: str
    incarnation: int
    reason: ExitReason
    in_hand: object | None
    will_restart: bool


@final
class StartFailed(NamedTuple):
    """A child's init failed (OTP: start_error)."""

    path: str
    incarnation: int
    reason: ExitReason


@final
class ShutdownFailed(NamedTuple):
    """A child did not end within its grace and was killed, or still lives (OTP: shutdown_error)."""

    path: str
    grace_seconds: float
    still_lives: bool


@final
class IntensityReached(NamedTuple):
    """A supervisor, or one child of a dynamic one, is given up (OTP: reached_max_restart_intensity)."""

    path: str
    restarts: int
    period_seconds: float


@final
class MessageSetAside(NamedTuple):
    """A suspect message was taken out of a mailbox so that it cannot kill its actor again."""

    path: str
    message: object
    error: BaseException | None


Report = ChildStarted | ChildTerminated | StartFailed | ShutdownFailed | IntensityReached | MessageSetAside
