"""ANONYMOUS, RFC 4505."""

import pytest

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.sasl.anonymous import TRACE_CHARACTERS_MAX, AnonymousExchange
from protocols.sasl.exchange import GuestWelcome, SaslFailure
from protocols.sasl.keys import SCRAM_SHA_256, decoy_keys


@pytest.mark.parametrize("trace", [b"", b"sirhc", b"chris@example.com", "ж".encode() * TRACE_CHARACTERS_MAX])
def test_anonymous_client_may_say_what_it_likes(trace: bytes) -> None:
    assert AnonymousExchange().respond(trace) == GuestWelcome()


@pytest.mark.parametrize("trace", [b"\xff", b"\0", b"x" * (TRACE_CHARACTERS_MAX + 1)])
def test_anonymous_trace_that_is_none_is_malformed(trace: bytes) -> None:
    with pytest.raises(SaslFailure) as caught:
        AnonymousExchange().respond(trace)
    assert caught.value.condition is SaslCondition.MALFORMED_REQUEST


def test_anonymous_has_no_use_for_keys() -> None:
    with pytest.raises(LocalProtocolError):
        AnonymousExchange().resume(decoy_keys(SCRAM_SHA_256, "juliet", b"secret"))
