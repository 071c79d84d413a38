"""The stored form of passwords."""

from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scramp import ScramMechanism

from protocols.sasl.keys import (
    ITERATIONS,
    PASSWORD_BYTES_MAX,
    SALT_BYTES,
    SCRAM_MECHANISMS,
    SCRAM_SHA_1,
    SCRAM_SHA_256,
    PasswordUnusable,
    ScramKeys,
    decoy_keys,
    derive_keys,
    find_keys,
    verify_plain,
)

SALT = bytes(range(SALT_BYTES))


def test_derive_keys_gives_every_mechanism_strongest_first() -> None:
    assert [keys.mechanism for keys in derive_keys("pencil", SALT)] == [SCRAM_SHA_256, SCRAM_SHA_1]


@pytest.mark.parametrize("password", ["pencil", "пароль", "I\u00adX", "\u2168", "two words", "\u00aa"])
@pytest.mark.parametrize("iterations", [4096, 5000])
def test_derive_keys_agrees_with_scramp(password: str, iterations: int) -> None:
    for keys in derive_keys(password, SALT, iterations):
        expected = ScramMechanism(keys.mechanism).make_auth_info(password, iterations, SALT)
        assert (keys.salt, keys.stored_key, keys.server_key, keys.iterations) == expected


def test_derive_keys_matches_the_vector_of_rfc_5802() -> None:
    """The stored key must verify the proof of RFC 5802 §5; here it is pinned as bytes."""
    keys = find_keys(derive_keys("pencil", b64decode("QSXCR+Q6sek8bf92")), [SCRAM_SHA_1])
    assert keys is not None
    assert keys.stored_key.hex() == "e9d94660c39d65c38fbad91c358f14da0eef2bd6"
    assert keys.server_key.hex() == "0fe09258b3ac852ba502cc62ba903eaacdbf7d31"


def test_iterations_are_not_below_the_floor_of_the_standard() -> None:
    assert ITERATIONS >= 4096


@pytest.mark.parametrize(
    "password",
    ["", "\u00ad", "bell\a", "\ue000", "a\u0627", "\ud800", "x" * (PASSWORD_BYTES_MAX + 1), "\u00e9" * 512],
    ids=["empty", "invisible", "control", "private", "bidi", "surrogate", "long", "long-in-bytes"],
)
def test_derive_keys_unusable_password_is_refused(password: str) -> None:
    with pytest.raises(PasswordUnusable):
        derive_keys(password, SALT)
    assert not verify_plain(password, derive_keys("pencil", SALT)[0])


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
def test_verify_plain_accepts_the_password_and_no_other(mechanism: str) -> None:
    keys = find_keys(derive_keys("r0m30myr0m30", SALT), [mechanism])
    assert keys is not None
    assert verify_plain("r0m30myr0m30", keys)
    assert not verify_plain("r0m30myr0m31", keys)
    assert not verify_plain("R0m30myr0m30", keys)


def test_verify_plain_prepares_the_password() -> None:
    """U+2168 is the Roman numeral nine: SASLprep writes it as two letters."""
    assert verify_plain("IX", derive_keys("\u2168", SALT)[0])


def test_verify_plain_uses_the_count_kept_with_the_keys() -> None:
    assert verify_plain("pencil", derive_keys("pencil", SALT, 5000)[0])


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=40))
def test_derive_keys_any_text_is_a_password_or_refused(password: str) -> None:
    try:
        keys = derive_keys(password, SALT)
    except PasswordUnusable:
        return
    assert all(verify_plain(password, candidate) for candidate in keys)


def test_scram_keys_repr_shows_no_secret() -> None:
    keys = ScramKeys(SCRAM_SHA_1, salt=b"salty", iterations=4096, stored_key=b"stored", server_key=b"server")
    assert repr(keys) == "ScramKeys(mechanism='SCRAM-SHA-1', iterations=4096)"


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
def test_decoy_keys_look_like_real_ones(mechanism: str) -> None:
    decoy = decoy_keys(mechanism, "nobody", b"secret")
    real = find_keys(derive_keys("pencil", SALT), [mechanism])
    assert real is not None
    assert decoy.mechanism == mechanism
    assert decoy.iterations == real.iterations
    assert len(decoy.salt) == len(real.salt)
    assert len(decoy.stored_key) == len(real.stored_key)
    assert len(decoy.server_key) == len(real.server_key)


def test_decoy_keys_are_stable_for_a_name_and_a_secret() -> None:
    decoy = decoy_keys(SCRAM_SHA_1, "nobody", b"secret")
    assert decoy == decoy_keys(SCRAM_SHA_1, "nobody", b"secret")
    for other in [
        decoy_keys(SCRAM_SHA_1, "somebody", b"secret"),
        decoy_keys(SCRAM_SHA_1, "nobody", b"another"),
        decoy_keys(SCRAM_SHA_256, "nobody", b"secret"),
    ]:
        assert decoy.salt != other.salt


def test_find_keys_takes_the_first_mechanism_there_are_keys_for() -> None:
    sha_256, sha_1 = derive_keys("pencil", SALT)
    assert find_keys([sha_1, sha_256], SCRAM_MECHANISMS) is sha_256
    assert find_keys([sha_1], SCRAM_MECHANISMS) is sha_1
    assert find_keys([sha_1], [SCRAM_SHA_256]) is None
    assert find_keys([], SCRAM_MECHANISMS) is None
