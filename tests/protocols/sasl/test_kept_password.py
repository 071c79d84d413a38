"""Passwords kept as they are, and the digests made from them."""

import hashlib

from protocols.sasl.kept_password import (
    is_digest_of,
    keep_password,
    seems_kept,
)
from protocols.sasl.keys import derive_keys

SALT = bytes(16)
SALTED = derive_keys("Calli0pe", SALT)
KEPT = (*SALTED, keep_password("Calli0pe"))


def test_kept_password_is_in_no_repr() -> None:
    assert "Calli0pe" not in repr(KEPT)


def test_is_digest_of_takes_the_example_of_xep_0078() -> None:
    digest = "48fc78be9ec8f86d8ce1c39c320c97c21d62334d"
    assert is_digest_of(digest, "3EE948B0", KEPT)
    assert is_digest_of(digest.upper(), "3EE948B0", KEPT)
    assert not is_digest_of(digest, "3EE948B1", KEPT)
    assert not is_digest_of(digest[:-1] + "e", "3EE948B0", KEPT)
    assert not is_digest_of("", "3EE948B0", KEPT)
    assert not is_digest_of("\u0130", "3EE948B0", KEPT)


def test_is_digest_of_without_a_kept_password_is_never_right() -> None:
    """Not even the digest of no password at all."""
    digest = hashlib.sha1(b"3EE948B0", usedforsecurity=False).hexdigest()
    assert not is_digest_of(digest, "3EE948B0", SALTED)
    assert not is_digest_of(digest, "3EE948B0", ())


def test_seems_kept_is_the_same_each_time_and_not_for_all() -> None:
    names = [f"nobody-{number}@localhost" for number in range(50)]
    told = [seems_kept(name, b"secret") for name in names]
    assert told == [seems_kept(name, b"secret") for name in names]
    assert {True, False} == set(told)
