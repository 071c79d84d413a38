"""A password kept as it is, for the log-ins of old that need it: nothing else can check their digests.

Kept only for accounts that were made so (`trouper user add --keep-password`, `registration.keep_password`),
beside the salted keys and in the same form, so that stores need not know. Whoever can read the database can
log in as such an account, here and wherever else it uses that password. XEP-0078 §3.1.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from protocols.sasl.keys import ScramKeys, find_keys

KEPT_PASSWORD: Final = "kept password"  # noqa: S105 - a kind of keys
"""In `ScramKeys.mechanism`; `stored_key` is the password then, in UTF-8, as it was typed."""


def keep_password(password: str) -> ScramKeys:
    """Return the password as it is kept."""
    return ScramKeys(KEPT_PASSWORD, salt=b"", iterations=0, stored_key=password.encode(), server_key=b"")


def is_digest_of(digest: str, stream_id: str, keys: Sequence[ScramKeys]) -> bool:
    """Tell whether this is the SHA-1 of stream id and kept password, in hexadecimal digits of either case."""
    kept = find_keys(keys, (KEPT_PASSWORD,))
    password = b"" if kept is None else kept.stored_key
    expected = hashlib.sha1(stream_id.encode() + password, usedforsecurity=False).hexdigest()
    return hmac.compare_digest(expected.encode(), digest.lower().encode()) and kept is not None


def seems_kept(name: str, secret: bytes) -> bool:
    """Tell what to say of an account that does not exist: so that what is said of one gives nothing away."""
    return bool(hmac.digest(secret, f"kept\0{name}".encode(), "sha256")[0] & 1)
