"""A monitor: a one-way notice that a slot has ended for good, as in Erlang.

It ends with whichever of the two slots ends first, so that neither keeps a growing list of the other's kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision.exit_reason import ExitReason
    from supervision.slot import Slot


@final
class Monitor:
    """Made by `Ref.monitor`. Cancel it as often as you like."""

    __slots__ = ("_build", "_target", "_watcher")

    def __init__(self, target: Slot[Any], watcher: Slot[Any], build: Callable[[ExitReason], object]) -> None:
        self._target = target
        self._watcher = watcher
        self._build = build
        target.on_close(self)
        if target.mailbox.is_open:
            watcher.on_close(self)

    def cancel(self) -> None:
        """Tell nothing; what has been told already is in the watcher's mailbox."""
        self._target.forget_on_close(self)
        self._watcher.forget_on_close(self)

    def __call__(self, slot: Slot[Any], reason: ExitReason) -> None:
        """One of the two has ended: the other forgets this, and the watcher is told of the target."""
        self.cancel()
        if slot is self._target:
            self._watcher.mailbox.post_control(self._build(reason))
