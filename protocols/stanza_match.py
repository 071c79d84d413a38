"""The fast way to a message, presence or acknowledgement that is whole and plain, as nearly all are.

This is the fast tier over `xml_frame`: the start tag is matched by a regular expression, the end tag looked
up, and what lies between checked by expat without a call back into Python. Whatever is unusual is left to
the general tier, and so is whatever is wrong. Where this one gives something, the general one gives the same;
property tests hold them to it.

Used by `xml_stream` and `websocket_stream`. RFC 6120 §8, XEP-0198 §4.
"""

import re
from typing import Final
from xml.parsers import expat

from protocols.errors import JIDMalformed
from protocols.jid import parse_jid
from protocols.namespaces import CLIENT, STREAM_MANAGEMENT
from protocols.stanza import Stanza, StanzaKind
from protocols.stream_events import ElementReceived
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_faults import SEPARATOR, TAG_CELL_BYTES

# Plain: names in ASCII, no blanks around `=`, no references and no blanks to be normalised in the values. A
# value is captured with its quotes; of an attribute given twice the last, which expat then refuses.
_VALUE: Final = rb"(?:'[^'<&\t\r\n]*+'|\"[^\"<&\t\r\n]*+\")"
_START: Final = re.compile(
    rb"[ \t\r\n]*+<(message|presence)"
    rb"(?:[ \t\r\n]++(?:to=(%b)|from=(%b)|type=(%b)|id=(%b)|xml:lang=(%b)|xmlns=(%b)"
    rb"|[A-Za-z_][\w.:-]*+=%b))*+"
    rb"[ \t\r\n]*+(/?)>" % ((_VALUE,) * 7)
)
# `<r/>` and `<a/>` of stream management, which come as often as messages do.
_MANAGED: Final = rb"xmlns=(?:'%b'|\"%b\")" % ((STREAM_MANAGEMENT.encode(),) * 2)
_COUNT: Final = rb"h=(?:'([0-9]{1,10})'|\"([0-9]{1,10})\")"
_ACK: Final = re.compile(
    rb"[ \t\r\n]*+<(?:r[ \t\r\n]++%b|a[ \t\r\n]++(?:%b[ \t\r\n]++%b|%b[ \t\r\n]++%b))[ \t\r\n]*+/>"
    % (_MANAGED, _MANAGED, _COUNT, _COUNT, _MANAGED)
)
_ACK_ATTRIBUTES: Final = 2

_SPECIAL: Final = re.compile(rb"<[!?]")
_KINDS: Final = {kind.value.encode(): kind for kind in StanzaKind}
_END_TAGS: Final = {kind.value.encode(): f"</{kind.value}>".encode() for kind in StanzaKind}
_NAMESPACES: Final = (None, f"'{CLIENT}'".encode(), f'"{CLIENT}"'.encode())


def match_stanza(
    data: bytes, position: int, limits: StreamLimits, bytes_max: int, names: NameBudget
) -> tuple[Stanza, int] | None:
    """Return the stanza that begins at `position`, after any blanks, if it is whole and plain.

    Args:
        data: Bytes of a stream whose default namespace is `jabber:client`.
        position: Where to begin.
        limits: For depth and attributes.
        bytes_max: How long the stanza may be.
        names: For whoever looks inside the stanza.

    Returns:
        The stanza, and the offset behind it.
    """
    tag = _START.match(data, position)
    if tag is None:
        return None
    name, to, sender, type, id, lang, namespace, empty = tag.groups()
    if namespace not in _NAMESPACES:
        return None
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
        stanza = Stanza(
            _KINDS[name],
            None if to is None else parse_jid(to[1:-1].decode()),
            None if sender is None else parse_jid(sender[1:-1].decode()),
            "" if type is None else type[1:-1].decode(),
            None if id is None else id[1:-1].decode(),
            None if lang is None else lang[1:-1].decode(),
            frame,
            None,
            0,
            names,
        )
    except (expat.ExpatError, JIDMalformed):
        return None
    return stanza, end


def match_ack(
    data: bytes, position: int, limits: StreamLimits, bytes_max: int
) -> tuple[ElementReceived, int] | None:
    """Return the acknowledgement, or the request for one, that begins at `position`, after any blanks.

    Args:
        data: Bytes of a stream.
        position: Where to begin.
        limits: For attributes.
        bytes_max: How long the element may be.

    Returns:
        The element, and the offset behind it; None if what is there is something else or not plain.
    """
    tag = _ACK.match(data, position)
    if tag is None or limits.attributes_max < _ACK_ATTRIBUTES:
        return None
    end = tag.end()
    start = data.index(b"<", position)
    if end - start > bytes_max:
        return None
    frame = data[start:end]
    if tag.lastindex is None:
        return ElementReceived(STREAM_MANAGEMENT, "r", {}, "", frame), end
    return ElementReceived(STREAM_MANAGEMENT, "a", {"h": tag[tag.lastindex].decode()}, "", frame), end


def _is_plain(frame: bytes, limits: StreamLimits, bytes_max: int) -> bool:
    """Tell whether no limit can be passed, and there is no comment, CDATA section or instruction."""
    return (
        len(frame) <= bytes_max
        and frame.count(b"=") <= limits.attributes_max
        and frame.count(b"<") < 2 * limits.depth_max
        and _SPECIAL.search(frame) is None
    )
