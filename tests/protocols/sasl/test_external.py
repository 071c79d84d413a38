"""EXTERNAL: whom a certificate lets its client be (XEP-0178 §2, RFC 6120 §6.3.8)."""

import pytest

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.sasl.exchange import Circumstances, IdentityClaimed, SaslFailure
from protocols.sasl.external import ExternalExchange
from protocols.sasl.keys import SCRAM_SHA_256, decoy_keys

JULIET = "juliet@example.com"
ROMEO = "romeo@example.com"
ELSEWHERE = "juliet@example.net"


def exchange(*addresses: str) -> ExternalExchange:
    return ExternalExchange(Circumstances("example.com", "nonce", addresses=addresses))


@pytest.mark.parametrize(
    ("addresses", "authzid", "username"),
    [
        ([JULIET], "", "juliet"),
        ([JULIET], JULIET, "juliet"),
        ([JULIET], "Juliet@EXAMPLE.com", "juliet"),
        (["JULIET@example.com", JULIET], "", "juliet"),
        ([ELSEWHERE, JULIET, "example.com", f"{ROMEO}/orchard", "a b@example.com"], "", "juliet"),
        ([JULIET, ROMEO], ROMEO, "romeo"),
        (["юля@example.com"], "", "юля"),
    ],
    ids=["one", "one-said", "other-spelling", "twice", "others-are-no-accounts-here", "chosen", "non-ascii"],
)
def test_external_client_is_whom_its_certificate_names(
    addresses: list[str], authzid: str, username: str
) -> None:
    claimed = exchange(*addresses).respond(authzid.encode())
    assert claimed == IdentityClaimed(username, "")


@pytest.mark.parametrize(
    ("addresses", "authzid", "condition"),
    [
        ([], b"", SaslCondition.NOT_AUTHORIZED),
        ([], b"juliet@example.com", SaslCondition.NOT_AUTHORIZED),
        ([ELSEWHERE], b"", SaslCondition.NOT_AUTHORIZED),
        ([ELSEWHERE], b"juliet@example.com", SaslCondition.NOT_AUTHORIZED),
        ([JULIET, ROMEO], b"", SaslCondition.INVALID_AUTHZID),
        ([JULIET], b"romeo@example.com", SaslCondition.INVALID_AUTHZID),
        ([JULIET, ELSEWHERE], b"juliet@example.net", SaslCondition.INVALID_AUTHZID),
        ([JULIET], b"juliet@example.com/balcony", SaslCondition.INVALID_AUTHZID),
        ([JULIET], b"juliet", SaslCondition.INVALID_AUTHZID),
        ([JULIET], b"@", SaslCondition.INVALID_AUTHZID),
        ([JULIET], b"\xff", SaslCondition.INVALID_AUTHZID),
        ([JULIET], b"\0", SaslCondition.INVALID_AUTHZID),
    ],
)
def test_external_client_is_nobody_else(
    addresses: list[str], authzid: bytes, condition: SaslCondition
) -> None:
    with pytest.raises(SaslFailure) as caught:
        exchange(*addresses).respond(authzid)
    assert caught.value.condition is condition


def test_external_has_no_use_for_keys() -> None:
    with pytest.raises(LocalProtocolError):
        exchange(JULIET).resume(decoy_keys(SCRAM_SHA_256, "juliet", b"secret"))
