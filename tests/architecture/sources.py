"""The project's own Python files, parsed: what all tests of this folder look at."""

import ast
import gc
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("actors", "ops", "protocols", "store", "supervision")


class Source(NamedTuple):
    """One Python file."""

    path: str
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The top-level folder it lies in."""
        return self.path.partition("/")[0]

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class Import(NamedTuple):
    """One module that a file imports, wherever in the file that stands."""

    line: int
    module: str


def sources(*folders: str) -> Iterator[Source]:
    """Yields every Python file of the folders, of all that are not tests where none is named."""
    return chain.from_iterable(map(_folder, folders or FOLDERS))


@cache
def _folder(name: str) -> tuple[Source, ...]:
    """Each file is read and parsed once, however many tests look at it.

    The trees are millions of objects that stay: the collector passes over none of them, now or later, which
    would take several times as long as it takes to make them.
    """
    gc.disable()
    try:
        return tuple(_read(path) for path in sorted((ROOT / name).rglob("*.py")))
    finally:
        gc.freeze()
        gc.enable()


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


@cache
def imports(source: Source) -> tuple[Import, ...]:
    """Returns what a file imports; `from a import b` counts as `a.b` where that is one of our modules."""
    return tuple(_imports(source.tree))


def run_time_imports(source: Source) -> Iterator[Import]:
    """Yields what a file imports when it runs: not what only the type checker needs."""
    for statement in source.tree.body:
        if not (isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)):
            yield from _imports(statement)


def _imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = "." * node.level + (node.module or "")
            yield from (Import(node.lineno, _imported(parent, alias.name)) for alias in node.names)


@cache
def _imported(parent: str, name: str) -> str:
    path = ROOT / parent.replace(".", "/")
    is_ours = parent.partition(".")[0] in FOLDERS
    is_module = is_ours and ((path / f"{name}.py").exists() or (path / name / "__init__.py").exists())
    return f"{parent}.{name}" if is_module else parent


def complain(found: list[str], remedy: str) -> None:
    """Fails with everything that was found, one a line, and what to do about it."""
    assert not found, "\n".join([f"{len(found)} found:", *sorted(found), "", remedy])
