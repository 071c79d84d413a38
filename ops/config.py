"""From a TOML file and flags to `Settings` and modules; everything that is wrong is reported at once.

Used by the command line. What a setting may be is declared in `actors/settings.py`, what must fit together in
`ops/config_rules.py`, what modules take in the modules.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from actors.module import Module
from actors.settings import Settings
from ops.config_check import Check
from ops.config_modules import ChosenModules, choose_modules
from ops.config_rules import RULES
from ops.config_source import Source, read_source


class Configuration(NamedTuple):
    """What passed every check, and where it came from, for faults that only show later."""

    settings: Settings
    modules: ChosenModules
    source: Source


def read_configuration(
    path: Path | None, overrides: Sequence[str] = (), available: Sequence[Module] | None = None
) -> Configuration:
    """Reads and checks a configuration; what is not given has its default.

    Args:
        path: The TOML file; without one there are only defaults and overrides.
        overrides: Texts of the form `limits.sessions_max=100`, which win over the file.
        available: The modules there are; None leaves `[modules]` unread, for commands that need no modules.

    Raises:
        ConfigError: Something is wrong; its `faults` are everything that is, in the order of the lines.
    """
    source = read_source(path, overrides)
    check = Check(source, list(source.faults))
    settings = Settings(**check.section(Settings, source.table, ()))
    for rule in RULES:
        for key_path, message in rule(settings):
            check.wrong(key_path, message)
    modules = ChosenModules((), {})
    if available is not None:
        modules = choose_modules(check, settings.modules, available)
    check.finish()
    return Configuration(settings, modules, source)
