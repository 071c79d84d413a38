"""The elements of stream management, which are no stanzas: as values when they come, as bytes when they go.

Used by the negotiation (resumption before a session) and by the session (all the rest). What is counted, kept
and sent again is not decided here. XEP-0198.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, final

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import STANZAS, STREAM_MANAGEMENT
from protocols.splice import new_attribute
from protocols.stream_events import ElementReceived

# Counters wrap around to zero behind 2**32 - 1 (XEP-0198 §4).
COUNTER_MODULUS: Final = 2**32

# What XEP-0198 §5 allows to an SM-ID; ours are shorter by far, so a longer one names nothing.
PREVID_CHARACTERS_MAX: Final = 4_000

_COUNTER_DIGITS_MAX: Final = len(str(COUNTER_MODULUS - 1))
_BLANKS: Final = " \t\r\n"
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

_XMLNS: Final = new_attribute("xmlns", STREAM_MANAGEMENT)


# --- What a client sends ------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class Enable:
    """The client wants its session managed (§3).

    Attributes:
        resume: Whether it wants to be able to resume it.
        max_seconds: For how long after a loss, at least 1; None if it leaves that to us.
    """

    resume: bool
    max_seconds: int | None


@final
@dataclass(frozen=True, slots=True)
class Resume:
    """The client wants to go on with an earlier session (§5).

    Attributes:
        previd: The SM-ID of that session, or so it says; any text of up to `PREVID_CHARACTERS_MAX`.
        h: How many stanzas of that session it has handled, modulo `COUNTER_MODULUS`.
    """

    previd: str
    h: int


class AckRequest(NamedTuple):
    """The client wants to be told how many of its stanzas have been handled (§4)."""


class Ack(NamedTuple):
    """The client says how many of our stanzas it has handled, modulo `COUNTER_MODULUS` (§4)."""

    h: int


def parse_nonza(element: ElementReceived) -> Enable | Resume | AckRequest | Ack:
    """Return what an element in the namespace of stream management says.

    Raises:
        StanzaError: With bad-request if it is not as XEP-0198 §13 has it, with unexpected-request if no
            client ever sends it.
    """
    attributes = element.attributes
    match element.name:
        case "r":
            return AckRequest()
        case "a":
            return Ack(_counter("h", attributes.get("h")))
        case "enable":
            return Enable(_boolean(attributes.get("resume")), _seconds(attributes.get("max")))
        case "resume":
            return Resume(_previd(attributes.get("previd")), _counter("h", attributes.get("h")))
        case _:
            raise StanzaError(StanzaCondition.UNEXPECTED_REQUEST, "no client sends that")


def _counter(name: str, text: str | None) -> int:
    """Return an unsigned integer of 32 bits; `int` alone would take signs, underscores and other digits."""
    digits = "" if text is None else text.strip(_BLANKS)
    if len(digits) <= _COUNTER_DIGITS_MAX and digits.isascii() and digits.isdigit():
        value = int(digits)
        if value < COUNTER_MODULUS:
            return value
    raise StanzaError(StanzaCondition.BAD_REQUEST, f"'{name}' must be an unsigned integer of 32 bits")


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    seconds = _counter("max", text)
    if seconds == 0:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "'max' must be positive")
    return seconds


def _boolean(text: str | None) -> bool:
    value = False if text is None else _BOOLEANS.get(text.strip(_BLANKS))
    if value is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "'resume' must be true or false")
    return value


def _previd(text: str | None) -> str:
    if text is None or len(text) > PREVID_CHARACTERS_MAX:
        raise StanzaError(
            StanzaCondition.BAD_REQUEST,
            f"'previd' must be there, of up to {PREVID_CHARACTERS_MAX} characters",
        )
    return text


# --- What the server sends; each declares its namespace -----------------------------------------------

ACK_REQUEST: Final = b"<r%b/>" % _XMLNS


def ack(h: int) -> bytes:
    """Return `<a/>`: so many stanzas of the client have been handled (§4).

    Args:
        h: The count since stream management was enabled, written modulo `COUNTER_MODULUS` like all here.
    """
    return b"<a%b%b/>" % (_XMLNS, _count("h", h))


def enabled(sm_id: str | None, resume_seconds: int | None) -> bytes:
    """Return `<enabled/>` (§3).

    Args:
        sm_id: By which the session can be resumed.
        resume_seconds: For how long after a loss it can be, at least 1. If one of both is None it cannot be
            resumed, and the client is told neither.
    """
    if sm_id is None or resume_seconds is None:
        return b"<enabled%b/>" % _XMLNS
    resumption = new_attribute("id", sm_id) + b" resume='true' max='%d'" % resume_seconds
    return b"<enabled%b%b/>" % (_XMLNS, resumption)


def resumed(previd: str, h: int) -> bytes:
    """Return `<resumed/>`: the session goes on, and so many stanzas of the client have been handled (§5)."""
    return b"<resumed%b%b%b/>" % (_XMLNS, new_attribute("previd", previd), _count("h", h))


def failed(condition: StanzaCondition, h: int | None = None) -> bytes:
    """Return `<failed/>`: not enabled, or not resumed (§5, §6).

    Args:
        condition: Why.
        h: How many stanzas of the client had been handled in a session that is over, where that is known.
    """
    handled = b"" if h is None else _count("h", h)
    return b"<failed%b%b><%b%b/></failed>" % (
        _XMLNS, handled, condition.value.encode(), new_attribute("xmlns", STANZAS)
    )  # fmt: skip


def handled_count_too_high(h: int, sent: int) -> bytes:
    """Return what a stream error with undefined-condition says besides (§6).

    Args:
        h: How many stanzas the client says it has handled.
        sent: How many it was sent.
    """
    return b"<handled-count-too-high%b%b%b/>" % (_XMLNS, _count("h", h), _count("send-count", sent))


def _count(name: str, value: int) -> bytes:
    return f" {name}='{value % COUNTER_MODULUS}'".encode()
