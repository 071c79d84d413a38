"""Why an actor ended, as values; whether that is abnormal is decided here and nowhere else.

The names are Erlang's: an actor ends normally, is shut down, is killed, or crashes with an error.
"""

from __future__ import annotations

from typing import NamedTuple, final


@final
class Normal(NamedTuple):
    """The actor finished its work."""


@final
class Shutdown(NamedTuple):
    """The actor was asked to stop, or gave up in good order."""

    why: str = "asked to stop"


@final
class Killed(NamedTuple):
    """The actor was cancelled without being asked."""

    why: str = "killed"


@final
class Crashed(NamedTuple):
    """The actor raised; a group of errors is one crash with one reason."""

    error: BaseException


ExitReason = Normal | Shutdown | Killed | Crashed


def is_abnormal(reason: ExitReason) -> bool:
    """Whether a transient child that ended so is restarted."""
    return isinstance(reason, Killed | Crashed)


def describe(reason: ExitReason) -> str:
    """One line for people: the kind of end and its cause."""
    match reason:
        case Normal():
            return "normal"
        case Shutdown(why):
            return f"shutdown: {why}"
        case Killed(why):
            return f"killed: {why}"
        case Crashed(error):
            return f"crashed: {type(error).__name__}: {error}"
