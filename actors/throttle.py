"""How often an address may do something (fail to log in, register): a sliding window for each address.

Pure, and bounded in addresses.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESSES_MAX: Final = 10_000
"""Addresses remembered; beyond, the one that was counted longest ago is forgotten."""


@final
class Throttle:
    """Counts what happens within the last `period_seconds`; `clock` is in seconds."""

    def __init__(self, times_max: int, period_seconds: float, clock: Callable[[], float]) -> None:
        self._times_max = times_max
        self._period_seconds = period_seconds
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, address: str) -> None:
        """It has happened once more."""
        times = self._times.setdefault(address, deque(maxlen=self._times_max))
        times.append(self._clock())
        self._times.move_to_end(address)
        if len(self._times) > ADDRESSES_MAX:
            self._times.popitem(last=False)

    def is_blocked(self, address: str) -> bool:
        """Whether it has happened too often just now."""
        times = self._times.get(address)
        if times is None or len(times) < self._times_max:
            return False
        return times[0] > self._clock() - self._period_seconds
