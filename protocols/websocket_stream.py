"""A peer's XML stream over WebSocket: messages in, events out.

Used by the connection actor behind `/ws`. RFC 7395: each message is one whole element that declares its
namespaces itself; `<open/>` and `<close/>` stand for the stream's tags. The events are those of `xml_stream`,
and so is the driver's part, but that nothing is ever held back or pending: a message is dealt with at once.
"""

from typing import Final, final

from protocols.conditions import StreamCondition
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.namespaces import CLIENT, FRAMING
from protocols.stanza_match import match_ack, match_stanza
from protocols.stream_events import (
    ElementReceived,
    Event,
    StanzaReceived,
    StreamClosed,
    StreamFailed,
    StreamHeader,
    StreamOpened,
)
from protocols.stream_header import checked_address
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_frame import FrameScanner, check_beginning, event_of

_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"

# What an element without a namespace of its own stands in. RFC 7395 §3.3.3 wants stanzas to declare theirs;
# not to insist serves clients that send what they would send over TCP, and harms nobody.
_CONTEXT: Final = StreamHeader(
    to=None, sender=None, version=None, lang=None, content_namespace=CLIENT, declarations={"": CLIENT}, tag=""
)


@final
class WebSocketStream:
    """One peer's stream, and the streams that follow it on the same connection.

    Attributes:
        header: Of the stream that is open, if one is.
    """

    __slots__ = ("_bytes_max", "_is_over", "_limits", "_names", "header")

    def __init__(self, limits: StreamLimits, names: NameBudget, header: StreamHeader | None = None) -> None:
        """Wait for a stream, or go on with one that another incarnation has opened; as `XMLStream`."""
        self._limits = limits
        self._names = names
        self._bytes_max = limits.stanza_bytes_before_auth_max
        self._is_over = False
        self.header = header

    def receive_message(self, message: str | bytes) -> list[Event]:
        """Take a whole message of the peer and return what it says, a fault included."""
        if self._is_over:
            return []
        try:
            event = self._read(message.encode() if isinstance(message, str) else message)
        except RemoteProtocolError as error:
            event = StreamFailed(error.condition, error.text)
        self._is_over = isinstance(event, StreamFailed | StreamClosed)
        return [] if event is None else [event]

    def authenticated(self) -> None:
        """Allow stanzas of the size that an authenticated peer may send."""
        self._bytes_max = self._limits.stanza_bytes_max

    def restart(self) -> None:
        """Wait for a new `<open/>`: the peer is authenticated (RFC 7395 §3.7).

        Raises:
            LocalProtocolError: The stream is not open.
        """
        if self.header is None or self._is_over:
            raise LocalProtocolError("a stream restarts while it is open")
        self.header = None

    def _read(self, data: bytes) -> Event | None:
        if self.header is not None:
            found = match_stanza(data, 0, self._limits, self._bytes_max, self._names)
            if found is not None and found[1] == len(data):
                return StanzaReceived(found[0])
            acknowledgement = match_ack(data, 0, self._limits, self._bytes_max)
            if acknowledgement is not None and acknowledgement[1] == len(data):
                return acknowledgement[0]
        data = data.strip(b" \t\r\n")
        if not data:
            return None  # a keep-alive, as over TCP
        check_beginning(data[:2])
        scanner = FrameScanner(_CONTEXT, self._limits, self._bytes_max)
        end = scanner.feed(data, 0)
        if end != len(data):
            raise RemoteProtocolError(StreamCondition.NOT_WELL_FORMED, "a message is one whole element")
        assert scanner.frame is not None
        event = event_of(scanner.frame, self._names)
        if isinstance(event, ElementReceived) and event.namespace == FRAMING:
            return self._framing(event)
        if self.header is None:
            raise RemoteProtocolError(
                StreamCondition.INVALID_NAMESPACE, f"a stream begins with {FRAMING} open"
            )
        return event

    def _framing(self, element: ElementReceived) -> Event:
        match element.name:
            case "close":
                return StreamClosed()
            case "open" if self.header is None:
                attribute = element.attributes.get
                self.header = StreamHeader(
                    to=checked_address(attribute("to")),
                    sender=checked_address(attribute("from")),
                    version=attribute("version"),
                    lang=attribute(_LANG),
                    content_namespace=CLIENT,
                    declarations=_CONTEXT.declarations,
                    tag="",
                )
                return StreamOpened(self.header)
            case _:
                raise RemoteProtocolError(StreamCondition.BAD_FORMAT, f"unexpected framing: {element.name}")
