"""One stanza for many: whom its address header names, and what each of them gets (XEP-0033 §4, §6).

Used by the module of that name. The header of before that standard (`jabber:x:envelope`) was meant for people
to read; what is sent to a server with one is for those whom it names as well, and passes as it is.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from protocols import splice
from protocols.conditions import StanzaCondition
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import JID, parse_jid
from protocols.namespaces import ADDRESS, ENVELOPE
from protocols.stanza import Fanout, Stanza, readdressed, with_children_changed
from protocols.xml_element import Element

_ADDRESSES: Final = f"{{{ADDRESS}}}addresses"
_ADDRESS: Final = f"{{{ADDRESS}}}address"
_ENVELOPE: Final = f"{{{ENVELOPE}}}x"
_NAMED_IN_ENVELOPE: Final = frozenset({f"{{{ENVELOPE}}}to", f"{{{ENVELOPE}}}cc"})
_SHOWN: Final = frozenset({"to", "cc"})
_HIDDEN: Final = "bcc"


class Recipient(NamedTuple):
    """Somebody who is to get the stanza; `hidden_at` is which child of the header says so to him alone."""

    jid: JID
    hidden_at: int | None = None


def copies(stanza: Stanza, count_max: int, may_reach: Callable[[JID], bool]) -> list[Stanza] | None:
    """The stanza for each of its recipients, each of them once; None if it has no address header.

    Args:
        stanza: What came, stamped with its sender.
        count_max: How many recipients it may have.
        may_reach: Whether an address can be delivered to; if one cannot, none is (§6, step 5).

    Raises:
        StanzaError: The header is wrong, or has too many recipients, or one who cannot be reached.
    """
    assert stanza.sender is not None
    headers = stanza.element.findall(_ADDRESSES)
    if len(headers) > 1:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "there is one address header")
    envelope = None if headers else stanza.element.find(_ENVELOPE)
    if headers:
        named = _recipients(headers[0])
    elif envelope is not None:
        named = _named_in(envelope)
    else:
        return None
    recipients = _each_once(named)
    if not recipients:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "it is addressed to nobody")
    if len(recipients) > count_max:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"at most {count_max} addresses")
    if not all(may_reach(each.jid) for each in recipients):
        raise StanzaError(StanzaCondition.FORBIDDEN, "not all of these addresses are on this server")
    if not headers:
        shown = Fanout(stanza, stanza.sender)
        return [shown.to(each.jid) for each in recipients]
    return _written(stanza, recipients)


def _written(stanza: Stanza, recipients: Iterable[Recipient]) -> list[Stanza]:
    assert stanza.sender is not None
    sender = stanza.sender
    shown = Fanout(with_children_changed(stanza, _ADDRESSES, _as_delivered), sender)
    return [
        shown.to(each.jid) if each.hidden_at is None else _hidden(stanza, sender, each.jid, each.hidden_at)
        for each in recipients
    ]


def _hidden(stanza: Stanza, sender: JID, jid: JID, at: int) -> Stanza:
    """What somebody gets of whom the others are not to know: the header has his own address as well."""
    return readdressed(
        with_children_changed(
            stanza, _ADDRESSES, lambda header, data: _as_delivered(header, data, with_hidden=at)
        ),
        sender,
        jid,
    )


def _recipients(header: Element) -> Iterator[Recipient]:
    """Those to whom it has not been delivered yet (§4.5)."""
    for at, address in enumerate(header):
        if address.tag != _ADDRESS:
            continue
        type_, jid, uri = (address.get(key) for key in ("type", "jid", "uri"))
        if not type_ or (jid is not None and uri is not None):
            raise StanzaError(StanzaCondition.BAD_REQUEST, "an address has a type, and a jid or a uri")
        if (type_ not in _SHOWN and type_ != _HIDDEN) or _is_delivered(address):
            continue
        if uri is not None:
            raise StanzaError(StanzaCondition.JID_MALFORMED, "this server delivers to no uri")
        yield Recipient(_parsed(jid), at if type_ == _HIDDEN else None)


def _named_in(envelope: Iterable[Element]) -> Iterator[Recipient]:
    return (Recipient(_parsed(each.get("jid"))) for each in envelope if each.tag in _NAMED_IN_ENVELOPE)


def _parsed(jid: str | None) -> JID:
    if jid is None:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "an address of somebody who is to get it has a jid")
    try:
        return parse_jid(jid)
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.JID_MALFORMED, f"{jid!r} is no address") from error


def _each_once(recipients: Iterator[Recipient]) -> list[Recipient]:
    """Whoever is named openly as well is not hidden."""
    found: dict[JID, Recipient] = {}
    for each in recipients:
        if each.jid not in found or each.hidden_at is None:
            found[each.jid] = each
    return list(found.values())


def _is_delivered(address: Element) -> bool:
    return address.get("delivered") in {"true", "1"}


def _as_delivered(header: Element, data: bytes, with_hidden: int | None = None) -> bytes:
    """The header as its recipients see it: who got it, and none of the hidden but one (§4.5, §4.6.3)."""
    position, parts = 0, []
    for at, (address, (begin, end)) in enumerate(zip(header, splice.child_ends(data), strict=True)):
        parts.append(data[position:begin])
        position = end
        is_address, type_ = address.tag == _ADDRESS, address.get("type")
        if is_address and type_ == _HIDDEN and at != with_hidden:
            continue
        mark = is_address and type_ in _SHOWN and not _is_delivered(address)
        parts.append(_marked(data[begin:end]) if mark else data[begin:end])
    return b"".join((*parts, data[position:]))


def _marked(address: bytes) -> bytes:
    bare = splice.without_attribute(address, b"delivered")
    return splice.with_attributes(bare, splice.attribute("delivered", "true"))
