"""Tests of `ops.config_docs`: the page is current."""

from pathlib import Path

import pytest

from actors.modules import MODULES
from ops import config_docs
from ops.config_check import declared_settings


def test_configuration_page_is_current() -> None:
    """If this fails, run `make docs` and commit what it wrote."""
    assert config_docs.PAGE.read_text(encoding="utf-8") == config_docs.render(MODULES)


def test_render_names_every_setting_in_its_section() -> None:
    sections = config_docs.render(MODULES).split("\n## ")
    for declared in declared_settings():
        heading = f"[{declared.path[0]}]" if len(declared.path) > 1 else "Above"
        assert any(part.startswith(heading) and f"| `{declared.name}` |" in part for part in sections)


def test_main_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_docs, "PAGE", tmp_path / "docs" / "configuration.md")
    config_docs.main()
    assert config_docs.PAGE.read_text(encoding="utf-8") == config_docs.render(MODULES)
