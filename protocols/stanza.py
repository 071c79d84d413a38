"""A stanza: what routing needs to know of a message, presence or IQ, and the bytes it came in.

Used by everything above the stream. A stanza between two clients is never taken apart and put together
again: the server's changes are spliced into the sender's bytes, and what the server says itself is written
as text. RFC 6120 §8 (attributes, IQ semantics, errors); XEP-0203 (delay).
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol, final

from protocols import splice
from protocols.errors import StanzaError
from protocols.jid import JID
from protocols.namespaces import CLIENT, DELAY
from protocols.splice import attribute, new_attribute
from protocols.xml_element import Element, NameBudget, build_without_budget


class StanzaKind(Enum):
    """The three stanzas; the value is the element's name."""

    MESSAGE = "message"
    PRESENCE = "presence"
    IQ = "iq"


class PayloadName(NamedTuple):
    """The name of an element: what an IQ is dispatched on."""

    namespace: str
    name: str


class Receipt(Protocol):
    """What travels with a stanza whose sender is owed word that it was dealt with; only carried here."""

    @property
    def sm_id(self) -> str:
        """The session that received the stanza."""

    @property
    def number(self) -> int:
        """The stanza's number there."""

    is_logged: bool

    def hold(self) -> None:
        """One more has the stanza in hand."""

    def release(self) -> None:
        """One has dealt with it."""


@final
class Stanza:
    """A message, presence or IQ. A value: nobody changes one once it is made.

    Attributes:
        kind: Which of the three it is.
        to: The address it goes to, if it names one.
        sender: The address it comes from: its `from`, if it has one.
        type: Its `type`, '' if it has none.
        id: Its `id`, if it has one.
        lang: Its `xml:lang`, if it has one.
        data: The whole element as bytes, complete wherever the default namespace is `jabber:client`.
        payload: Of an IQ that was received, the name of its first child.
        children: Of an IQ that was received, how many children it has.
        receipt: What its sender is owed, where that is anything; shared by all that is made of the stanza.
    """

    __slots__ = (
        "_element",
        "_names",
        "children",
        "data",
        "id",
        "kind",
        "lang",
        "payload",
        "receipt",
        "sender",
        "to",
        "type",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - one for each field, and no record between: made per stanza
        self,
        kind: StanzaKind,
        to: JID | None,
        sender: JID | None,
        type: str,
        id: str | None,
        lang: str | None,
        data: bytes,
        payload: PayloadName | None = None,
        children: int = 0,
        names: NameBudget | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        self.kind = kind
        self.to = to
        self.sender = sender
        self.type = type
        self.id = id
        self.lang = lang
        self.data = data
        self.payload = payload
        self.children = children
        self.receipt = receipt
        self._names = names
        self._element: Element | None = None

    @property
    def element(self) -> Element:
        """The stanza as an element tree, built when first asked for; see `xml_element`."""
        if self._element is None:
            data = as_framed(self)
            self._element = build_without_budget(data) if self._names is None else self._names.build(data)
        return self._element

    @property
    def size(self) -> int:
        """The length in bytes, which is what bounds on stored and queued stanzas count."""
        return len(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stanza) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"Stanza({self.kind.value}, to={self.to}, sender={self.sender}, data={self.data!r})"

    def _fields(self) -> tuple[object, ...]:
        return (
            self.data, self.kind, self.to, self.sender, self.type, self.id, self.lang,
            self.payload, self.children,
        )  # fmt: skip


def stamped(stanza: Stanza, sender: JID, lang: str | None = None, receipt: Receipt | None = None) -> Stanza:
    """Return the stanza as the server passes it on: from its true sender, in a language that it says.

    RFC 6120 §8.1.2.1: whatever `from` the client wrote is replaced by the address it is bound to.
    RFC 6120 §8.1.5: the stream's language is added only where the stanza has none.

    Args:
        stanza: What the client sent.
        sender: The address that the client is bound to.
        lang: The language of the client's stream, if it has named one.
        receipt: What the client is owed for it.
    """
    data = stanza.data
    added = attribute("from", sender.full)
    if stanza.sender is not None:
        span = splice.find_attribute(data, b"from")
        assert span is not None, "what has a sender has a `from`"
        if span.value == added[len(" from='") : -1]:
            added = b""
        else:
            data = data[: span.start] + data[span.end :]
    if stanza.lang is None and lang:
        added += attribute("xml:lang", lang)
    else:
        lang = stanza.lang
    end = splice.name_end(data)
    data = data[:end] + added + data[end:]
    return Stanza(
        stanza.kind, stanza.to, sender, stanza.type, stanza.id, lang, data,
        stanza.payload, stanza.children, stanza._names, receipt,
    )  # fmt: skip


@final
class Fanout:
    """One stanza for many recipients: all work is done once, but for one join for each of them."""

    __slots__ = ("_head", "_sender", "_stanza", "_tail")

    def __init__(self, stanza: Stanza, sender: JID) -> None:
        """Cut the stanza open where `to` goes.

        Args:
            stanza: What is to be sent; its own `to` is dropped.
            sender: Whom it comes from; replaces the `from` that it has.
        """
        data = _without_addresses(stanza)
        end = splice.name_end(data)
        self._stanza = stanza
        self._sender = sender
        self._head = data[:end] + attribute("from", sender.full)
        self._tail = data[end:]

    def to(self, recipient: JID) -> Stanza:
        """Return the stanza for one recipient."""
        data = b"".join((self._head, attribute("to", recipient.full), self._tail))
        return _copy(self._stanza, data, recipient, self._sender, self._stanza.lang)


def readdressed(stanza: Stanza, sender: JID, to: JID) -> Stanza:
    """Return the stanza with both addresses replaced. For more than one recipient use `Fanout`."""
    return Fanout(stanza, sender).to(to)


def addressed(stanza: Stanza, to: JID) -> Stanza:
    """Return a stanza that came without `to` as one for this address; its bytes stay (RFC 6120 §10.3)."""
    return _copy(stanza, stanza.data, to, stanza.sender, stanza.lang)


def with_delay(stanza: Stanza, by: str, stamp: str) -> Stanza:
    """Return the stanza with a note of when it was first received (XEP-0203).

    Args:
        stanza: What is delivered late.
        by: The address of who held it.
        stamp: When it was received, as XEP-0082 writes it: `2002-09-10T23:08:25Z`.
    """
    child = b"<delay%b%b%b/>" % (
        attribute("xmlns", DELAY),
        attribute("from", by),
        new_attribute("stamp", stamp),
    )
    return with_data(stanza, splice.with_child(stanza.data, child))


def with_data(stanza: Stanza, data: bytes) -> Stanza:
    """Return the stanza with these bytes: the same but for what stands in its children."""
    return _copy(stanza, data, stanza.to, stanza.sender, stanza.lang)


def with_children_changed(stanza: Stanza, tag: str, change: Callable[[Element, bytes], bytes]) -> Stanza:
    """Return the stanza with its children of this name as `change` makes them, given each and its bytes."""
    data, position, parts = stanza.data, 0, []
    for child, (begin, end) in zip(stanza.element, splice.child_ends(data), strict=True):
        if child.tag == tag:
            parts += [data[position:begin], change(child, data[begin:end])]
            position = end
    return with_data(stanza, b"".join((*parts, data[position:])))


def as_framed(stanza: Stanza) -> bytes:
    """Return the stanza as a document of its own, its namespace declared (RFC 7395 §3.3.3)."""
    return splice.with_default_namespace(stanza.data, CLIENT)


def build_message(
    *,
    to: JID | None,
    sender: JID | None,
    type: str = "",
    id: str | None = None,
    lang: str | None = None,
    content: bytes = b"",
) -> Stanza:
    """Return a message of the server's own; `content` is what stands between its tags."""
    return _build(StanzaKind.MESSAGE, to, sender, type, id, lang, content)


def build_presence(
    *,
    to: JID | None,
    sender: JID | None,
    type: str = "",
    id: str | None = None,
    lang: str | None = None,
    content: bytes = b"",
) -> Stanza:
    """Return a presence of the server's own; `content` is what stands between its tags."""
    return _build(StanzaKind.PRESENCE, to, sender, type, id, lang, content)


def build_iq(
    *, to: JID | None, sender: JID | None, type: str, id: str | None, payload: bytes = b""
) -> Stanza:
    """Return an IQ of the server's own. It is written, not dispatched: its payload is not named."""
    return _build(StanzaKind.IQ, to, sender, type, id, None, payload)


def build_iq_result(request: Stanza, payload: bytes = b"") -> Stanza:
    """Return the answer to an IQ request: same id, addresses swapped."""
    return build_iq(to=request.sender, sender=request.to, type="result", id=request.id, payload=payload)


def build_error(request: Stanza, error: StanzaError) -> Stanza:
    """Return a stanza that tells the sender of `request` why it was not handled (RFC 6120 §8.3.1).

    The caller sees to it that errors and IQ results are never answered.
    """
    answer = _build(request.kind, request.sender, request.to, "error", request.id, None, error.to_bytes())
    answer.receipt = request.receipt
    return answer


def _build(
    kind: StanzaKind,
    to: JID | None,
    sender: JID | None,
    type: str,
    id: str | None,
    lang: str | None,
    content: bytes,
) -> Stanza:
    name = kind.value.encode()
    start = b"<%b%b%b%b%b%b" % (
        name,
        b"" if sender is None else attribute("from", sender.full),
        b"" if to is None else attribute("to", to.full),
        attribute("type", type) if type else b"",
        b"" if id is None else new_attribute("id", id),
        attribute("xml:lang", lang) if lang else b"",
    )
    data = b"%b>%b</%b>" % (start, content, name) if content else start + b"/>"
    return Stanza(kind, to, sender, type, id, lang, data)


def _without_addresses(stanza: Stanza) -> bytes:
    data = stanza.data
    if stanza.sender is not None:
        data = splice.without_attribute(data, b"from")
    if stanza.to is not None:
        data = splice.without_attribute(data, b"to")
    return data


def _copy(stanza: Stanza, data: bytes, to: JID | None, sender: JID | None, lang: str | None) -> Stanza:
    return Stanza(
        stanza.kind, to, sender, stanza.type, stanza.id, lang, data,
        stanza.payload, stanza.children, stanza._names, stanza.receipt,
    )  # fmt: skip
