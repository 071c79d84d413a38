"""What a peer's XML stream says, as values: the events that both kinds of stream hand out.

Made by `xml_stream` (TCP, RFC 6120 §4) and `websocket_stream` (RFC 7395), read by the negotiation and by
the connection, which need not know which of the two it was.
"""

from collections.abc import Mapping
from typing import NamedTuple

from protocols.conditions import StanzaCondition, StreamCondition
from protocols.jid import JID
from protocols.stanza import Stanza


class StreamHeader(NamedTuple):
    """The opening of a stream (RFC 6120 §4.7).

    Attributes:
        to: The domain that the peer wants to reach.
        sender: Who the peer says it is, where it says so.
        version: As sent; None from a client older than RFC 3920.
        lang: The language of all text on the stream that names none.
        content_namespace: The namespace of stanzas: `jabber:client`, whether it is declared as the default
            or every stanza declares it for itself (RFC 6120 §4.8.2).
        declarations: Prefix to namespace for every declaration in the header; '' is the default one.
        tag: The name as sent, prefix included, which the closing tag must repeat; '' over WebSocket.
    """

    to: JID | None
    sender: JID | None
    version: str | None
    lang: str | None
    content_namespace: str
    declarations: Mapping[str, str]
    tag: str


class StreamOpened(NamedTuple):
    """The stream header has come: the first event of a stream and of each restart."""

    header: StreamHeader


class StanzaReceived(NamedTuple):
    """A message, presence or IQ."""

    stanza: Stanza


class StanzaRefused(NamedTuple):
    """A stanza whose `to` is no address: it is to be answered with this error, the stream goes on.

    Attributes:
        stanza: The stanza, with `to` None.
        condition: What to answer, if it may be answered at all.
        text: What is wrong, for the peer's developer.
    """

    stanza: Stanza
    condition: StanzaCondition
    text: str


class ElementReceived(NamedTuple):
    """Any other element at the top level of the stream: STARTTLS, SASL, stream management ...

    Attributes:
        namespace: Its namespace, '' for none.
        name: Its local name.
        attributes: Name to value; a name in a namespace is written `{namespace}name`.
        text: The character data directly in it.
        data: The element as it came, standing alone.
    """

    namespace: str
    name: str
    attributes: Mapping[str, str]
    text: str
    data: bytes


class StreamClosed(NamedTuple):
    """The peer has closed its stream in good order; nothing follows."""


class StreamFailed(NamedTuple):
    """The peer has broken the stream and is to be told so; nothing follows.

    Attributes:
        condition: The stream error to answer with (RFC 6120 §4.9.3).
        text: What is wrong, in a sentence for the peer's developer.
    """

    condition: StreamCondition
    text: str


Event = StreamOpened | StanzaReceived | StanzaRefused | ElementReceived | StreamClosed | StreamFailed
