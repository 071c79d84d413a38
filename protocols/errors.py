"""The ways in which something can be wrong, told apart by whose fault it is and how it is answered.

Raised throughout `protocols` and by handlers of stanzas; the actors turn them into a stream error
(RFC 6120 §4.9), a stanza error (RFC 6120 §8.3) or, where the fault is our own, let them crash.
"""

from protocols.conditions import DEFAULT_TYPE, LEGACY_CODE, ErrorType, StanzaCondition, StreamCondition
from protocols.namespaces import STANZAS
from protocols.xml_text import escape_text


class RemoteProtocolError(Exception):
    """The peer broke the stream: it gets a stream error and the stream is closed."""

    def __init__(self, condition: StreamCondition, text: str = "") -> None:
        """Name the condition to answer with, and say in a sentence what was wrong."""
        super().__init__(condition, text)
        self.condition = condition
        self.text = text

    def __str__(self) -> str:
        """Return the condition's wire name and the text."""
        return f"{self.condition.value}: {self.text}" if self.text else self.condition.value


class LocalProtocolError(Exception):
    """We used a protocol object in a way that its state does not allow: a fault of this program."""


class StanzaError(Exception):
    """One stanza cannot be handled: its sender gets an error, the stream goes on."""

    def __init__(
        self,
        condition: StanzaCondition,
        text: str | None = None,
        *,
        type: ErrorType | None = None,
        detail: bytes = b"",
    ) -> None:
        """Name the condition.

        Args:
            condition: What is wrong.
            text: The same in a sentence.
            type: What the sender can do; what is usual for the condition unless given.
            detail: An application-specific condition, as an element (RFC 6120 §8.3.4).
        """
        super().__init__(condition, text)
        self.condition = condition
        self.text = text
        self.detail = detail
        self.type = DEFAULT_TYPE[condition] if type is None else type

    def __str__(self) -> str:
        """Return the condition's wire name and the text."""
        return f"{self.condition.value}: {self.text}" if self.text else self.condition.value

    def to_bytes(self) -> bytes:
        """Return the `<error/>` element, for a stanza whose default namespace is the stream's."""
        name = self.condition.value
        text = ""
        if self.text:
            text = f"<text xmlns='{STANZAS}' xml:lang='en'>{escape_text(self.text)}</text>"
        start = f"<error type='{self.type.value}' code='{LEGACY_CODE[self.condition]}'>"
        return f"{start}<{name} xmlns='{STANZAS}'/>{text}".encode() + self.detail + b"</error>"


class JIDMalformed(ValueError):
    """A text is no JID (RFC 7622)."""
