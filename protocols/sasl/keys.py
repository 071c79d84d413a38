"""The form in which passwords are kept: salted keys (RFC 5802 §3), never the password itself.

Used by the mechanisms, by the store (a user's document holds these values) and by whoever sets a
password. Deriving and verifying are CPU work of a millisecond or more: callers run them off the loop.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

from scramp import ScramException
from scramp.utils import saslprep

SCRAM_SHA_256: Final = "SCRAM-SHA-256"
SCRAM_SHA_1: Final = "SCRAM-SHA-1"
DIGEST_MD5: Final = "DIGEST-MD5"

# Strongest first: the order of preference wherever any of a user's keys will do.
SCRAM_MECHANISMS: Final = (SCRAM_SHA_256, SCRAM_SHA_1)

# The floor that RFC 5802 §5.1 and RFC 7677 §4 set, about 1.5 ms of CPU. The server pays it for every
# log-in with PLAIN and every client for its first one with SCRAM. The count is kept with the keys, so a
# higher one can be given at any time and holds for the passwords set from then on.
ITERATIONS: Final = 4096

# Enough that no two accounts ever share a salt; scramp accepts no less than 12.
SALT_BYTES: Final = 16

# What a name may have in a JID (RFC 7622 §3.3), for want of a bound in the RFCs: preparing a password
# takes 3 µs a character, and nobody types a longer one.
PASSWORD_BYTES_MAX: Final = 1023


class PasswordUnusable(ValueError):
    """A text cannot serve as a password: empty, too long, or not allowed by SASLprep (RFC 4013)."""


@final
@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What the server knows about one password for one mechanism.

    The keys are left out of `repr`, so that no log and no crash report carries them.
    """

    mechanism: str
    salt: bytes = field(repr=False)
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


def derive_keys(password: str, salt: bytes, iterations: int = ITERATIONS) -> tuple[ScramKeys, ...]:
    """Return the keys of a password for every mechanism, strongest first.

    Args:
        password: As the user typed it; SASLprep is applied here.
        salt: `SALT_BYTES` fresh random bytes. One salt serves all mechanisms, as their hashes differ.
        iterations: At least 4096, or clients will refuse to log in.

    Raises:
        PasswordUnusable: If the text cannot be a password.
    """
    prepared = _prepare(password)
    return tuple(_derive(mechanism, prepared, salt, iterations) for mechanism in SCRAM_MECHANISMS)


def verify_plain(password: str, keys: ScramKeys) -> bool:
    """Tell whether these keys were derived from this password."""
    try:
        prepared = _prepare(password)
    except PasswordUnusable:
        return False
    derived = _derive(keys.mechanism, prepared, keys.salt, keys.iterations)
    return hmac.compare_digest(derived.stored_key, keys.stored_key)


def decoy_keys(mechanism: str, name: str, secret: bytes) -> ScramKeys:
    """Return keys for an account that does not exist, so that nobody can find out that it does not.

    The salt depends on the name alone and stays the same as long as the secret does (RFC 5802 §7 and
    RFC 7677 §4 ask for a full exchange); the keys belong to no password.
    """

    def pseudo_random(purpose: str) -> bytes:
        label = f"{purpose}\0{mechanism}\0{name}".encode()
        return hmac.digest(secret, label, "sha512")

    size = hashlib.new(_HASH[mechanism]).digest_size
    return ScramKeys(
        mechanism,
        salt=pseudo_random("salt")[:SALT_BYTES],
        iterations=ITERATIONS,
        stored_key=pseudo_random("stored key")[:size],
        server_key=pseudo_random("server key")[:size],
    )


def find_keys(keys: Sequence[ScramKeys], mechanisms: Sequence[str]) -> ScramKeys | None:
    """Return the keys for the first of `mechanisms` that there are any for."""
    for mechanism in mechanisms:
        for candidate in keys:
            if candidate.mechanism == mechanism:
                return candidate
    return None


_HASH: Final = {SCRAM_SHA_256: "sha256", SCRAM_SHA_1: "sha1", DIGEST_MD5: "md5"}


def _prepare(password: str) -> bytes:
    if not password:
        raise PasswordUnusable("a password must not be empty")
    if len(password.encode("utf-8", "surrogatepass")) > PASSWORD_BYTES_MAX:
        raise PasswordUnusable(f"a password must not be longer than {PASSWORD_BYTES_MAX} bytes")
    try:
        prepared: str = saslprep(password)
    except ScramException as error:
        raise PasswordUnusable(f"a password must not contain this: {error.args[0]}") from error
    if not prepared:
        raise PasswordUnusable("a password must not consist of invisible characters alone")
    return prepared.encode()


def _derive(mechanism: str, prepared: bytes, salt: bytes, iterations: int) -> ScramKeys:
    digest = _HASH[mechanism]
    salted = hashlib.pbkdf2_hmac(digest, prepared, salt, iterations)
    stored_key = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()
    return ScramKeys(mechanism, salt, iterations, stored_key, hmac.digest(salted, b"Server Key", digest))
