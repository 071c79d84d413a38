"""Moments as XMPP writes them (XEP-0082 §3.2), for delay stamps and the like, and as Jabber wrote them."""

from datetime import UTC, datetime
from typing import Final

_LEGACY: Final = "%Y%m%dT%H:%M:%S"


def timestamp(ms: int) -> str:
    """Return a moment, given in milliseconds since 1970, in UTC: `2002-09-10T23:08:25.123Z`."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def legacy_timestamp(ms: int) -> str:
    """Return a moment as it was written before XEP-0082, in UTC and whole seconds: `20020910T23:08:25`."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime(_LEGACY)


def to_legacy(stamp: str) -> str | None:
    """Return a moment that somebody wrote as XEP-0082 says, as it was written before; None if it is none."""
    try:
        moment = datetime.fromisoformat(stamp)
        return None if moment.tzinfo is None else moment.astimezone(UTC).strftime(_LEGACY)
    except (ValueError, OverflowError):
        return None


def parse_timestamp(text: str) -> int:
    """Return a moment that somebody wrote as XEP-0082 says, in milliseconds since 1970.

    Raises:
        ValueError: It is none, says no time zone, or is before the first year or after the last.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("it says no time zone")
    try:
        return round(moment.astimezone(UTC).timestamp() * 1000)
    except OverflowError as error:
        raise ValueError("no calendar has it") from error
