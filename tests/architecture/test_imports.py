"""Who may import whom: the drawing in ARCHITECTURE.md as a table.

ops -> actors -> supervision     trio and the standard library
              -> protocols       no I/O, clock, randomness or threads
              -> store           drivers that block; the database library in one folder
"""

import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from tests.architecture.sources import FOLDERS, Source, complain, imports, run_time_imports, sources


class Layer(NamedTuple):
    """What one folder may import."""

    ours: frozenset[str]
    others: frozenset[str]


LAYERS: Final = {
    "supervision": Layer(frozenset({"supervision"}), frozenset({"trio", "outcome"})),
    "protocols": Layer(frozenset({"protocols"}), frozenset({"idna", "lxml", "precis_i18n", "scramp"})),
    "store": Layer(frozenset({"store", "protocols"}), frozenset({"bson", "gridfs", "pymongo"})),
    "actors": Layer(
        frozenset({"actors", "supervision", "protocols", "store"}),
        frozenset({"h11", "trio", "trio_websocket"}),
    ),
    "ops": Layer(
        frozenset(FOLDERS),
        frozenset(
            {"click", "cryptography", "idna", "pydantic", "pydantic_core", "structlog", "trio", "wsproto"}
        ),
    ),
}

# Rules must give the same answer for the same input: time and random bytes come in as arguments, and what is
# sent or logged goes out as values.
IMPURE: Final = frozenset(
    {
        *("asyncio", "concurrent", "http", "logging", "multiprocessing", "os", "queue", "random", "sched"),
        *("secrets", "select", "selectors", "signal", "socket", "socketserver", "ssl", "subprocess", "sys"),
        *("tempfile", "threading", "time", "urllib", "uuid", "warnings"),
    }
)

# Libraries with an opinion on how the whole program runs stay behind one door each.
ONLY_IN: Final = {
    "bson": "store/mongo/",
    "gridfs": "store/mongo/",
    "pymongo": "store/mongo/",
    "trio_websocket": "actors/transport.py",
    "wsproto": "ops/chaos/wire.py",
}


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_run_only_downwards(folder: str) -> None:
    layer = LAYERS[folder]
    allowed = layer.ours | layer.others | sys.stdlib_module_names
    found = [
        f"{source.path}:{line}: imports {module}"
        for source in sources(folder)
        for line, module in imports(source)
        if _top(module) not in allowed
    ]
    complain(
        found, f"{folder}/ may import {', '.join(sorted(layer.ours | layer.others))}, the standard library."
    )


def test_rules_import_nothing_impure() -> None:
    found = [
        f"{source.path}:{line}: imports {module}"
        for source in sources("protocols")
        for line, module in imports(source)
        if _top(module) in IMPURE
    ]
    complain(found, "Take the time, the random bytes or the input as an argument; return what is to be done.")


@pytest.mark.parametrize("library", ONLY_IN)
def test_library_is_imported_behind_its_door_only(library: str) -> None:
    door = ONLY_IN[library]
    found = [
        f"{source.path}:{line}: imports {module}"
        for source in sources()
        for line, module in imports(source)
        if _top(module) == library and not source.path.startswith(door)
    ]
    complain(found, f"{library} belongs into {door}; everybody else uses what that offers.")


def test_database_program_is_started_and_never_imported() -> None:
    found = [
        f"{source.path}:{line}: imports {module}"
        for source in sources("tests", *FOLDERS)
        for line, module in imports(source)
        if _top(module).startswith("secantus")
    ]
    complain(found, "It is a program under another licence: talk to it over its socket.")


def test_imports_are_absolute() -> None:
    found = [
        f"{source.path}:{line}: imports {module}"
        for source in sources("tests", *FOLDERS)
        for line, module in imports(source)
        if module.startswith(".")
    ]
    complain(found, "Write the whole name: it can be searched for and survives a move.")


def test_nothing_imports_the_tests() -> None:
    found = [
        source.path for source in sources() if any(_top(module) == "tests" for _, module in imports(source))
    ]
    complain(found, "What tests and server share belongs into the server.")


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {source.module: set(_ours(source)) for source in sources()}
    found = [" -> ".join(circle) for circle in _circles(graph)]
    complain(found, "Move what both need into a third module, most often the values and messages.")


def _top(module: str) -> str:
    return module.partition(".")[0]


def _ours(source: Source) -> Iterator[str]:
    return (
        module
        for _, module in run_time_imports(source)
        if _top(module) in FOLDERS and module != source.module
    )


def _circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Removes modules that import nothing any more, until there are none: what is left leads to a circle."""
    left = {module: imported & graph.keys() for module, imported in graph.items()}
    while done := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in done}
    if left:
        path = [min(left)]
        while path[-1] not in path[:-1]:
            path.append(min(left[path[-1]] & left.keys()))
        yield path[path.index(path[-1]) :]
