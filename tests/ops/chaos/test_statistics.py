"""Tests of `ops.chaos.statistics`."""

from ops.chaos.statistics import Quantiles, by_kind, quantiles


def test_quantiles_of_one_are_that_one() -> None:
    assert quantiles([3.0]) == Quantiles(1, 3.0, 3.0, 3.0)


def test_quantiles_are_measured_values_in_any_order() -> None:
    numbers = [float(number) for number in range(200, 0, -1)]
    assert quantiles(numbers) == Quantiles(200, 100.0, 198.0, 200.0)


def test_quantiles_of_few_have_the_largest_as_p99() -> None:
    assert quantiles([1.0, 2.0, 9.0]) == Quantiles(3, 2.0, 9.0, 9.0)


def test_by_kind_sorts_and_groups() -> None:
    figures = by_kind([("session", 1.0), ("cut", 5.0), ("session", 3.0)])
    assert list(figures) == ["cut", "session"]
    assert figures["session"] == Quantiles(2, 1.0, 3.0, 3.0)
    assert by_kind([]) == {}
