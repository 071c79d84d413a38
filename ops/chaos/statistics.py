"""Figures from many measurements."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Quantiles(NamedTuple):
    """How long something took, in seconds."""

    times: int
    p50: float
    p99: float
    max: float


def quantiles(seconds: Sequence[float]) -> Quantiles:
    """The figures of at least one measurement; a quantile is one that was measured, the next above."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Quantiles(len(ordered), at(0.5), at(0.99), ordered[-1])


def by_kind(measured: Iterable[tuple[str, float]]) -> Mapping[str, Quantiles]:
    """The figures of each kind, by name."""
    kinds: dict[str, list[float]] = {}
    for kind, seconds in measured:
        kinds.setdefault(kind, []).append(seconds)
    return {kind: quantiles(kinds[kind]) for kind in sorted(kinds)}
