"""The mechanisms that this server speaks, as a table. To add one, add its value here."""

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from protocols.sasl.anonymous import AnonymousExchange
from protocols.sasl.digest_md5 import DigestMd5Exchange
from protocols.sasl.exchange import Circumstances, Exchange
from protocols.sasl.external import ExternalExchange
from protocols.sasl.keys import DIGEST_MD5, SCRAM_MECHANISMS, SCRAM_SHA_1, SCRAM_SHA_256
from protocols.sasl.plain import PlainExchange
from protocols.sasl.scram import END_POINT_TYPE, ScramExchange
from protocols.session_bits import SessionBits

# Between names, and between their lists: neither can be in XML.
_UNIT: Final = "\x1e"
_GROUP: Final = "\x1f"


class Mechanism(NamedTuple):
    """One mechanism: its registered name, when it can be had, and how an attempt begins.

    Attributes:
        name: As in the registry.
        keys: What it can work with; of these the first that the account has. None at all where the client
            has proved who it is before it says so: then all that counts is that there is such an account.
        begin: Makes the server's side of an attempt.
        needs: What the stream must have reached before it is on offer, besides leave to log in.
    """

    name: str
    keys: tuple[str, ...]
    begin: Callable[[Circumstances], Exchange]
    needs: SessionBits = SessionBits.NONE


def _begin_plain(_circumstances: Circumstances) -> PlainExchange:
    return PlainExchange()


def _begin_anonymous(_circumstances: Circumstances) -> AnonymousExchange:
    return AnonymousExchange()


def _scram(keys: str, *, is_bound: bool) -> Mechanism:
    def begin(circumstances: Circumstances) -> ScramExchange:
        return ScramExchange(keys, circumstances, is_bound=is_bound)

    if is_bound:
        return Mechanism(f"{keys}-PLUS", (keys,), begin, SessionBits.BINDABLE)
    return Mechanism(keys, (keys,), begin)


# In the order in which they are offered: clients are to take the first that they know.
MECHANISMS: Final = (
    Mechanism("EXTERNAL", (), ExternalExchange, SessionBits.CERTIFIED),
    _scram(SCRAM_SHA_256, is_bound=True),
    _scram(SCRAM_SHA_1, is_bound=True),
    _scram(SCRAM_SHA_256, is_bound=False),
    _scram(SCRAM_SHA_1, is_bound=False),
    Mechanism("PLAIN", SCRAM_MECHANISMS, _begin_plain),
    # Behind PLAIN: a client that takes it for an account which keeps no such keys fails.
    Mechanism(DIGEST_MD5, (DIGEST_MD5,), DigestMd5Exchange, SessionBits.DIGEST_MD5_ALLOWED),
    Mechanism("ANONYMOUS", (), _begin_anonymous, SessionBits.GUESTS_ALLOWED),
)


def offered_mechanisms(bits: SessionBits) -> list[Mechanism]:
    """Return those that a stream with these bits is offered, where it may log in at all."""
    return [mechanism for mechanism in MECHANISMS if mechanism.needs in bits]


@cache
def offer_of(bits: SessionBits) -> bytes:
    """Return what a stream with these bits is offered, as it is hashed (XEP-0474 §6.1)."""
    names = _UNIT.join(sorted(mechanism.name for mechanism in offered_mechanisms(bits)))
    return (names + _GROUP + END_POINT_TYPE if SessionBits.BINDABLE in bits else names).encode()
