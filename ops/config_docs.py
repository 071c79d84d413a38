"""Writes docs/configuration.md from the declarations of settings and modules: `make docs`.

A test holds the file against what this would write, so the page cannot fall behind the code.
"""

from collections.abc import Sequence
from inspect import getdoc
from itertools import groupby
from pathlib import Path
from typing import Any, Final, get_type_hints

from actors.module import Module
from actors.modules import MODULES as MODULES_SHIPPED
from actors.settings import Settings
from ops.config_check import MODULES, Declared, declared_settings
from ops.config_modules import ENABLED
from ops.config_values import as_toml, expectation

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

_HEAD: Final = """\
# Configuration

<!-- Generated from actors/settings.py and actors/modules/ by `make docs`; change it there. -->

The server reads one TOML file, named with `--config FILE`. Every setting has a default, so the file may be
empty or missing. A single setting can be given on the command line, where it wins over the file:
`trouper serve --set limits.sessions_max=100`. Relative paths start at the folder of the file, or of the shell
for those from the command line.

`trouper check-config --config FILE` says everything that is wrong with a file, each with its line, or shows
the settings in force.
"""

_COLUMNS: Final = ("| setting | default | what may be written | meaning |", "|---|---|---|---|")

_MODULES_HEAD: Final = """\
# Modules

Each module is an extension with a table of its own, which may switch it on or off. A name or an option that
does not exist is a fault like any other.
"""


def render(modules: Sequence[Module]) -> str:
    """Returns the whole page.

    Args:
        modules: The modules there are.
    """
    sections = groupby(declared_settings(), key=lambda declared: declared.path[:-1])
    parts = [_section(path, list(declared)) for path, declared in sections]
    described = [_module(module) for module in modules if module.is_optional or module.options is not None]
    return "\n".join([_HEAD, *parts, _MODULES_HEAD, *described])


def _module(module: Module) -> str:
    default = as_toml(module.on_by_default)
    enabled = f"| `{ENABLED}` | `{default}` | true or false | Whether the module runs. |"
    rows = [enabled] if module.is_optional else []
    if module.options is not None:
        rows += map(_row, declared_settings(module.options, (MODULES, module.name)))
    return "\n".join([f"## [{MODULES}.{module.name}]", "", module.summary, "", *_COLUMNS, *rows, ""])


def _section(path: tuple[str, ...], settings: list[Declared]) -> str:
    heading = f"## [{'.'.join(path)}]" if path else "## Above the first table"
    return "\n".join(
        [heading, "", getdoc(_dataclass_at(path)) or "", "", *_COLUMNS, *map(_row, settings), ""]
    )


def _row(declared: Declared) -> str:
    may_be = expectation(declared.annotation, declared.metadata["least"], declared.metadata["most"])
    cells = (f"`{declared.name}`", f"`{as_toml(declared.default)}`", may_be, declared.metadata["sentence"])
    return f"| {' | '.join(cells)} |"


def _dataclass_at(path: tuple[str, ...]) -> type[Any]:
    section: type[Any] = Settings
    for name in path:
        section = get_type_hints(section)[name]
    return section


def main() -> None:
    """Writes the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(MODULES_SHIPPED), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
