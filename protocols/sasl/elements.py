"""SASL on the wire: the elements of RFC 6120 §6.4 as bytes, and the base64 inside them."""

from base64 import b64decode, b64encode
from typing import Final

from protocols.conditions import SaslCondition
from protocols.namespaces import SASL
from protocols.sasl.exchange import SaslFailure
from protocols.xml_text import escape_text

# A name and a password of 1,023 bytes each fit. What is longer is no log-in, and preparing text costs
# 3 µs a character, before anybody is authenticated.
MESSAGE_BYTES_MAX: Final = 2_048

# Four characters of base64 for three bytes, rounded up.
_TEXT_CHARACTERS_MAX: Final = (MESSAGE_BYTES_MAX + 2) // 3 * 4


def decode_message(text: str) -> bytes:
    """Return what the text of `<auth/>` or `<response/>` stands for; "=" is how nothing is written.

    Raises:
        SaslFailure: If it is not base64, or too long.
    """
    if text == "=":
        return b""
    if len(text) > _TEXT_CHARACTERS_MAX:
        raise SaslFailure(SaslCondition.MALFORMED_REQUEST, f"more than {MESSAGE_BYTES_MAX} bytes")
    try:
        return b64decode(text, validate=True)
    except ValueError as error:  # a wrong character, a wrong length, or not even ASCII
        raise SaslFailure(SaslCondition.INCORRECT_ENCODING) from error


def challenge(data: bytes) -> bytes:
    """Return `<challenge/>`."""
    return _element("challenge", data)


def success(data: bytes) -> bytes:
    """Return `<success/>` with what the mechanism has to say at the end."""
    return _element("success", data)


def failure(condition: SaslCondition, text: str = "") -> bytes:
    """Return `<failure/>`, with a text for people if there is one."""
    explanation = f"<text xml:lang='en'>{escape_text(text)}</text>" if text else ""
    return f"<failure xmlns='{SASL}'><{condition.value}/>{explanation}</failure>".encode()


def _element(name: str, data: bytes) -> bytes:
    if not data:
        return f"<{name} xmlns='{SASL}'/>".encode()
    return f"<{name} xmlns='{SASL}'>{b64encode(data).decode()}</{name}>".encode()
