"""Keys that must come back with a form: who fills it in has asked for it (XEP-0077 and XEP-0055, `<key/>`).

Nothing is remembered of them: a key is proof of itself, for whom it was made and within its time.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_MS: Final = 600_000
"""For how long a key is good at least: longer than it takes to fill in a form. At most it is twice that."""
_DIGITS: Final = 40


@final
class FormKeys:
    """One per server.

    Args:
        secret: Known to nobody else.
        now_ms: Tells the time, in milliseconds since 1970.
    """

    def __init__(self, secret: bytes, now_ms: Callable[[], int]) -> None:
        self._secret = secret
        self._now_ms = now_ms

    def new_key(self, form: str, asker: str) -> str:
        """A key for whoever has asked for this form, who is known by an address."""
        return self._key(form, asker, self._now_ms() // KEY_MS)

    def is_good(self, key: str, form: str, asker: str) -> bool:
        """Whether the key was made for this form and asker, and not too long ago."""
        period = self._now_ms() // KEY_MS
        valid = (self._key(form, asker, each).encode() for each in (period, period - 1))
        return any(hmac.compare_digest(key.encode(), each) for each in valid)

    def _key(self, form: str, asker: str, period: int) -> str:
        said = f"form key\n{form}\n{asker}\n{period}".encode()
        return hmac.digest(self._secret, said, "sha256").hex()[:_DIGITS]
