"""One top-level element of a stream, found and checked by a parser made for it alone.

This is the general tier: it takes every element, in one piece or in many, and it alone says what is wrong
with one (the fast tier, `stanza_match`, takes whole, plain stanzas and leaves the rest to it). Each byte is
given to the parser once, as soon as it is there, so that a fault is met at once, work grows with the bytes
and not with the pieces, and how the bytes are cut changes nothing. A parser for each element means that
nothing outlives it: no names, no namespaces, no buffers.

Used by `xml_stream` and `websocket_stream`. RFC 6120 §4.8 (namespaces), §8 (stanzas), §11 (XML).
"""

from typing import Final, NamedTuple, final
from xml.parsers import expat

from protocols import splice
from protocols.conditions import StanzaCondition, StreamCondition
from protocols.errors import JIDMalformed, RemoteProtocolError
from protocols.jid import JID, parse_jid
from protocols.namespaces import CLIENT, STREAM, XML
from protocols.stanza import PayloadName, Stanza, StanzaKind
from protocols.stream_events import ElementReceived, StanzaReceived, StanzaRefused, StreamHeader
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_faults import (
    SEPARATOR,
    TAG_CELL_BYTES,
    UNBOUND_PREFIX,
    fault_of,
    new_parser,
    policy_violation,
)

LANG: Final = f"{XML}{SEPARATOR}lang"
_KINDS: Final = {kind.value: kind for kind in StanzaKind}


class Frame(NamedTuple):
    """A whole element, checked.

    Attributes:
        namespace: Its namespace, '' for none.
        name: Its local name.
        attributes: As expat gives them: a name in a namespace is `namespace}name`.
        payload: The name of its first child, if it has one.
        children: How many children it has.
        text: The character data directly in it; '' in a stanza, where nobody asks.
        data: Its bytes, standing alone.
    """

    namespace: str
    name: str
    attributes: dict[str, str]
    payload: PayloadName | None
    children: int
    text: str
    data: bytes


@final
class FrameScanner:
    """Takes the bytes of one element until it is whole."""

    __slots__ = (
        "_attributes", "_buffer", "_bytes_max", "_children", "_declarations", "_declares_default",
        "_depth", "_end_index", "_header", "_limits", "_name", "_new_declarations", "_parser", "_payload",
        "_root_declares_default", "_text", "frame",
    )  # fmt: skip

    frame: Frame | None  # the element, once it is whole

    def __init__(self, header: StreamHeader, limits: StreamLimits, bytes_max: int) -> None:
        """Begin an element.

        Args:
            header: Of the stream that it stands in; its namespaces hold in the element.
            limits: For depth and attributes.
            bytes_max: How long the element may be.
        """
        self._header = header
        self._limits = limits
        self._bytes_max = bytes_max
        self._declarations: dict[str, str] | None = {p: ns for p, ns in header.declarations.items() if p}
        self.frame = None
        self._begin()

    @property
    def fed(self) -> bytes:
        """What has been taken of an element that is not whole yet."""
        return bytes(self._buffer)

    def feed(self, data: bytes, position: int) -> int | None:
        """Take what belongs to the element from `data`, beginning at `position`.

        The element begins with `<` and something else than `!`, `?`, `/` or NUL, both in the first piece.

        Returns:
            The offset behind the element, which is in `frame` then; None if it goes on after `data`.

        Raises:
            RemoteProtocolError: The bytes are not, or cannot become, an element that a stream may carry.
        """
        while position < len(data):
            taken = len(self._buffer)
            size = min(self._bytes_max - taken, TAG_CELL_BYTES - taken % TAG_CELL_BYTES)
            end = self._take(data[position : position + size])
            if end is not None:
                return position + end
            position += size
        return None

    def _begin(self) -> None:
        self._buffer = bytearray()
        self._depth = 0
        self._end_index: int | None = None
        self._children = 0
        self._payload: PayloadName | None = None
        self._text: list[str] = []
        self._new_declarations = 0
        self._declares_default = False
        parser = new_parser()
        parser.StartNamespaceDeclHandler = self._on_declaration
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        self._parser: expat.XMLParserType | None = parser

    def _take(self, piece: bytes) -> int | None:
        """Give a piece to the parser; return how much of it belongs to the element, if that ends in it."""
        parser = self._parser
        assert parser is not None, "the element has ended or failed"
        try:
            parser.Parse(piece, False)
        except RemoteProtocolError:  # from a handler
            if self._end_index is None:
                self._parser = None
                raise
        except expat.ExpatError as error:
            if self._end_index is None:
                return self._recover(error, parser.ErrorByteIndex, piece)
        # A fault behind the element is met again by whoever reads on from its end.
        if self._end_index is not None:
            return self._finish(piece)
        self._buffer += piece
        taken = len(self._buffer)
        if taken >= self._bytes_max:
            raise self._failed(policy_violation(f"an element of more than {self._bytes_max} bytes"))
        if taken % TAG_CELL_BYTES == 0 and taken - parser.CurrentByteIndex >= TAG_CELL_BYTES:
            raise self._failed(policy_violation(f"a tag of more than {TAG_CELL_BYTES} bytes"))
        return None

    def _recover(self, error: expat.ExpatError, index: int, piece: bytes) -> int | None:
        """Start over where the element uses prefixes of the stream header; fail otherwise."""
        taken = bytes(self._buffer) + piece
        if error.code != UNBOUND_PREFIX or not self._declarations:
            raise self._failed(fault_of(error, taken, index)) from None
        added = b"".join(
            splice.attribute(f"xmlns:{prefix}", namespace)
            for prefix, namespace in self._declarations.items()
            if splice.find_attribute(taken, f"xmlns:{prefix}".encode()) is None
        )
        before = len(self._buffer)
        self._declarations = None
        self._begin()
        end = self.feed(splice.with_attributes(taken, added), 0)
        return None if end is None else end - len(added) - before

    def _failed(self, error: RemoteProtocolError) -> RemoteProtocolError:
        self._parser = None  # it refers to this object and would be freed late
        return error

    def _finish(self, piece: bytes) -> int:
        """Cut the element off at its end; return how much of the last piece belongs to it."""
        assert self._end_index is not None
        self._parser = None  # as above
        data = bytes(self._buffer) + piece
        end = self._end_of(data)
        returned = end - len(self._buffer)
        data = data[:end]
        default = self._header.declarations.get("", "")
        if default != CLIENT and not self._root_declares_default:
            data = splice.with_attributes(data, splice.attribute("xmlns", default))
        namespace, name = self._name
        text = "".join(self._text)
        self.frame = Frame(namespace, name, self._attributes, self._payload, self._children, text, data)
        return returned

    def _end_of(self, data: bytes) -> int:
        """Return where the element ends: expat tells the start of an end tag, the end of an empty one."""
        if self._children == 0:
            end = splice.tag_end(data)
            if data[end - 2 : end] == b"/>":
                return end
        return data.index(b">", self._end_index) + 1

    def _on_declaration(self, prefix: str | None, _namespace: str | None) -> None:
        self._new_declarations += 1
        if prefix is None:
            self._declares_default = True

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 0:
            self._root_declares_default = self._declares_default
            self._name = self._resolve(name)
            self._attributes = attributes
            self._check_root()
        elif self._depth == 1:
            if self._children == 0:
                self._payload = self._resolve(name)
            self._children += 1
        self._depth += 1
        if self._depth > self._limits.depth_max:
            raise policy_violation(f"elements within each other more than {self._limits.depth_max} deep")
        if len(attributes) + self._new_declarations > self._limits.attributes_max:
            raise policy_violation(f"an element with more than {self._limits.attributes_max} attributes")
        self._new_declarations = 0

    def _on_end(self, _name: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            assert self._parser is not None
            self._end_index = self._parser.CurrentByteIndex

    def _on_text(self, text: str) -> None:
        if self._depth == 1:
            self._text.append(text)

    def _resolve(self, name: str) -> PayloadName:
        """Return the name of the root or of its first child, in the stream's default namespace if in none."""
        namespace, separator, local = name.rpartition(SEPARATOR)
        if not separator and not self._declares_default:
            namespace = self._header.declarations.get("", "")
        return PayloadName(namespace, local)

    def _check_root(self) -> None:
        assert self._parser is not None
        namespace, name = self._name
        if namespace == CLIENT:
            if name not in _KINDS:
                raise RemoteProtocolError(
                    StreamCondition.UNSUPPORTED_STANZA_TYPE, "neither message nor presence nor iq"
                )
        elif namespace == STREAM and name == "stream":
            raise RemoteProtocolError(StreamCondition.BAD_FORMAT, "a stream header within the stream")
        else:
            self._parser.CharacterDataHandler = self._on_text


def check_beginning(data: bytes) -> None:
    """Check the two bytes that an element begins with, which tell whether it is one at all.

    Raises:
        RemoteProtocolError: It is something else, which has no place between two stanzas.
    """
    if not data.startswith(b"<"):
        raise RemoteProtocolError(StreamCondition.BAD_FORMAT, "text between the elements of the stream")
    if data in {b"<!", b"<?"}:
        raise RemoteProtocolError(
            StreamCondition.RESTRICTED_XML,
            "a comment, document type, CDATA section or processing instruction",
        )
    if data in {b"<\0", b"</", b"<"}:  # expat would take the first for UTF-16
        raise RemoteProtocolError(StreamCondition.NOT_WELL_FORMED, "a `<` that begins no element")


def event_of(frame: Frame, names: NameBudget) -> StanzaReceived | StanzaRefused | ElementReceived:
    """Return what the element means to those above the stream.

    Raises:
        RemoteProtocolError: Its `from` is no address, so it cannot be the peer's own.
    """
    if frame.namespace != CLIENT:
        attributes = {f"{{{k}" if SEPARATOR in k else k: v for k, v in frame.attributes.items()}
        return ElementReceived(frame.namespace, frame.name, attributes, frame.text, frame.data)
    attribute = frame.attributes.get
    try:
        sender = _address(attribute("from"))
    except JIDMalformed as error:
        raise RemoteProtocolError(StreamCondition.INVALID_FROM, str(error)) from None
    kind = _KINDS[frame.name]
    payload, children = (frame.payload, frame.children) if kind is StanzaKind.IQ else (None, 0)

    def stanza(to: JID | None) -> Stanza:
        return Stanza(
            kind, to, sender, attribute("type", ""), attribute("id"), attribute(LANG), frame.data,
            payload, children, names,
        )  # fmt: skip

    try:
        return StanzaReceived(stanza(_address(attribute("to"))))
    except JIDMalformed as error:
        return StanzaRefused(stanza(None), StanzaCondition.JID_MALFORMED, str(error))


def _address(text: str | None) -> JID | None:
    return None if text is None else parse_jid(text)
