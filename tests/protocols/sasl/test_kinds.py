"""What is kept of a password besides the salted keys."""

import pytest

from protocols.jid import parse_jid
from protocols.sasl.keys import PasswordUnusable, derive_keys
from protocols.sasl.kinds import KINDS, derive_all, is_disabled, kinds_of, renewed, with_mark

SALT = bytes(range(16))
JULIET = parse_jid("juliet@example.com")
SALTED = derive_keys("Calli0pe", SALT)
EVERYTHING = derive_all(JULIET, "Calli0pe", SALT, KINDS.values())


def test_derive_all_keeps_nothing_else_unless_it_is_asked_to() -> None:
    assert derive_all(JULIET, "Calli0pe", SALT) == SALTED
    assert kinds_of(SALTED) == set()


@pytest.mark.parametrize("kind", KINDS.values())
def test_derive_all_keeps_what_it_is_asked_to(kind: str) -> None:
    kept = derive_all(JULIET, "Calli0pe", SALT, [kind])
    assert kept[: len(SALTED)] == SALTED
    assert kinds_of(kept) == {kind}


def test_derive_all_takes_no_unusable_password() -> None:
    with pytest.raises(PasswordUnusable):
        derive_all(JULIET, "", SALT, KINDS.values())


def test_kept_password_is_in_no_repr() -> None:
    assert "Calli0pe" not in repr(EVERYTHING)


def test_renewed_keeps_what_was_kept_before() -> None:
    new = derive_all(JULIET, "another", SALT, KINDS.values())
    assert renewed(EVERYTHING, new) == new
    for before in (SALTED, ()):
        assert renewed(before, new) == new[: len(SALTED)]
    for kind in KINDS.values():
        assert kinds_of(renewed(derive_all(JULIET, "Calli0pe", SALT, [kind]), new)) == {kind}


def test_mark_shuts_out_and_is_no_kind() -> None:
    marked = with_mark(EVERYTHING, is_disabled=True)
    assert is_disabled(marked)
    assert with_mark(marked, is_disabled=True) == marked
    assert kinds_of(marked) == kinds_of(EVERYTHING)
    assert with_mark(marked, is_disabled=False) == EVERYTHING
    assert not is_disabled(EVERYTHING)


def test_mark_survives_another_password() -> None:
    new = derive_all(JULIET, "another", SALT, KINDS.values())
    assert renewed(with_mark(EVERYTHING, is_disabled=True), new) == with_mark(new, is_disabled=True)
