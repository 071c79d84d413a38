"""How often an address may fail to log in: pure, a sliding window per address, bounded in addresses."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESSES_MAX: Final = 10_000
"""Addresses remembered; beyond, the one that failed longest ago is forgotten."""


@final
class LoginThrottle:
    """Counts failures within the last `period_seconds`; `clock` is in seconds."""

    def __init__(self, failures_max: int, period_seconds: float, clock: Callable[[], float]) -> None:
        self._failures_max = failures_max
        self._period_seconds = period_seconds
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def failed(self, address: str) -> None:
        """Count one failure."""
        failures = self._failures.setdefault(address, deque(maxlen=self._failures_max))
        failures.append(self._clock())
        self._failures.move_to_end(address)
        if len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)

    def is_blocked(self, address: str) -> bool:
        """Whether this address has failed too often just now."""
        failures = self._failures.get(address)
        if failures is None or len(failures) < self._failures_max:
            return False
        return failures[0] > self._clock() - self._period_seconds
