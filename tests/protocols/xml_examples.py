"""Streams and stanzas for tests: fixed ones, generated ones, and ways to damage and to cut them."""

from typing import Final

from hypothesis import strategies as st

from protocols.namespaces import CLIENT, STREAM
from protocols.stream_events import Event, StanzaReceived, StreamHeader
from protocols.stream_limits import StreamLimits
from protocols.xml_element import NameBudget
from protocols.xml_stream import XMLStream

HEADER: Final = (
    b"<?xml version='1.0'?><stream:stream to='example.com' version='1.0' xml:lang='en' "
    b"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
OPEN: Final = b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.com' version='1.0'/>"
MESSAGE: Final = (
    b"<message to='juliet@example.com/balcony' type='chat' id='ktx72v49' xml:lang='en'>"
    b"<body>Art thou not Romeo, and a Montague?</body></message>"
)
PRESENCE: Final = b"<presence><show>away</show></presence>"
IQ: Final = b"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"
CLOSE: Final = b"</stream:stream>"

# Small, so that generated streams come to their limits.
SMALL_LIMITS: Final = StreamLimits(
    header_bytes_max=260,
    declarations_bytes_max=100,
    stanza_bytes_max=200,
    stanza_bytes_before_auth_max=200,
    depth_max=4,
    attributes_max=6,
)

# The header of a stream as most clients open it, for those who need no stream around an element.
CONTEXT: Final = StreamHeader(
    None, None, "1.0", "en", CLIENT, {"": CLIENT, "stream": STREAM}, "stream:stream"
)


def names() -> NameBudget:
    """Return a budget that no test comes to the end of."""
    return NameBudget(frozenset(), 100_000)


def events_of(*pieces: bytes, limits: StreamLimits | None = None) -> list[Event]:
    """Return what a stream says that comes in these pieces."""
    return drive(XMLStream(limits or StreamLimits(), names()), *pieces)


def drive(stream: XMLStream, *pieces: bytes) -> list[Event]:
    """Return what else a stream says, going on past what is held back."""
    events: list[Event] = []
    for piece in pieces:
        events += stream.receive_data(piece)
        while stream.is_held:
            events += stream.receive_data(b"")
    return events


def opened(limits: StreamLimits | None = None) -> XMLStream:
    """Return a stream that is open and authenticated."""
    stream = XMLStream(limits or StreamLimits(), names())
    stream.receive_data(HEADER)
    stream.authenticated()
    return stream


def stanza_data(event: Event) -> bytes:
    """Return the bytes of the stanza that has come."""
    assert isinstance(event, StanzaReceived), event
    return event.stanza.data


# --- Generated XML: mostly sound, often unusual --------------------------------------------------------

_BLANK = st.sampled_from([b" ", b" ", b" ", b"\n", b"\t", b"  ", b" \r\n"])
_NO_BLANK = st.sampled_from([b"", b"", b"", b"", b" ", b"\n"])
_ADDRESSES = [b"a@b.c/d", b"b.c", b"a@b.c", b"@x", b"", b"A@B.c", b"r\xc3\xb6@b.c/\xe2\x98\xba"]
_VALUES = st.sampled_from(
    [
        *_ADDRESSES,
        b"chat",
        b"x1",
        b"en",
        b"&lt;",
        b"&#65;",
        b"&apos;",
        b"a\nb",
        b"\xff",
        b"&x;",
        b"/>",
        b">",
        b"=",
    ]
)
_ATTRIBUTES = st.sampled_from(
    [
        b"to", b"to", b"from", b"type", b"id", b"xml:lang", b"x", b"p:x", b"stream:x", b"d-1", b"\xc3\xa9",
    ]
)  # fmt: skip
_DECLARATIONS = st.sampled_from(
    [
        b"xmlns='jabber:client'",
        b'xmlns="jabber:client"',
        b"xmlns='u:x'",
        b"xmlns=''",
        b"xmlns:p='u:p'",
        b"xmlns:q=''",
    ]
)


@st.composite
def _attribute(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 4)) == 0:
        return draw(_BLANK) + draw(_DECLARATIONS)
    quote = draw(st.sampled_from([b"'", b'"']))
    equals = draw(st.sampled_from([b"=", b"=", b"=", b" = "]))
    return draw(_BLANK) + draw(_ATTRIBUTES) + equals + quote + draw(_VALUES) + quote


_TEXTS = st.sampled_from(
    [
        b"", b"hello", b"\xe2\x98\xba", b"a > b", b"&amp;&#x41;", b"  ", b"]]", b"?!",
        b"<![CDATA[</message>]]>",
        b"<!-- c -->", b"<?pi x?>", b"&nope;", b"\xc3", b"\x01", b"<!DOCTYPE x>", b"<![CDATA[<x a='>]]>",
    ]
)  # fmt: skip
_CHILDREN = st.sampled_from([b"body", b"x", b"p:x", b"message", b"stream:x", b"stream:stream", b"\xc3\xa9"])
_ROOTS = st.sampled_from(
    [b"message", b"message", b"presence", b"iq", b"stream:message", b"auth", b"p:message"]
)


@st.composite
def _element(draw: st.DrawFn, names: st.SearchStrategy[bytes], depth: int) -> bytes:
    name = draw(names)
    start = b"<" + name + b"".join(draw(st.lists(_attribute(), max_size=4))) + draw(_NO_BLANK)
    if draw(st.integers(0, 3)) == 0:
        return start + b"/>"
    content = draw(_TEXTS if draw(st.booleans()) else st.just(b"text"))
    for _ in range(draw(st.integers(0, 2)) if depth else 0):
        content += draw(_element(_CHILDREN, depth - 1)) + draw(_NO_BLANK)
    return start + b">" + content + b"</" + name + draw(_NO_BLANK) + b">"


ELEMENTS: Final = _element(_ROOTS, 3)

_PLAIN_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="<&\ufffe\uffff"),
    max_size=20,
)
_PLAIN_IDS = st.text("abcXYZ0123-", min_size=1, max_size=8)


@st.composite
def _plain_stanza(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from(["message", "presence"]))
    attributes = draw(
        st.permutations(
            [" to='a@b.c/d'", ' from="c@d"', " type='chat'", f" id='{draw(_PLAIN_IDS)}'", " xml:lang='de'"]
        )
    )
    start = name + "".join(attributes[: draw(st.integers(0, 5))])
    if draw(st.booleans()):
        return f"<{start}/>".encode()
    body = draw(_PLAIN_TEXTS).replace("]]>", "")
    return f"<{start}><body>{body}</body><x xmlns='u:x' a='&quot;'/></{name}>".encode()


PLAIN_STANZAS: Final = _plain_stanza()


@st.composite
def _acknowledgement(draw: st.DrawFn) -> bytes:
    quote = st.sampled_from([b"'", b'"'])
    attributes = [b"xmlns=%burn:xmpp:sm:3%b" % ((draw(quote),) * 2)]
    name = draw(st.sampled_from([b"r", b"a"]))
    if name == b"a":
        attributes.append(b"h=%b%d%b" % (q := draw(quote), draw(st.integers(0, 2**32 - 1)), q))
    inside = b"".join(draw(_BLANK) + attribute for attribute in draw(st.permutations(attributes)))
    return draw(_NO_BLANK) + b"<" + name + inside + draw(_NO_BLANK) + b"/>"


# Of stream management (XEP-0198), as clients write them.
ACKNOWLEDGEMENTS: Final = _acknowledgement()

_OPENINGS = st.sampled_from(
    [
        HEADER,
        HEADER,
        HEADER.replace(b"stream:", b"")
        .replace(b"xmlns='jabber:client' ", b"")
        .replace(b"xmlns:stream", b"xmlns"),
        HEADER.replace(b"xmlns:stream", b"xmlns:p='u:long' xmlns:stream"),
        b" \n" + HEADER,
        HEADER.replace(b"jabber:client", b"jabber:server"),
        HEADER.replace(b">", b"/>"),
        b"",
        b"<!DOCTYPE x>" + HEADER,
        HEADER.replace(b"?>", b"?><!DOCTYPE x [<!ENTITY a 'b'>]>"),
        b"<?pi?>" + HEADER,
    ]
)
_BETWEEN = st.sampled_from(
    [b"", b"", b"", b" ", b"\n", b"text", b"<!-- -->", b"</stream:stream>", b"</stream", b"<\0a"]
)


@st.composite
def _stream(draw: st.DrawFn) -> bytes:
    elements = draw(st.lists(ELEMENTS | PLAIN_STANZAS | ACKNOWLEDGEMENTS, max_size=4))
    parts = [draw(_OPENINGS)]
    for element in elements:
        parts += [draw(_BETWEEN), element]
    return b"".join([*parts, draw(_BETWEEN), CLOSE])


STREAMS: Final = _stream()

_DAMAGE = st.sampled_from(
    [b"", b"<", b">", b"'", b'"', b"&", b"\xff", b"/", b"=", b"\0", b"\xe2\x98", b" ", b"<!", b"x"]
)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw bytes and put something else in place of a few of them, up to three times."""
    data = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        data = data[:start] + draw(_DAMAGE) + data[start + draw(st.integers(0, 2)) :]
    return data


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Draw a way to cut bytes into pieces."""
    if draw(st.integers(0, 3)) == 0:
        return [data[i : i + 1] for i in range(len(data))]
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
