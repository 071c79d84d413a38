"""The mechanisms that this server speaks, as a table. To add one, add its value here."""

from collections.abc import Callable
from typing import Final, NamedTuple

from protocols.sasl.exchange import Exchange
from protocols.sasl.keys import SCRAM_MECHANISMS, SCRAM_SHA_1, SCRAM_SHA_256
from protocols.sasl.plain import PlainExchange
from protocols.sasl.scram import ScramExchange


class Mechanism(NamedTuple):
    """One mechanism: its registered name, the keys it can work with, and how an attempt begins."""

    name: str
    keys: tuple[str, ...]  # of these the first that the account has
    begin: Callable[[str], Exchange]  # given our nonce


def _begin_scram_sha_256(nonce: str) -> ScramExchange:
    return ScramExchange(SCRAM_SHA_256, nonce)


def _begin_scram_sha_1(nonce: str) -> ScramExchange:
    return ScramExchange(SCRAM_SHA_1, nonce)


def _begin_plain(_nonce: str) -> PlainExchange:
    return PlainExchange()


# In the order in which they are offered: clients are to take the first that they know.
MECHANISMS: Final = (
    Mechanism(SCRAM_SHA_256, (SCRAM_SHA_256,), _begin_scram_sha_256),
    Mechanism(SCRAM_SHA_1, (SCRAM_SHA_1,), _begin_scram_sha_1),
    Mechanism("PLAIN", SCRAM_MECHANISMS, _begin_plain),
)
