"""Tests of `protocols.errors`."""

import pytest
from lxml import etree

from protocols.conditions import DEFAULT_TYPE, ErrorType, StanzaCondition, StreamCondition
from protocols.errors import JIDMalformed, RemoteProtocolError, StanzaError
from protocols.namespaces import STANZAS, XML


@pytest.mark.parametrize("condition", StanzaCondition)
def test_stanza_error_without_type_has_the_usual_one(condition: StanzaCondition) -> None:
    assert StanzaError(condition).type is DEFAULT_TYPE[condition]


def test_stanza_error_with_type_has_that_one() -> None:
    error = StanzaError(StanzaCondition.SERVICE_UNAVAILABLE, type=ErrorType.WAIT)

    assert error.to_bytes().startswith(b"<error type='wait' code='503'>")


@pytest.mark.parametrize("condition", StanzaCondition)
def test_stanza_error_as_bytes_names_the_condition_in_its_namespace(condition: StanzaCondition) -> None:
    element = etree.fromstring(StanzaError(condition).to_bytes())

    assert element.tag == "error"
    assert [child.tag for child in element] == [f"{{{STANZAS}}}{condition.value}"]
    assert set(element.attrib) == {"type", "code"}


def test_stanza_error_with_text_escapes_it_and_says_its_language() -> None:
    element = etree.fromstring(StanzaError(StanzaCondition.BAD_REQUEST, "a < b & ünïcode").to_bytes())

    text = element[1]
    assert text.tag == f"{{{STANZAS}}}text"
    assert text.text == "a < b & ünïcode"
    assert text.get(f"{{{XML}}}lang") == "en"


def test_errors_as_text_name_condition_and_reason() -> None:
    assert str(StanzaError(StanzaCondition.CONFLICT, "taken")) == "conflict: taken"
    assert str(StanzaError(StanzaCondition.CONFLICT)) == "conflict"
    assert str(RemoteProtocolError(StreamCondition.NOT_WELL_FORMED, "no")) == "not-well-formed: no"
    assert str(RemoteProtocolError(StreamCondition.NOT_WELL_FORMED)) == "not-well-formed"


def test_remote_protocol_error_keeps_condition_and_text() -> None:
    error = RemoteProtocolError(StreamCondition.HOST_UNKNOWN, "not served here")

    assert (error.condition, error.text) == (StreamCondition.HOST_UNKNOWN, "not served here")


def test_jid_malformed_is_a_value_error() -> None:
    assert issubclass(JIDMalformed, ValueError)
