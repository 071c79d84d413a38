"""What the README says is true: its configuration is right, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from actors.modules import MODULES
from ops.config import read_configuration

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
_TROUPER: Final = Path(sys.executable).with_name("trouper")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_readme_configuration_is_right(tmp_path: Path) -> None:
    (block,) = _blocks("toml")
    path = tmp_path / "trouper.toml"
    path.write_text(block, encoding="utf-8")
    settings = read_configuration(path, (), MODULES).settings
    assert settings.domain == "chat.example.org"
    assert settings.database.uri == "mongodb://db.example.org/trouper"


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"^ +trouper ([a-z]+(?: add)?)", README, re.MULTILINE)))
)
def test_readme_commands_exist(command: str) -> None:
    shown = subprocess.run(
        [_TROUPER, *command.split(), "--help"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "Usage:" in shown.stdout


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)\b", README))))
def test_readme_make_targets_exist(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document_links_lead_to_files(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [each for each in targets if each and ":" not in each and not (document.parent / each).exists()]
    assert not missing
