"""What the XML parser may not meet in a stream, and the stream error for each thing it refuses.

Used by `xml_frame` and `stream_header`, which both parse with expat. RFC 6120 §4.9.3 (conditions) and §11
(restrictions: no comments, processing instructions, DTD or entities beyond the five; UTF-8 only).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NoReturn
from xml.parsers import expat
from xml.parsers.expat import errors

from protocols.conditions import StreamCondition
from protocols.errors import RemoteProtocolError

# Names come from expat as `namespace}name`. A namespace with this character in it would be ambiguous; expat
# refuses it, which suits us: no such namespace exists, and element trees could not tell its names apart.
SEPARATOR: Final = "}"

# Expat looks at an unfinished tag again from its start whenever a piece of it arrives, so a tag that covers
# one whole cell of this size is refused. Where cells begin depends on the bytes alone, not on how they are
# cut, and so does the refusal. Tags up to this length always pass; the largest in use carry a picture as a
# `data:` address (XEP-0071 advises 8 KB).
TAG_CELL_BYTES: Final = 16_384

_CONDITIONS: Final[Mapping[int, StreamCondition]] = MappingProxyType(
    {
        errors.codes[errors.XML_ERROR_UNDEFINED_ENTITY]: StreamCondition.RESTRICTED_XML,
        errors.codes[errors.XML_ERROR_MISPLACED_XML_PI]: StreamCondition.RESTRICTED_XML,
        errors.codes[errors.XML_ERROR_UNBOUND_PREFIX]: StreamCondition.BAD_NAMESPACE_PREFIX,
        errors.codes[errors.XML_ERROR_UNKNOWN_ENCODING]: StreamCondition.UNSUPPORTED_ENCODING,
        errors.codes[errors.XML_ERROR_INCORRECT_ENCODING]: StreamCondition.UNSUPPORTED_ENCODING,
    }
)
_INVALID_TOKEN: Final = errors.codes[errors.XML_ERROR_INVALID_TOKEN]
UNBOUND_PREFIX: Final = errors.codes[errors.XML_ERROR_UNBOUND_PREFIX]


def new_parser() -> expat.XMLParserType:
    """Return a parser that refuses comments and processing instructions."""
    parser = expat.ParserCreate("utf-8", SEPARATOR)
    # Since 2.6 expat holds back what may be an unfinished tag; a stream must be answered at once.
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)
    parser.CommentHandler = _refuse_comment
    parser.ProcessingInstructionHandler = _refuse_processing_instruction
    return parser


def fault_of(error: expat.ExpatError, fed: bytes, index: int) -> RemoteProtocolError:
    """Return the stream error for what expat refused.

    Args:
        error: What expat says.
        fed: All bytes that the parser has been given, or those from some point before the fault.
        index: Where in them the fault lies.
    """
    condition = _CONDITIONS.get(error.code, StreamCondition.NOT_WELL_FORMED)
    text = expat.ErrorString(error.code)
    if error.code == _INVALID_TOKEN:
        if not _is_character(fed[index : index + 4]):
            return RemoteProtocolError(StreamCondition.UNSUPPORTED_ENCODING, "bytes that are not UTF-8")
        if fed[max(index - 2, 0) : index] == b"<!":
            return RemoteProtocolError(StreamCondition.RESTRICTED_XML, "a document type declaration")
    return RemoteProtocolError(condition, text)


def policy_violation(what: str) -> RemoteProtocolError:
    """Return the stream error for passing one of the limits."""
    return RemoteProtocolError(StreamCondition.POLICY_VIOLATION, what)


def _refuse_comment(_text: str) -> NoReturn:
    raise RemoteProtocolError(StreamCondition.RESTRICTED_XML, "a comment")


def _refuse_processing_instruction(_target: str, _data: str) -> NoReturn:
    raise RemoteProtocolError(StreamCondition.RESTRICTED_XML, "a processing instruction")


def _is_character(data: bytes) -> bool:
    """Tell whether the bytes begin with a character in UTF-8 (expat refuses some that do: U+FFFE)."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start > 0  # the fault lies in what follows
    return True
