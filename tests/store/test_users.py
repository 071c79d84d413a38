"""What an account must not show."""

from tests.store.samples import KEYS, make_full_user


def test_user_repr_holds_no_keys() -> None:
    """Crash reports carry values as text."""
    text = repr(make_full_user("juliet@example.com"))
    assert "juliet@example.com" in text
    assert not any(repr(secret) in text for keys in KEYS for secret in (keys.stored_key, keys.server_key))
