"""Tests of `protocols.stream_limits`: each limit lies exactly where it says, and is a policy violation."""

from dataclasses import fields, replace

import pytest

from protocols.conditions import StreamCondition
from protocols.namespaces import CLIENT, STREAM
from protocols.stream_events import Event, StreamFailed
from protocols.stream_limits import StreamLimits
from protocols.xml_stream import XMLStream
from tests.protocols.xml_examples import HEADER, drive, names

STANZA = b"<message><body>x</body></message>"
# For each limit a value, and bytes that come exactly up to it.
LARGEST = {
    "header_bytes_max": (len(HEADER), HEADER),
    "declarations_bytes_max": (len("stream" + CLIENT + STREAM), HEADER),
    "stanza_bytes_max": (len(STANZA), HEADER + STANZA),
    "stanza_bytes_before_auth_max": (len(STANZA), HEADER + STANZA),
    "depth_max": (3, HEADER + b"<message><a><b/></a></message>"),
    "attributes_max": (6, HEADER + b"<message a='' b='' c='' d='' e='' xmlns:f='f'/>"),
}


def driven(limits: StreamLimits, data: bytes, *, is_authenticated: bool) -> list[Event]:
    stream = XMLStream(limits, names())
    if is_authenticated:
        stream.authenticated()
    return drive(stream, data)


@pytest.mark.parametrize("limit", LARGEST)
def test_limit_lies_where_it_says(limit: str) -> None:
    value, data = LARGEST[limit]
    is_authenticated = limit != "stanza_bytes_before_auth_max"
    allowed = driven(replace(StreamLimits(), **{limit: value}), data, is_authenticated=is_authenticated)
    assert not any(isinstance(event, StreamFailed) for event in allowed)
    refused = driven(replace(StreamLimits(), **{limit: value - 1}), data, is_authenticated=is_authenticated)
    assert isinstance(refused[-1], StreamFailed)
    assert refused[-1].condition is StreamCondition.POLICY_VIOLATION
    assert refused[-1].text


def test_limits_are_all_tested() -> None:
    """The budget of names is not one stream's; see `test_xml_element`."""
    assert {field.name for field in fields(StreamLimits)} == {*LARGEST, "names_max"}
