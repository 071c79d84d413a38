"""Zero-knowledge log-in as Jabber 1.4 had it: a chain of hashes, each of which is shown once.

The server keeps the last hash of a chain and how long it is. A client hashes its password with a token once
less, and so shows what the kept hash was made of; that is what is kept from there on. Nobody who listens can
make the next one of it. Kept only for accounts that were made so (`trouper user add --keep-zero-knowledge`),
in the form of all keys. SCRAM has taken its place.
"""

import hashlib
import hmac
import re
from typing import Final, NamedTuple

from protocols.sasl.keys import ScramKeys

ZERO_KNOWLEDGE: Final = "zero knowledge"
"""In `ScramKeys.mechanism`; the salt is the token then, `iterations` the length of the chain that is left,
`stored_key` the hash at its end, as they are on the wire."""

# As Jabber 1.4: log-ins until the password has to be set again.
SEQUENCE: Final = 500
_TOKEN_BYTES: Final = 8
_HASH: Final = re.compile("[0-9a-fA-F]{40}")


class Link(NamedTuple):
    """What a client is told: how often to hash, with which token."""

    sequence: int
    token: str


def derive_chain(password: str, salt: bytes) -> ScramKeys:
    """Return the end of a new chain for a password.

    Args:
        password: As the user typed it.
        salt: Fresh random bytes.
    """
    token = salt[:_TOKEN_BYTES].hex().upper()
    return ScramKeys(ZERO_KNOWLEDGE, token.encode(), SEQUENCE, chain(password, token, SEQUENCE), b"")


def chain(password: str, token: str, length: int) -> bytes:
    """Return what a client of that password hashes to."""
    link = _hash(_hash(password.encode()) + token.encode())
    for _ in range(length):
        link = _hash(link)
    return link


def next_link(keys: ScramKeys) -> Link | None:
    """Return what to tell a client; None where the chain is used up."""
    return Link(keys.iterations - 1, keys.salt.decode()) if keys.iterations > 0 else None


def seeming_link(name: str, secret: bytes) -> Link | None:
    """Return what to tell of an account that does not exist: the same each time, and of some only."""
    digest = hmac.digest(secret, f"zero knowledge\0{name}".encode(), "sha256")
    if digest[0] & 1:
        return None
    return Link(1 + digest[1], digest[2 : 2 + _TOKEN_BYTES].hex().upper())


def shorten(keys: ScramKeys, link: str) -> ScramKeys | None:
    """Return what is to be kept once a client has shown this; None if it is not what was asked for."""
    if keys.iterations <= 0 or _HASH.fullmatch(link) is None:
        return None
    shown = link.lower().encode()
    if not hmac.compare_digest(_hash(shown), keys.stored_key):
        return None
    return ScramKeys(ZERO_KNOWLEDGE, keys.salt, keys.iterations - 1, shown, b"")


def _hash(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest().encode()
