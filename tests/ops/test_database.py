"""Tests of `ops.database`: a database of our own, one that is in use, and one that is not there."""

from pathlib import Path

import pytest

from actors.settings import DatabaseSettings, Settings
from ops.control_protocol import Command, Refusal, Request
from ops.database import open_accounts
from store import embedded

JULIET = "juliet@localhost"


def test_open_accounts_embedded_database_keeps_what_was_done(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    said: list[str] = []
    with open_accounts(settings, said.append) as accounts:
        accounts.answer(Request(Command.USER_ADD, {"jid": JULIET, "password": "x"}))
    with open_accounts(settings, said.append) as accounts:
        assert accounts.existing(JULIET).credentials
    assert said == [f"No server is running: starting the database in {tmp_path}/data for a moment"] * 2


def test_open_accounts_embedded_database_in_use_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LOCKED_RETRY_SECONDS", ())
    settings = Settings(data_dir=tmp_path / "data")
    with (
        open_accounts(settings, lambda _: None),
        pytest.raises(Refusal, match="is in use, but no server answers there"),
        open_accounts(settings, lambda _: None),
    ):
        pytest.fail("it is in use")


def test_open_accounts_database_that_is_away_is_refused(tmp_path: Path) -> None:
    database = DatabaseSettings(uri="mongodb://127.0.0.1:1/?directConnection=true")
    with (
        pytest.raises(Refusal, match="the database cannot be used"),
        open_accounts(Settings(data_dir=tmp_path, database=database), lambda _: None),
    ):
        pytest.fail("it is not there")
