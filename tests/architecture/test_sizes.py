"""Functions of at most 60 lines and files of at most 500: past that something wants a name of its own."""

import ast
from collections.abc import Iterator
from typing import Final

from tests.architecture.sources import FOLDERS, Source, complain, sources

FUNCTION_LINES_MAX: Final = 60
FILE_LINES_MAX: Final = 500

# Path, or path and function (`actors/session.py:Session.handle`), with the reason why it is better whole.
EXCEPTIONS: Final[dict[str, str]] = {}


def test_functions_are_short() -> None:
    found = [
        f"{source.path}:{node.lineno}: {name} has {lines} lines"
        for source in sources("tests", *FOLDERS)
        for name, node, lines in _functions(source)
        if lines > FUNCTION_LINES_MAX and f"{source.path}:{name}" not in EXCEPTIONS
    ]
    complain(
        found, f"At most {FUNCTION_LINES_MAX} without the docstring: give a part a name, or use a table."
    )


def test_files_are_short() -> None:
    found = [
        f"{source.path}: {lines} lines"
        for source in sources("tests", *FOLDERS)
        if (lines := source.text.count("\n")) > FILE_LINES_MAX and source.path not in EXCEPTIONS
    ]
    complain(
        found, f"At most {FILE_LINES_MAX}: a file holds one idea; move the second into a file of its own."
    )


def test_exceptions_are_still_needed() -> None:
    present = {source.path: source for source in sources("tests", *FOLDERS)}
    found = [entry for entry in EXCEPTIONS if not _is_too_long(present, entry)]
    complain(found, "These fit by now: take them out of EXCEPTIONS.")


def _is_too_long(present: dict[str, Source], entry: str) -> bool:
    path, _, function = entry.partition(":")
    if path not in present:
        return False
    if not function:
        return present[path].text.count("\n") > FILE_LINES_MAX
    return any(
        name == function and lines > FUNCTION_LINES_MAX for name, _, lines in _functions(present[path])
    )


def _functions(source: Source) -> Iterator[tuple[str, ast.stmt, int]]:
    """Yields each function with its qualified name and its length without the docstring."""
    waiting: list[tuple[str, ast.AST]] = [("", source.tree)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            name = prefix
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{prefix}.{node.name}" if prefix else node.name
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield name, node, _length(node)
            waiting.append((name, node))


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        first = node.body[0]
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
