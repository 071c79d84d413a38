"""How a stream is written: headers, features, errors and stanzas as bytes, over TCP and over WebSocket.

Used by the negotiation and by the connection, which need not know which of the two they write. RFC 6120 §4
(TCP), RFC 7395 §3 (WebSocket).

Over TCP the bytes of several calls may be joined as they are. So they may over WebSocket: there each call
returns one message and an end mark, and `messages` takes what was joined apart again before it is sent.
"""

from collections.abc import Iterable
from typing import Final, Protocol, final

from protocols.conditions import StreamCondition
from protocols.namespaces import CLIENT, FRAMING, STREAM, STREAMS_ERRORS
from protocols.splice import new_attribute, with_attributes
from protocols.stanza import Stanza, as_framed
from protocols.xml_text import escape_text

# The language of every text that the server writes itself (RFC 6120 §4.7.4).
LANG: Final = "en"

# Ends a WebSocket message among joined ones; it cannot occur in XML.
_MESSAGE_END: Final = b"\0"

_STREAM_PREFIX: Final = new_attribute("xmlns:stream", STREAM)


class Framing(Protocol):
    """What a stream needs of its transport to be written."""

    def open(self, *, stream_id: str, sender: str, to: str | None, version: str | None) -> bytes:
        """Return the server's stream header.

        Args:
            stream_id: Unique and not to be guessed (RFC 6120 §4.7.3).
            sender: The domain that answers.
            to: Whom it answers, where that is known.
            version: '1.0', or None to a client that sent none.
        """

    def features(self, features: Iterable[bytes]) -> bytes:
        """Return the list of stream features, each given as an element."""

    def nonza(self, element: bytes) -> bytes:
        """Return an element that is no stanza and declares its namespace."""

    def stanza(self, stanza: Stanza) -> bytes:
        """Return a stanza."""

    def error(
        self, condition: StreamCondition, text: str = "", detail: bytes = b"", content: str = ""
    ) -> bytes:
        """Return a stream error; `close` follows it.

        Args:
            condition: The condition of RFC 6120 §4.9.3.
            text: For people, in the language of the server.
            detail: An element of the application that declares its namespace (RFC 6120 §4.9.4).
            content: What the condition itself holds: the address of see-other-host (§4.9.3.19).
        """

    def close(self) -> bytes:
        """Return the end of the server's stream."""


@final
class TcpFraming:
    """Writes the stream as one long document."""

    __slots__ = ()

    def open(self, *, stream_id: str, sender: str, to: str | None, version: str | None) -> bytes:
        """See `Framing`."""
        attributes = _header_attributes(stream_id, sender, to, version)
        return b"<?xml version='1.0'?><stream:stream%b%b%b>" % (
            new_attribute("xmlns", CLIENT), _STREAM_PREFIX, attributes
        )  # fmt: skip

    def features(self, features: Iterable[bytes]) -> bytes:
        """See `Framing`."""
        return b"<stream:features>%b</stream:features>" % b"".join(features)

    def nonza(self, element: bytes) -> bytes:
        """See `Framing`."""
        return element

    def stanza(self, stanza: Stanza) -> bytes:
        """See `Framing`."""
        return stanza.data

    def error(
        self, condition: StreamCondition, text: str = "", detail: bytes = b"", content: str = ""
    ) -> bytes:
        """See `Framing`."""
        return b"<stream:error>%b</stream:error>" % _error_content(condition, text, detail, content)

    def close(self) -> bytes:
        """See `Framing`."""
        return b"</stream:stream>"


@final
class WebSocketFraming:
    """Writes the stream as messages, each an element that stands alone."""

    __slots__ = ()

    def open(self, *, stream_id: str, sender: str, to: str | None, version: str | None) -> bytes:
        """See `Framing`."""
        attributes = _header_attributes(stream_id, sender, to, version)
        return b"<open%b%b/>%b" % (new_attribute("xmlns", FRAMING), attributes, _MESSAGE_END)

    def features(self, features: Iterable[bytes]) -> bytes:
        """See `Framing`."""
        return self.nonza(with_attributes(_TCP.features(features), _STREAM_PREFIX))

    def nonza(self, element: bytes) -> bytes:
        """See `Framing`."""
        return element + _MESSAGE_END

    def stanza(self, stanza: Stanza) -> bytes:
        """See `Framing`."""
        return as_framed(stanza) + _MESSAGE_END

    def error(
        self, condition: StreamCondition, text: str = "", detail: bytes = b"", content: str = ""
    ) -> bytes:
        """See `Framing`."""
        return self.nonza(with_attributes(_TCP.error(condition, text, detail, content), _STREAM_PREFIX))

    def close(self) -> bytes:
        """See `Framing`."""
        return b"<close%b/>%b" % (new_attribute("xmlns", FRAMING), _MESSAGE_END)


_TCP: Final = TcpFraming()


def messages(joined: bytes) -> list[bytes]:
    """Return the WebSocket messages in what `WebSocketFraming` returned, from one call or several."""
    return joined.split(_MESSAGE_END)[:-1]


def _header_attributes(stream_id: str, sender: str, to: str | None, version: str | None) -> bytes:
    given = {"id": stream_id, "from": sender, "to": to, "version": version, "xml:lang": LANG}
    return b"".join(new_attribute(name, value) for name, value in given.items() if value is not None)


def _error_content(condition: StreamCondition, text: str, detail: bytes, inner: str) -> bytes:
    name = condition.value
    end = f">{escape_text(inner)}</{name}>" if inner else "/>"
    content = f"<{name} xmlns='{STREAMS_ERRORS}'{end}"
    if text:
        content += f"<text xmlns='{STREAMS_ERRORS}' xml:lang='{LANG}'>{escape_text(text)}</text>"
    return content.encode() + detail
