"""Why an actor ended, as values; whether that is abnormal is decided here and nowhere else.

The names are Erlang's: an actor ends normally, is shut down, is killed, or crashes with an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Normal:
    """The actor finished its work."""


@final
@dataclass(frozen=True, slots=True)
class Shutdown:
    """The actor was asked to stop, or gave up in good order."""

    why: str = "asked to stop"


@final
@dataclass(frozen=True, slots=True)
class Killed:
    """The actor was cancelled without being asked."""

    why: str = "killed"


@final
@dataclass(frozen=True, slots=True)
class Crashed:
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
            cause = sole_cause(error)
            return f"crashed: {type(cause).__name__}: {cause}"


def sole_cause(error: BaseException) -> BaseException:
    """What is inside a group that holds one error only; nurseries wrap whatever they raise."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
