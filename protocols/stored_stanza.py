"""A stanza made again from the bytes in which it was kept.

Used where messages and subscription requests come back from the store (XEP-0160; RFC 6121 §3.1.3). The bytes
were checked when they came from their sender, so only the start tag is read again; bytes that no stream has
checked have no business here, and fail in whatever way they do.
"""

from xml.parsers import expat

from protocols import splice
from protocols.jid import JID, parse_jid
from protocols.namespaces import CLIENT
from protocols.stanza import Stanza, StanzaKind
from protocols.xml_element import NameBudget
from protocols.xml_faults import SEPARATOR
from protocols.xml_frame import LANG


def read_stored(data: bytes, names: NameBudget | None = None) -> Stanza:
    """Return the stanza that was kept as `data`; of an IQ, which is only delivered, no payload is named."""
    tags: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate("utf-8", SEPARATOR)
    parser.StartElementHandler = lambda name, attributes: tags.append((name, attributes))
    parser.Parse(data[: splice.tag_end(data)], False)
    name, attributes = tags[0]
    kind = StanzaKind(name.removeprefix(CLIENT + SEPARATOR))
    attribute = attributes.get
    return Stanza(
        kind,
        _address(attribute("to")),
        _address(attribute("from")),
        attribute("type", ""),
        attribute("id"),
        attribute(LANG),
        data,
        names=names,
    )


def _address(text: str | None) -> JID | None:
    return None if text is None else parse_jid(text)
