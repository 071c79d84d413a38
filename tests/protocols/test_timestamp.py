"""Moments as XEP-0082 writes them, and as XEP-0090 and XEP-0091 did."""

import pytest

from protocols.timestamp import legacy_timestamp, parse_timestamp, timestamp, to_legacy


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_031_699_305_123, "2002-09-10T23:08:25.123Z"),
        (1_709_164_800_007, "2024-02-29T00:00:00.007Z"),
    ],
)
def test_timestamp_is_written_in_utc_with_milliseconds(ms: int, text: str) -> None:
    assert timestamp(ms) == text


@pytest.mark.parametrize(("ms", "text"), [(0, "19700101T00:00:00"), (1_031_699_305_999, "20020910T23:08:25")])
def test_legacy_timestamp_is_written_in_utc_with_whole_seconds(ms: int, text: str) -> None:
    assert legacy_timestamp(ms) == text


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ("2002-09-10T23:08:25Z", "20020910T23:08:25"),
        ("2002-09-10T23:08:25.999Z", "20020910T23:08:25"),
        ("2002-09-10T23:08:25+01:30", "20020910T21:38:25"),
        ("2002-09-10T23:08:25", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_to_legacy_is_the_same_moment_in_utc(stamp: str, text: str | None) -> None:
    assert to_legacy(stamp) == text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2002-09-10T23:08:25.123Z", 1_031_699_305_123),
        ("2003-07-06T10:30:00+10:00", 1_057_451_400_000),
    ],
)
def test_timestamp_is_parsed(text: str, ms: int) -> None:
    assert parse_timestamp(text) == ms


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2002-09-10", "2002-09-10T23:08:25", "0001-01-01T00:00:00+14:00"]
)
def test_timestamp_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        parse_timestamp(text)
