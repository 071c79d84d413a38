"""What is kept of a password besides the salted keys, for accounts that were made so.

All of it is weaker than they are: it is kept for those only who asked for it, and in the same form, so that
stores need not know.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from protocols.jid import JID
from protocols.sasl.digest_md5 import derive_digest_key
from protocols.sasl.kept_password import KEPT_PASSWORD, keep_password
from protocols.sasl.keys import DIGEST_MD5, SCRAM_MECHANISMS, ScramKeys, derive_keys
from protocols.sasl.zero_knowledge import ZERO_KNOWLEDGE, derive_chain

KINDS: Final[Mapping[str, str]] = {
    "password": KEPT_PASSWORD,
    "zero-knowledge": ZERO_KNOWLEDGE,
    "digest-md5": DIGEST_MD5,
}
"""The kinds by the words for them: `trouper user add --keep-…`."""

DISABLED: Final = "disabled"
"""A mark among the keys of an account, in their form: it may not log in, whatever its client proves."""


def derive_all(
    account: JID, password: str, salt: bytes, kinds: Collection[str] = ()
) -> tuple[ScramKeys, ...]:
    """Return what is kept of a password: the salted keys, and what else of these kinds.

    Args:
        account: Whose it is.
        password: As the user typed it.
        salt: Fresh random bytes, see `derive_keys`.
        kinds: Of `KINDS`; others mean nothing.

    Raises:
        PasswordUnusable: If the text cannot be a password.
    """
    keys = [*derive_keys(password, salt)]
    if KEPT_PASSWORD in kinds:
        keys.append(keep_password(password))
    if ZERO_KNOWLEDGE in kinds:
        keys.append(derive_chain(password, salt))
    if DIGEST_MD5 in kinds:
        keys.append(derive_digest_key(account, password))
    return tuple(keys)


def kinds_of(keys: Sequence[ScramKeys]) -> frozenset[str]:
    """Return what is kept of a password besides the salted keys, for `derive_all`."""
    return frozenset(each.mechanism for each in keys) & frozenset(KINDS.values())


def renewed(before: Sequence[ScramKeys], keys: Sequence[ScramKeys]) -> tuple[ScramKeys, ...]:
    """Return those of the keys of a new password that an account with these keys is to have.

    One that may not log in may not do so with another password either.
    """
    wanted = kinds_of(before) | frozenset(SCRAM_MECHANISMS)
    renewed_keys = tuple(each for each in keys if each.mechanism in wanted)
    return with_mark(renewed_keys, is_disabled=is_disabled(before))


def is_disabled(keys: Sequence[ScramKeys]) -> bool:
    """Tell whether the account with these keys may not log in."""
    return any(each.mechanism == DISABLED for each in keys)


def with_mark(keys: Sequence[ScramKeys], *, is_disabled: bool) -> tuple[ScramKeys, ...]:
    """Return the same keys for an account that may not log in, or may again."""
    unmarked = tuple(each for each in keys if each.mechanism != DISABLED)
    return (*unmarked, ScramKeys(DISABLED, b"", 0, b"", b"")) if is_disabled else unmarked
