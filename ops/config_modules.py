"""Which modules run, and with which options: `[modules.NAME]` held against what the modules declare.

Used by `ops/config.py`. Each table may say `enabled`, and the module's own options, which are declared like
the server's settings.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from actors.module import Module
from ops.config_check import MODULES, Check
from ops.config_values import shown

# The one option that every module has.
ENABLED: Final = "enabled"


class ChosenModules(NamedTuple):
    """The modules that run, and the options of those that declare any, by name."""

    modules: tuple[Module, ...]
    options: Mapping[str, object]


def choose_modules(
    check: Check, tables: Mapping[str, Mapping[str, Any]], available: Sequence[Module]
) -> ChosenModules:
    """Returns the modules that are to run; what is wrong is noted in the check.

    Args:
        check: The reading of the configuration.
        tables: What stands in `[modules]`.
        available: The modules there are.
    """
    names = [module.name for module in available]
    for name in tables:
        if name not in names:
            check.wrong((MODULES, name), _unknown(name, names))
    chosen = [module for module in available if _is_enabled(check, module, tables.get(module.name, {}))]
    options = {module.name: _options(check, module, tables.get(module.name, {})) for module in available}
    _check_needs(check, chosen)
    return ChosenModules(tuple(chosen), {name: value for name, value in options.items() if value is not None})


def _is_enabled(check: Check, module: Module, table: Mapping[str, Any]) -> bool:
    enabled = table.get(ENABLED, module.on_by_default)
    if not isinstance(enabled, bool):
        check.wrong((MODULES, module.name, ENABLED), f"{shown(enabled)} will not do: write true or false")
    elif not (enabled or module.is_optional):
        check.wrong((MODULES, module.name, ENABLED), "the server cannot do without this module")
    return enabled is True


def _options(check: Check, module: Module, table: Mapping[str, Any]) -> object:
    own = {name: value for name, value in table.items() if name != ENABLED}
    path = (MODULES, module.name)
    if module.options is not None:
        return module.options(**check.section(module.options, own, path))
    for name in own:
        check.wrong((*path, name), f"this module has no options but {ENABLED}")
    return None


def _check_needs(check: Check, chosen: Sequence[Module]) -> None:
    running = {module.name for module in chosen}
    for module in chosen:
        for need in module.needs:
            if need not in running:
                check.wrong((MODULES, need), f"{module.name} needs it: enable both, or neither")


def _unknown(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}"
    return f"there is no such module; {meant}"
