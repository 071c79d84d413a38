"""What a session derives."""

import pytest

from tests.store.samples import make_session


@pytest.mark.parametrize("resource", ["balcony", "a/b", "r@x"])
def test_session_bare_jid_is_its_jid_without_resource(resource: str) -> None:
    assert make_session("id", jid=f"juliet@example.com/{resource}").bare_jid == "juliet@example.com"
