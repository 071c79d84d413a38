"""Tests of `protocols.stored_stanza`."""

from hypothesis import given, settings

from protocols.jid import parse_jid
from protocols.stanza import StanzaKind, as_framed, stamped, with_delay
from protocols.stored_stanza import read_stored
from protocols.stream_events import StanzaReceived
from tests.protocols.xml_examples import ELEMENTS, IQ, MESSAGE, PLAIN_STANZAS, names, opened

ROMEO = parse_jid("romeo@example.net/orchard")


@given(ELEMENTS | PLAIN_STANZAS)
@settings(max_examples=100)
def test_read_stored_gives_back_what_was_kept(element: bytes) -> None:
    """Whatever a stream lets through, stamped as it is before it is kept, comes back the same."""
    for event in opened().receive_data(element):
        if isinstance(event, StanzaReceived) and event.stanza.kind is not StanzaKind.IQ:
            kept = stamped(event.stanza, ROMEO, "de")
            assert read_stored(kept.data, names()) == kept


def test_read_stored_can_be_delivered_late() -> None:
    stanza = with_delay(read_stored(MESSAGE, names()), "example.com", "2002-09-10T23:08:25Z")
    assert stanza.element.find("{urn:xmpp:delay}delay") is not None


def test_read_stored_takes_the_form_that_websockets_send() -> None:
    stanza = read_stored(MESSAGE, names())
    framed = read_stored(as_framed(stanza), names())
    assert (framed.kind, framed.to, framed.id) == (stanza.kind, stanza.to, stanza.id)


def test_read_stored_takes_a_tag_of_any_length() -> None:
    """Stamping may have made it longer than a stream would let in."""
    data = b"<message x='" + b"x" * 100_000 + b"'/>"
    assert read_stored(data, names()).data == data


def test_read_stored_of_an_iq_names_no_payload_since_it_is_only_delivered() -> None:
    stanza = read_stored(IQ, names())
    assert (stanza.kind, stanza.data, stanza.payload) == (StanzaKind.IQ, IQ, None)
