"""How much of anything a peer's XML stream may hold: every cap on what is parsed, in one value.

Used by `xml_stream`, `websocket_stream` and `xml_frame`; the settings of the server fill it in. Passing a
limit closes the stream with `<policy-violation/>` (RFC 6120 §4.9.3.14) and a text that names the limit.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The caps of one stream.

    Attributes:
        header_bytes_max: XML declaration and stream header together; real ones have some 200 bytes.
        declarations_bytes_max: Namespace declarations in the stream header; they are copied into each
            stanza that uses them, so they bound how much longer a stanza can become on its way.
        stanza_bytes_max: One stanza of an authenticated peer; RFC 6120 §13.12 asks for 10,000 or more,
            and vCards with a picture need some 100 KB.
        stanza_bytes_before_auth_max: One element of a peer not yet authenticated; the largest needed are
            SASL responses and registration forms.
        depth_max: Elements within each other, the stanza counted; real stanzas stay under 15.
        attributes_max: Attributes and namespace declarations of one element; real ones stay under 20.
        names_max: Distinct names, of the whole process, that lxml may see besides those declared by
            modules; it never forgets one (see `xml_element`).
    """

    header_bytes_max: int = 8_192
    declarations_bytes_max: int = 1_024
    stanza_bytes_max: int = 262_144
    stanza_bytes_before_auth_max: int = 16_384
    depth_max: int = 64
    attributes_max: int = 64
    names_max: int = 20_000
