"""A peer's XML stream over TCP: bytes in, events out.

Used by the connection actor, over plain TCP and TLS alike. RFC 6120 §4 (streams), §11 (XML).

The driver's part:
- It calls `receive_data` with whatever has come, and handles the events in order.
- An element of STARTTLS or SASL may be the last of its stream: what follows it is held back. While `is_held`,
  once the element is dealt with, call `restart` if a new stream follows it (and `discard` before, where what
  came in clear must not count), then `receive_data(b"")` for what was held.
- It calls `authenticated` once the peer is known.
- After `StreamClosed` or `StreamFailed` there are no more events.
- A new incarnation goes on from the `header` and the `pending` bytes of the old one.
"""

import re
from enum import Enum, auto
from typing import Final, final

from protocols.conditions import StreamCondition
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.namespaces import CLIENT, SASL, TLS
from protocols.stanza_match import match_ack, match_stanza
from protocols.stream_events import (
    ElementReceived,
    Event,
    StanzaReceived,
    StanzaRefused,
    StreamClosed,
    StreamFailed,
    StreamHeader,
    StreamOpened,
)
from protocols.stream_header import HeaderScanner
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_faults import policy_violation
from protocols.xml_frame import FrameScanner, check_beginning, event_of

__all__ = [
    "ElementReceived",
    "Event",
    "StanzaReceived",
    "StanzaRefused",
    "StreamClosed",
    "StreamFailed",
    "StreamHeader",
    "StreamOpened",
    "XMLStream",
]

_BLANKS: Final = re.compile(rb"[ \t\r\n]*+")
_BLANK_CHARACTERS: Final = b" \t\r\n"

# Elements in these namespaces may be answered by a change of what carries the stream (RFC 6120 §4.3.3).
_RESTARTING: Final = frozenset({TLS, SASL})

_Scanner = HeaderScanner | FrameScanner


class _State(Enum):
    NO_HEADER = auto()
    OPEN = auto()
    OVER = auto()


@final
class XMLStream:
    """One peer's stream, and the streams that follow it on the same connection.

    Attributes:
        header: Of the stream that is open, if one is.
    """

    __slots__ = (
        "_bytes_max",
        "_is_plain",
        "_limits",
        "_names",
        "_rest",
        "_scanner",
        "_state",
        "header",
        "is_held",
    )

    def __init__(self, limits: StreamLimits, names: NameBudget, header: StreamHeader | None = None) -> None:
        """Wait for a stream, or go on with one that another incarnation has opened.

        Args:
            limits: The caps on what the peer may send.
            names: For whoever looks inside stanzas.
            header: Of the stream to go on with; its `pending` bytes are then the first to be received.
        """
        self._limits = limits
        self._names = names
        self._bytes_max = limits.stanza_bytes_before_auth_max
        self._rest = b""
        self._scanner: _Scanner | None = None
        self.is_held = False
        self._state = _State.NO_HEADER
        self._is_plain = False
        self.header: StreamHeader | None = None
        if header is not None:
            self._open(header)

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes from the peer and return what they say, in order.

        However the bytes are cut, the events are the same. A fault of the peer is the last of them.
        """
        events: list[Event] = []
        self.is_held = False
        try:
            self._read(self._rest + data if self._rest else bytes(data), events)
        except RemoteProtocolError as error:
            self._end()
            events.append(StreamFailed(error.condition, error.text))
        return events

    def authenticated(self) -> None:
        """Allow stanzas of the size that an authenticated peer may send."""
        self._bytes_max = self._limits.stanza_bytes_max

    def restart(self) -> None:
        """Wait for a new stream header: what carries the stream has changed (RFC 6120 §4.3.3).

        Raises:
            LocalProtocolError: The stream is not open, or is in the middle of an element.
        """
        if self._state is not _State.OPEN or self._scanner is not None:
            raise LocalProtocolError("a stream restarts between two elements")
        self.header = None
        self._is_plain = False
        self._state = _State.NO_HEADER

    def discard(self) -> None:
        """Forget the bytes held back: they came before TLS and could be anybody's (RFC 6120 §5.4.3.3)."""
        self._rest = b""
        self.is_held = False

    @property
    def pending(self) -> bytes:
        """The bytes that belong to no event yet: those since the last boundary, and those held back."""
        return self._rest if self._scanner is None else self._scanner.fed

    def _read(self, data: bytes, events: list[Event]) -> None:
        self._rest = b""
        position = 0
        while position < len(data) and self._state is not _State.OVER:
            if self.is_held:
                self._rest = data[position:]
                return
            if self._is_plain and self._scanner is None:
                found = match_stanza(data, position, self._limits, self._bytes_max, self._names)
                if found is not None:
                    stanza, position = found
                    events.append(StanzaReceived(stanza))
                    continue
                acknowledgement = match_ack(data, position, self._limits, self._bytes_max)
                if acknowledgement is not None:
                    element, position = acknowledgement
                    events.append(element)
                    continue
            position = self._step(data, position, events)

    def _step(self, data: bytes, position: int, events: list[Event]) -> int:
        """Take at least one byte and at most one element; return the offset behind what was taken."""
        if self._scanner is None:
            blanks = _BLANKS.match(data, position)
            assert blanks is not None, "it matches anything"
            position = blanks.end()
            if position == len(data):
                return position
            if self._state is _State.OPEN:
                if data.startswith(b"</", position):
                    return self._read_closing_tag(data, position, events)
                if position + 1 == len(data) and data.endswith(b"<"):
                    self._rest = b"<"  # what it begins is told by the next byte
                    return len(data)
            self._scanner = self._new_scanner(data[position : position + 2])
        if isinstance(self._scanner, HeaderScanner):
            return self._read_header(self._scanner, data, position, events)
        return self._read_element(self._scanner, data, position, events)

    def _new_scanner(self, beginning: bytes) -> _Scanner:
        """Return what reads the header or the element that begins so."""
        if self.header is None:
            return HeaderScanner(self._limits)
        check_beginning(beginning)
        return FrameScanner(self.header, self._limits, self._bytes_max)

    def _read_header(self, scanner: HeaderScanner, data: bytes, position: int, events: list[Event]) -> int:
        opened = scanner.feed(data, position)
        if opened is None:
            return len(data)
        self._scanner = None
        self._open(opened.header)
        events.append(StreamOpened(opened.header))
        if opened.is_empty:
            events.append(StreamClosed())
            self._end()
        return opened.end

    def _read_element(self, scanner: FrameScanner, data: bytes, position: int, events: list[Event]) -> int:
        end = scanner.feed(data, position)
        if end is None:
            return len(data)
        self._scanner = None
        assert scanner.frame is not None
        event = event_of(scanner.frame, self._names)
        self.is_held = isinstance(event, ElementReceived) and event.namespace in _RESTARTING
        events.append(event)
        return end

    def _read_closing_tag(self, data: bytes, position: int, events: list[Event]) -> int:
        assert self.header is not None
        tag = b"</" + self.header.tag.encode()
        seen = data[position : position + self._limits.header_bytes_max]
        rest = seen[len(tag) :].lstrip(_BLANK_CHARACTERS)
        if not (seen.startswith(tag) or tag.startswith(seen)) or rest[:1] not in {b"", b">"}:
            raise RemoteProtocolError(StreamCondition.NOT_WELL_FORMED, "an end tag that ends nothing")
        if rest:
            events.append(StreamClosed())
            self._end()
        elif len(seen) == self._limits.header_bytes_max:
            raise policy_violation(f"a closing tag of more than {len(seen)} bytes")
        else:
            self._rest = seen
        return len(data)

    def _open(self, header: StreamHeader) -> None:
        self.header = header
        self._state = _State.OPEN
        # The fast tier takes names without a prefix to be stanzas, so they must be in their namespace.
        self._is_plain = header.declarations.get("") == CLIENT

    def _end(self) -> None:
        self._state = _State.OVER
        self._scanner = None
        self._rest = b""
