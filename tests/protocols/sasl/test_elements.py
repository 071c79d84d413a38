"""SASL elements and their base64."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.conditions import SaslCondition
from protocols.sasl.elements import MESSAGE_BYTES_MAX, challenge, decode_message, failure, success
from protocols.sasl.exchange import SaslFailure


def test_decode_message_equals_sign_is_nothing() -> None:
    assert decode_message("=") == b""


def test_decode_message_without_text_is_nothing() -> None:
    assert decode_message("") == b""


@given(st.binary(max_size=100))
def test_decode_message_undoes_base64(data: bytes) -> None:
    assert decode_message(b64encode(data).decode()) == data


@pytest.mark.parametrize(
    "text", ["A", "AA", "AAA", "AA=A", "====", "AAAA AAAA", "AA==AA==", "A_-A", "é", "AAAA\n"]
)
def test_decode_message_not_base64_is_incorrect_encoding(text: str) -> None:
    with pytest.raises(SaslFailure) as caught:
        decode_message(text)
    assert caught.value.condition is SaslCondition.INCORRECT_ENCODING


def test_decode_message_too_long_is_malformed() -> None:
    assert len(decode_message(b64encode(bytes(MESSAGE_BYTES_MAX)).decode())) == MESSAGE_BYTES_MAX
    with pytest.raises(SaslFailure) as caught:
        decode_message(b64encode(bytes(MESSAGE_BYTES_MAX + 3)).decode())
    assert caught.value.condition is SaslCondition.MALFORMED_REQUEST


def test_elements_carry_base64_and_their_namespace() -> None:
    assert challenge(b"r=1") == b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj0x</challenge>"
    assert challenge(b"") == b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
    assert success(b"v=1") == b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj0x</success>"
    assert success(b"") == b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"


def test_failure_names_the_condition_and_explains() -> None:
    assert failure(SaslCondition.ABORTED) == (
        b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>"
    )
    assert failure(SaslCondition.NOT_AUTHORIZED, "a < b") == (
        b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>"
        b"<text xml:lang='en'>a &lt; b</text></failure>"
    )
