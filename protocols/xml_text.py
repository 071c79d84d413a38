"""Escaping of text that goes into XML which is built from strings.

Used by everything that writes stanzas or stream elements. XML 1.0 §2.2 (characters), §2.4 (character
data) and §3.3.3 (attribute values, whose white space a parser would turn into spaces).
"""

import re
from typing import Final

# Code points that XML 1.0 cannot carry in any form. One of them in the output would end the peer's
# stream, so they are replaced: text may come from places that are not XML (a file, a library's message).
_IMPOSSIBLE: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_REPLACEMENT: Final = "\ufffd"

_UNSAFE_IN_TEXT: Final = re.compile(f"[<>&\r{_IMPOSSIBLE}]")
_UNSAFE_IN_ATTRIBUTE: Final = re.compile(f"[<>&'\"\t\n\r{_IMPOSSIBLE}]")
_ESCAPES: Final = {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "'": "&apos;",
    '"': "&quot;",
    "\t": "&#x9;",
    "\n": "&#xA;",
    "\r": "&#xD;",
}


def escape_text(text: str) -> str:
    """Return `text` so that it can stand between two tags."""
    if _UNSAFE_IN_TEXT.search(text) is None:
        return text
    return _UNSAFE_IN_TEXT.sub(_escape, text)


def escape_attribute(text: str) -> str:
    """Return `text` so that it can stand in an attribute value, in single or double quotes."""
    if _UNSAFE_IN_ATTRIBUTE.search(text) is None:
        return text
    return _UNSAFE_IN_ATTRIBUTE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0], _REPLACEMENT)
