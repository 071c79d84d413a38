"""A key is good for its form, its asker and its time, and cannot be made up."""

import pytest

from actors.form_keys import KEY_MS, FormKeys


@pytest.mark.parametrize(
    ("form", "asker", "later_ms", "is_good"),
    [
        ("register", "a@x", 0, True),
        ("register", "a@x", KEY_MS, True),
        ("register", "a@x", 2 * KEY_MS, False),
        ("register", "a@x", -KEY_MS, False),
        ("search", "a@x", 0, False),
        ("register", "b@x", 0, False),
    ],
)
def test_key_is_good_for_what_it_was_made_for(form: str, asker: str, later_ms: int, is_good: bool) -> None:
    now = [10 * KEY_MS]
    keys = FormKeys(b"secret", lambda: now[0])
    key = keys.new_key("register", "a@x")
    now[0] += later_ms
    assert keys.is_good(key, form, asker) is is_good


@pytest.mark.parametrize("key", ["", "ä", "0" * 40])
def test_key_cannot_be_made_up(key: str) -> None:
    keys = FormKeys(b"secret", lambda: 0)
    assert not keys.is_good(key, "register", "a@x")
    assert FormKeys(b"other", lambda: 0).new_key("register", "a@x") != keys.new_key("register", "a@x")
