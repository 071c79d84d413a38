"""The fast way to a message or presence that is whole and plain, as nearly all are.

This is the fast tier over `xml_frame`: the start tag is matched by a regular expression, the end tag looked
up, and what lies between checked by expat without a call back into Python. Whatever is unusual is left to
the general tier, and so is whatever is wrong. Where this one gives a stanza, the general one gives the same;
property tests hold them to it.

Used by `xml_stream` and `websocket_stream`. RFC 6120 §8.
"""

import re
from typing import Final, NamedTuple
from xml.parsers import expat

from protocols.errors import JIDMalformed
from protocols.jid import parse_jid
from protocols.namespaces import CLIENT
from protocols.stanza import Stanza, StanzaKind
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_faults import SEPARATOR, TAG_CELL_BYTES

# Plain: names in ASCII, no blanks around `=`, no references and no blanks to be normalised in the values.
_START: Final = re.compile(
    rb"[ \t\r\n]*+<(message|presence)"
    rb"((?:[ \t\r\n]++[A-Za-z_][\w.:-]*+=(?:'[^'<&\t\r\n]*+'|\"[^\"<&\t\r\n]*+\"))*+)[ \t\r\n]*+(/?)>"
)
_ATTRIBUTE: Final = re.compile(r"([A-Za-z_][\w.:-]*+)=(?:'([^']*+)'|\"([^\"]*+)\")", re.ASCII)
_KINDS: Final = {kind.value.encode(): kind for kind in StanzaKind}
_END_TAGS: Final = {kind.value.encode(): f"</{kind.value}>".encode() for kind in StanzaKind}


class Match(NamedTuple):
    """A stanza and the offset behind it."""

    stanza: Stanza
    end: int


def match_stanza(
    data: bytes, position: int, limits: StreamLimits, bytes_max: int, names: NameBudget
) -> Match | None:
    """Return the stanza that begins at `position`, after any blanks, if it is whole and plain.

    Args:
        data: Bytes of a stream whose default namespace is `jabber:client`.
        position: Where to begin.
        limits: For depth and attributes.
        bytes_max: How long the stanza may be.
        names: For whoever looks inside the stanza.
    """
    tag = _START.match(data, position)
    if tag is None:
        return None
    name, written, empty = tag.groups()
    start = tag.start(1) - 1
    end = tag.end()
    if not empty:
        # Within one cell, so that no tag in it can be too long, and so that a stream of stanzas which all
        # lack this end tag does not make us search all that has come for each of them.
        end_tag = _END_TAGS[name]
        end = data.find(end_tag, end, start + TAG_CELL_BYTES)
        if end == -1:
            return None
        end += len(end_tag)
    frame = data[start:end]
    if not _is_plain(frame, limits, bytes_max):
        return None
    try:
        expat.ParserCreate("utf-8", SEPARATOR).Parse(frame, True)
        attributes = {key: single or double for key, single, double in _ATTRIBUTE.findall(written.decode())}
        stanza = _stanza(_KINDS[name], attributes, frame, names)
    except (expat.ExpatError, JIDMalformed):
        return None
    return None if stanza is None else Match(stanza, end)


def _is_plain(frame: bytes, limits: StreamLimits, bytes_max: int) -> bool:
    """Tell whether no limit can be passed, and there is no comment, CDATA section or instruction."""
    return (
        len(frame) <= bytes_max
        and frame.count(b"=") <= limits.attributes_max
        and frame.count(b"</") < limits.depth_max
        and not (b"!" in frame and b"<!" in frame)
        and not (b"?" in frame and b"<?" in frame)
    )


def _stanza(kind: StanzaKind, attributes: dict[str, str], frame: bytes, names: NameBudget) -> Stanza | None:
    attribute = attributes.get
    if attribute("xmlns", CLIENT) != CLIENT:
        return None
    to = attribute("to")
    sender = attribute("from")
    return Stanza(
        kind,
        None if to is None else parse_jid(to),
        None if sender is None else parse_jid(sender),
        attribute("type", ""),
        attribute("id"),
        attribute("xml:lang"),
        frame,
        names=names,
    )
