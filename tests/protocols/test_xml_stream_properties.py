"""Properties of `protocols.xml_stream`: what is said does not depend on how the bytes are cut."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.stream_events import StreamClosed, StreamFailed
from protocols.stream_limits import StreamLimits
from protocols.xml_stream import XMLStream
from tests.protocols.xml_examples import HEADER, SMALL_LIMITS, STREAMS, cut, damaged, drive, events_of, names

LIMITS = st.sampled_from([StreamLimits(), SMALL_LIMITS])
ANYTHING = st.binary(max_size=60)
BYTES = st.one_of(damaged(STREAMS), damaged(STREAMS), ANYTHING, ANYTHING.map(lambda data: HEADER + data))


@given(st.data(), BYTES, LIMITS)
@settings(max_examples=400)
def test_receive_data_however_cut_gives_the_same_events(
    data: st.DataObject, stream: bytes, limits: StreamLimits
) -> None:
    whole = events_of(stream, limits=limits)
    assert events_of(*data.draw(cut(stream)), limits=limits) == whole


@given(BYTES)
@settings(max_examples=100)
def test_receive_data_after_the_end_gives_nothing(stream: bytes) -> None:
    """A stream that is over says so once, as the last thing."""
    driven = XMLStream(StreamLimits(), names())
    events = drive(driven, stream)
    assert not any(isinstance(event, StreamClosed | StreamFailed) for event in events[:-1])
    if events and isinstance(events[-1], StreamClosed | StreamFailed):
        assert driven.receive_data(HEADER) == []
        assert driven.pending == b""


@given(st.data(), STREAMS.map(lambda stream: stream.removeprefix(HEADER)))
@settings(max_examples=200)
def test_pending_carries_the_stream_into_another_incarnation(data: st.DataObject, stream: bytes) -> None:
    """Whenever a connection dies, the next one goes on as if nothing had been."""
    whole = events_of(HEADER + stream)
    first = XMLStream(StreamLimits(), names())
    events = drive(first, HEADER)
    place = data.draw(st.integers(0, len(stream)))
    events += drive(first, stream[:place])
    if events and isinstance(events[-1], StreamClosed | StreamFailed):
        assert events == whole
    else:
        second = XMLStream(StreamLimits(), names(), first.header)
        assert events + drive(second, first.pending, stream[place:]) == whole
