"""SCRAM: whatever a client sends, it gets an answer or a failure, and no proof by luck."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.sasl.exchange import Circumstances, IdentityClaimed, SaslFailure
from protocols.sasl.keys import SCRAM_MECHANISMS, decoy_keys
from protocols.sasl.scram import ScramExchange

# Pieces that messages are made of, so that the search gets past the first comma.
PIECES = [
    *("n", "y", "p=tls-unique", "a=admin", "n=user", "n=юзер", "n=a=2Cb", "n=", "r=fyko", "r=fyko3rfc", "r="),
    *(
        "c=biws",
        "c=eSws",
        "c=",
        "p=AAAA",
        "p=" + "A" * 27 + "=",
        "p=" + "A" * 43 + "=",
        "p=",
        "m=x",
        "x=y",
        "",
    ),
]
pieced = st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: ",".join(pieces).encode())
messages = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(lambda text: text.encode()), pieced)


@settings(max_examples=200, deadline=None)
@given(mechanism=st.sampled_from(SCRAM_MECHANISMS), first=messages, last=messages)
def test_scram_arbitrary_messages_prove_nothing(mechanism: str, first: bytes, last: bytes) -> None:
    exchange = ScramExchange(mechanism, Circumstances("localhost", "3rfc"), is_bound=False)
    try:
        claimed = exchange.respond(first)
        assert isinstance(claimed, IdentityClaimed)
        exchange.resume(decoy_keys(mechanism, claimed.username, b"secret"))
        exchange.respond(last)
    except SaslFailure:
        return
    raise AssertionError("arbitrary messages were taken for a proof")
