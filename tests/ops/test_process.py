"""Tests of `ops.process`: the limits of this very process are put back afterwards."""

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.settings import LimitSettings, Settings
from ops.process import OTHER_FILES, prepare_process


@pytest.fixture(autouse=True)
def _unchanged_process() -> Iterator[None]:
    umask = os.umask(0o022)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    os.umask(umask)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def _settings(data_dir: Path, connections_max: int = 100) -> Settings:
    return Settings(data_dir=data_dir, limits=LimitSettings(connections_max=connections_max))


def test_prepare_process_data_directory_is_private(tmp_path: Path) -> None:
    data_dir = tmp_path / "below" / "data"
    assert list(prepare_process(_settings(data_dir))) == []
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_prepare_process_data_directory_open_to_others_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    (warning,) = prepare_process(_settings(tmp_path))
    assert warning == f"{tmp_path} can be opened by other users of this machine: chmod 700 {tmp_path}"


def test_prepare_process_open_files_suffice_for_the_connections(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    assert list(prepare_process(_settings(tmp_path / "data", connections_max=200))) == []
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 200 + OTHER_FILES


def test_prepare_process_more_files_than_allowed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1_000))
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    (warning,) = prepare_process(_settings(tmp_path / "data", connections_max=5_000))
    assert warning.startswith(f"only 1000 files may be open at a time, limits.connections_max needs {5256}")
    assert set_to == [(1_000, 1_000)]
