"""Properties of `protocols.stanza_match`: where it gives something, the general tier gives the same."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.stanza_match import match_ack, match_stanza
from protocols.stream_events import Event, StanzaReceived
from protocols.stream_limits import StreamLimits
from protocols.xml_frame import FrameScanner, check_beginning, event_of
from tests.protocols.xml_examples import (
    ACKNOWLEDGEMENTS,
    CONTEXT,
    ELEMENTS,
    PLAIN_STANZAS,
    SMALL_LIMITS,
    damaged,
    names,
)

LIMITS = st.sampled_from([StreamLimits(), SMALL_LIMITS])
# What may follow: nothing, more of the stream, or something that must not be blamed on the element.
TAILS = st.sampled_from(
    [b"", b" ", b"<message/>", b"</message>", b"</stream:stream>", b"<!-- -->", b"\xff", b"<"]
)


def by_general_tier(data: bytes, limits: StreamLimits) -> tuple[Event, int] | None:
    scanner = FrameScanner(CONTEXT, limits, limits.stanza_bytes_max)
    start = len(data) - len(data.lstrip(b" \t\r\n"))
    try:
        check_beginning(data[start : start + 2])
        end = scanner.feed(data, start)
        return None if end is None or scanner.frame is None else (event_of(scanner.frame, names()), end)
    except RemoteProtocolError:
        return None


@given(damaged(ELEMENTS | PLAIN_STANZAS), TAILS, LIMITS)
@settings(max_examples=400)
def test_match_stanza_agrees_with_the_general_tier(element: bytes, tail: bytes, limits: StreamLimits) -> None:
    """The fast tier never gives what the general tier refuses, nor anything that differs from it."""
    found = match_stanza(element + tail, 0, limits, limits.stanza_bytes_max, names())
    if found is not None:
        stanza, end = found
        assert by_general_tier(element + tail, limits) == (StanzaReceived(stanza), end)


@given(PLAIN_STANZAS, TAILS)
@settings(max_examples=100)
def test_match_stanza_takes_every_plain_stanza(element: bytes, tail: bytes) -> None:
    """What nearly all clients send is not left to the general tier."""
    limits = StreamLimits()
    found = match_stanza(element + tail, 0, limits, limits.stanza_bytes_max, names())
    assert found is not None
    assert found[0].data == element
    assert by_general_tier(element + tail, limits) == (StanzaReceived(found[0]), len(element))


TIGHT_LIMITS = st.builds(
    lambda size, attributes: replace(SMALL_LIMITS, stanza_bytes_max=size, attributes_max=attributes),
    st.integers(20, 60),
    st.integers(1, 3),
)


@given(damaged(ACKNOWLEDGEMENTS | ELEMENTS), TAILS, LIMITS | TIGHT_LIMITS)
@settings(max_examples=400)
def test_match_ack_agrees_with_the_general_tier(element: bytes, tail: bytes, limits: StreamLimits) -> None:
    """The fast tier never gives what the general tier refuses, nor anything that differs from it."""
    found = match_ack(element + tail, 0, limits, limits.stanza_bytes_max)
    if found is not None:
        assert by_general_tier(element + tail, limits) == found


@given(ACKNOWLEDGEMENTS, TAILS)
@settings(max_examples=100)
def test_match_ack_takes_every_plain_acknowledgement(element: bytes, tail: bytes) -> None:
    """What nearly all clients send is not left to the general tier."""
    limits = StreamLimits()
    found = match_ack(element + tail, 0, limits, limits.stanza_bytes_max)
    assert found is not None
    assert found[0].data == element.lstrip()
    assert by_general_tier(element + tail, limits) == found
