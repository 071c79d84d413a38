"""Tests of `ops.chaos.tally`."""

from ops.chaos.tally import VIOLATIONS_MAX, Tally


def test_violation_is_kept_within_the_bound() -> None:
    tally = Tally()
    for number in range(VIOLATIONS_MAX + 1):
        tally.violation(f"h ran backwards, {number}")
    assert len(tally.violations) == VIOLATIONS_MAX
    assert tally.violations[0] == "h ran backwards, 0"
