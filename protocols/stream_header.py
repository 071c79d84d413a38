"""The stream header: the start tag that opens a stream over TCP, with the XML declaration before it.

Used by `xml_stream`. Parsed by an expat of its own, as it comes, and checked: RFC 6120 §4.7 (attributes),
§4.8 (namespaces), §11.5 (XML declaration), §11.6 (encoding). `checked_address` serves both kinds of stream.
"""

import re
from types import MappingProxyType
from typing import Final, NamedTuple, final
from xml.parsers import expat

from protocols import splice
from protocols.conditions import StreamCondition
from protocols.errors import JIDMalformed, RemoteProtocolError
from protocols.jid import JID, parse_jid
from protocols.namespaces import CLIENT, STREAM
from protocols.stream_events import StreamHeader
from protocols.stream_limits import StreamLimits
from protocols.xml_faults import SEPARATOR, fault_of, new_parser, policy_violation
from protocols.xml_frame import LANG

_PROLOG: Final = re.compile(rb"\s*+(?:<\?.*?\?>\s*+)*+", re.DOTALL)


class OpenedHeader(NamedTuple):
    """A header that is whole.

    Attributes:
        header: What it says.
        end: The offset behind it in the last bytes given.
        is_empty: Whether the tag is an empty element, so that the stream is closed as soon as open.
    """

    header: StreamHeader
    end: int
    is_empty: bool


@final
class HeaderScanner:
    """Takes the bytes before a stream's first element until the header is whole."""

    __slots__ = ("_limits", "_parser", "_root", "fed")

    fed: bytes  # what has been taken of a header that is not whole yet

    def __init__(self, limits: StreamLimits) -> None:
        self.fed = b""
        self._limits = limits
        self._root = _Root()
        self._parser = new_parser()
        self._parser.XmlDeclHandler = _check_declared_encoding
        self._parser.StartNamespaceDeclHandler = self._root.on_declaration
        self._parser.StartElementHandler = self._root.on_start

    def feed(self, data: bytes, position: int) -> OpenedHeader | None:
        """Take bytes of the stream from `position` on.

        Returns:
            The header; None if it goes on after `data`.

        Raises:
            RemoteProtocolError: The bytes are not, or cannot become, the header of a stream served here.
        """
        before = len(self.fed)
        piece = data[position : position + self._limits.header_bytes_max - before]
        self.fed += piece
        self._check_encoding()
        # A DTD is refused before expat sees it: expat would go on behind what a handler has refused, and
        # expand whatever entities the DTD declares.
        prolog_end = self._prolog_end()
        has_dtd = self.fed.startswith(b"<!", prolog_end)
        if has_dtd:
            piece = piece[: max(prolog_end - before, 0)]
        try:
            self._parser.Parse(piece, False)
        except (expat.ExpatError, RemoteProtocolError) as error:
            if not self._root.name:
                raise self._fault(error) from None
            # The fault lies behind the header: whoever reads on from its end will meet it again.
        if has_dtd:
            raise RemoteProtocolError(StreamCondition.RESTRICTED_XML, "a document type or comment")
        if self._root.name:
            end = splice.tag_end(self.fed, prolog_end)
            tag = self.fed[prolog_end:end]
            return OpenedHeader(self._header(tag), position + end - before, tag.endswith(b"/>"))
        if len(self.fed) >= self._limits.header_bytes_max:
            raise policy_violation(f"a stream header of more than {self._limits.header_bytes_max} bytes")
        return None

    def _check_encoding(self) -> None:
        """Refuse what can begin a stream in UTF-16, or a byte order mark: expat would go along with it."""
        first = self.fed[:1]
        if not first.isascii() or first == b"\0" or self.fed[:2] == b"<\0":
            raise RemoteProtocolError(StreamCondition.UNSUPPORTED_ENCODING, "only UTF-8 is served")
        if first != b"<":
            raise RemoteProtocolError(StreamCondition.NOT_WELL_FORMED, "a stream begins with a tag")

    def _prolog_end(self) -> int:
        found = _PROLOG.match(self.fed)
        assert found is not None, "it matches anything"
        return found.end()

    def _fault(self, error: expat.ExpatError | RemoteProtocolError) -> RemoteProtocolError:
        if isinstance(error, RemoteProtocolError):
            return error
        return fault_of(error, self.fed, self._parser.ErrorByteIndex)

    def _header(self, tag: bytes) -> StreamHeader:
        """Return what the header says, checked."""
        namespace, _, name = self._root.name.rpartition(SEPARATOR)
        declarations = self._root.declarations
        attribute = self._root.attributes.get
        if namespace != STREAM:
            raise RemoteProtocolError(
                StreamCondition.INVALID_NAMESPACE, f"the stream's namespace is {STREAM}"
            )
        if name != "stream":
            raise RemoteProtocolError(StreamCondition.BAD_FORMAT, "a stream opens with <stream>")
        if declarations.get("", STREAM) not in {CLIENT, STREAM, ""}:
            raise RemoteProtocolError(StreamCondition.INVALID_NAMESPACE, f"only {CLIENT} is served here")
        if len(self._root.attributes) + len(declarations) > self._limits.attributes_max:
            raise policy_violation(f"a header with more than {self._limits.attributes_max} attributes")
        if sum(map(len, (*declarations, *declarations.values()))) > self._limits.declarations_bytes_max:
            raise policy_violation(f"more than {self._limits.declarations_bytes_max} bytes of declarations")
        return StreamHeader(
            checked_address(attribute("to")),
            checked_address(attribute("from")),
            attribute("version"),
            attribute(LANG),
            CLIENT,
            MappingProxyType(declarations),
            tag[1 : splice.name_end(tag)].decode(),
        )


@final
class _Root:
    """What expat says of the root. It does not refer to the parser, so that both are freed at once."""

    __slots__ = ("attributes", "declarations", "name")

    def __init__(self) -> None:
        self.name = ""
        self.attributes: dict[str, str] = {}
        self.declarations: dict[str, str] = {}

    def on_declaration(self, prefix: str | None, namespace: str | None) -> None:
        if not self.name:
            self.declarations[prefix or ""] = namespace or ""

    def on_start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.name:
            self.name = name
            self.attributes = attributes


def checked_address(text: str | None) -> JID | None:
    """Return the address in a stream header.

    Raises:
        RemoteProtocolError: It is none.
    """
    if text is None:
        return None
    try:
        return parse_jid(text)
    except JIDMalformed as error:
        raise RemoteProtocolError(StreamCondition.IMPROPER_ADDRESSING, str(error)) from None


def _check_declared_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.upper() != "UTF-8":
        raise RemoteProtocolError(
            StreamCondition.UNSUPPORTED_ENCODING, f"only UTF-8 is served, not {encoding}"
        )
