"""The mechanisms that this server speaks, as a table. To add one, add its value here."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from protocols.sasl.exchange import Exchange
from protocols.sasl.keys import SCRAM_MECHANISMS, SCRAM_SHA_1, SCRAM_SHA_256
from protocols.sasl.plain import PlainExchange
from protocols.sasl.scram import ScramExchange


class Mechanism(NamedTuple):
    """One mechanism: its registered name, the keys it can work with, and how an attempt begins."""

    name: str
    keys: tuple[str, ...]  # of these the first that the account has
    begin: Callable[[str, bytes | None], Exchange]  # given our nonce, and the end point if there is TLS
    is_bound: bool = False  # whether it binds the log-in to the TLS that is in force


def _begin_plain(_nonce: str, _end_point: bytes | None) -> PlainExchange:
    return PlainExchange()


def _scram(keys: str, *, is_bound: bool) -> Mechanism:
    name = f"{keys}-PLUS" if is_bound else keys
    return Mechanism(name, (keys,), partial(ScramExchange, keys, is_bound), is_bound)


# In the order in which they are offered: clients are to take the first that they know.
MECHANISMS: Final = (
    _scram(SCRAM_SHA_256, is_bound=True),
    _scram(SCRAM_SHA_1, is_bound=True),
    _scram(SCRAM_SHA_256, is_bound=False),
    _scram(SCRAM_SHA_1, is_bound=False),
    Mechanism("PLAIN", SCRAM_MECHANISMS, _begin_plain),
)
