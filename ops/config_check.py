"""Holds what was read against what is declared, and collects everything that is wrong.

Used by `ops/config.py` for the server's settings and by `ops/config_modules.py` for the options of modules:
both are frozen dataclasses whose fields were made by `actors.settings.setting`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_type_hints

from actors.settings import Settings
from ops.config_source import ConfigError, ConfigFault, Source
from ops.config_values import as_toml, checked, shown
from ops.toml_lines import KeyPath

# The one table whose keys are not declared here: each module declares its own options.
MODULES: Final = "modules"
# More names than this help nobody inside a message.
_SHOWN_NAMES_MAX: Final = 12


class Declared(NamedTuple):
    """One setting as `actors/settings.py` declares it."""

    path: KeyPath
    annotation: object
    default: Any
    metadata: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path[-1]


@dataclass(slots=True)
class Check:
    """One reading of a configuration: what is found wrong is collected."""

    source: Source
    faults: list[ConfigFault]

    def section(self, section: type[Any], table: Mapping[str, object], path: KeyPath) -> dict[str, Any]:
        """Returns the arguments for a section's dataclass: what is given and right."""
        hints = get_type_hints(section)
        names = tuple(hints)
        for name in sorted(table.keys() - hints.keys()):
            self.wrong((*path, name), unknown_name(name, names, path))
        given: dict[str, Any] = {}
        for declared in _declared(section, path):
            name = declared.name
            if declared.path == (MODULES,):
                given[name] = self._modules(table.get(name, {}))
            elif is_dataclass(declared.annotation):
                given[name] = self._inner(declared.annotation, table.get(name, {}), declared.path)
            elif name in table:
                self._setting(given, declared, table[name])
            elif declared.annotation is Path:
                given[name] = self._resolved(declared.default, declared.path)
        return given

    def finish(self) -> None:
        """Ends the reading.

        Raises:
            ConfigError: Something is wrong; its faults are in the order of the lines.
        """
        if self.faults:
            raise ConfigError(sorted(self.faults, key=lambda fault: (fault.path, fault.line or 0)))

    def _inner(self, section: Any, value: object, path: KeyPath) -> object:  # noqa: ANN401 - a dataclass
        if not isinstance(value, dict):
            self.wrong(path, f"{shown(value)} stands where a table belongs: write [{'.'.join(path)}]")
            value = {}
        return section(**self.section(section, value, path))

    def _setting(self, given: dict[str, Any], declared: Declared, value: object) -> None:
        try:
            right = checked(declared.annotation, value, declared.metadata)
        except ValueError as error:
            self.wrong(declared.path, f"{error}; for example: {declared.name} = {as_toml(declared.default)}")
        else:
            given[declared.name] = self._resolved(right, declared.path) if isinstance(right, Path) else right

    def _resolved(self, path: Path, key_path: KeyPath) -> Path:
        """A relative path is meant from where it was written: the file's folder, or the shell's."""
        file = self.source.path
        from_file = file is not None and not self.source.is_overridden(key_path)
        return (file.parent / path if file is not None and from_file else path).absolute()

    def _modules(self, value: object) -> Mapping[str, Mapping[str, Any]]:
        if not isinstance(value, dict):
            self.wrong((MODULES,), f"{shown(value)} stands where a table belongs: write [modules.NAME]")
            return {}
        for name, options in value.items():
            if not isinstance(options, dict):
                self.wrong(
                    (MODULES, name), f"the options of a module go into a table: write [modules.{name}]"
                )
        return {name: options for name, options in value.items() if isinstance(options, dict)}

    def wrong(self, path: KeyPath, message: str) -> None:
        """Notes a fault."""
        self.faults.append(self.source.fault(path, message))


def declared_settings(section: type[Any] = Settings, path: KeyPath = ()) -> Iterator[Declared]:
    """Yields every setting there is, in the order of the declaration; sections are gone into."""
    for declared in _declared(section, path):
        if is_dataclass(declared.annotation):
            yield from declared_settings(cast("type[Any]", declared.annotation), declared.path)
        elif declared.path != (MODULES,):
            yield declared


def _declared(section: type[Any], path: KeyPath) -> Iterator[Declared]:
    hints = get_type_hints(section)
    for field in fields(section):
        yield Declared((*path, field.name), hints[field.name], field.default, field.metadata)


def unknown_name(name: str, siblings: tuple[str, ...], section: KeyPath) -> str:
    """Says what may have been meant by a key that nothing declares."""
    near = get_close_matches(name, siblings, n=1)
    if near:
        return f"there is no such setting; did you mean {near[0]}?"
    elsewhere = [declared.path for declared in declared_settings() if declared.path[-1] == name]
    if elsewhere and len(elsewhere[0]) > 1:
        return f"there is no such setting here; it belongs into [{'.'.join(elsewhere[0][:-1])}]"
    if elsewhere:
        return "there is no such setting here; it belongs above the first [table]"
    if len(siblings) > _SHOWN_NAMES_MAX:
        return "there is no such setting; docs/configuration.md lists them all"
    where = f"[{'.'.join(section)}]" if section else "the file"
    return f"there is no such setting; {where} may hold {', '.join(siblings)}"
