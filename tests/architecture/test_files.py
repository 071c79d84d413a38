"""Every module says what it is, has its test, and gives a reason where it silences a check."""

import ast
import re
from typing import Final

import pytest

from tests.architecture.sources import FOLDERS, ROOT, Source, complain, sources

# Modules without a test file of their own name, or folders of such (`store/memory/`), with the reason.
TESTED_ELSEWHERE: Final[dict[str, str]] = {
    "ops/__main__.py": "two lines; the command line's tests start it",
    "ops/config_check.py": "test_config.py and test_config_modules.py have a case for each fault",
    "ops/config_rules.py": "test_config.py has a case for each rule",
    "ops/config_source.py": "test_config.py reads every kind of file and override",
    "ops/config_values.py": "test_config.py has a case for each type of setting",
}

# Package files that are more than a docstring, with the reason.
CATALOGUES: Final = {"actors/modules/__init__.py": "lists the modules that ship with the server"}

# Folders below tests/ that mirror no source folder: they look at the whole.
WHOLE: Final = ("architecture", "bad_input", "chaos", "e2e", "interop", "scenarios", "simulation", "support")

# What supervision/ must not know: it is about how things live and die, whatever they do.
FOREIGN_WORDS: Final = re.compile(r"xmpp|jabber|stanza|roster|\bjid|presence|\biq\b|sasl", re.IGNORECASE)

_SILENCER: Final = re.compile(
    r"#\s*(?:type:\s*ignore|noqa)\b(?P<codes>\[[^\]]*\]|:\s*[A-Z0-9, ]+)?(?P<reason>.*)"
)


def test_module_says_what_it_is() -> None:
    found = [source.path for source in sources("tests", *FOLDERS) if ast.get_docstring(source.tree) is None]
    complain(
        found, "Begin with a docstring: what this is, who uses it, which section of a standard it follows."
    )


def test_package_file_holds_its_docstring_only() -> None:
    found = [
        source.path
        for source in sources()
        if source.path.endswith("__init__.py") and len(source.tree.body) > 1 and source.path not in CATALOGUES
    ]
    complain(found, "Code in __init__.py runs at every import: give it a file with a name.")


def test_module_has_its_test() -> None:
    found = [
        f"{source.path}: no {_test_path(source.path)}"
        for source in sources()
        if not source.path.endswith("__init__.py") and _does_something(source)
        if not _has_test(source.path) and not _is_tested_elsewhere(source)
    ]
    complain(found, "Write it, or say in TESTED_ELSEWHERE which test covers the module and why.")


def test_test_has_its_module() -> None:
    known = {source.path for source in sources()}
    found = [
        f"{source.path}: no {_tested_by(source)[0]}"
        for source in sources("tests")
        if source.path.rpartition("/")[2].startswith("test_")
        if source.path.split("/")[1] not in WHOLE and known.isdisjoint(_tested_by(source))
    ]
    complain(
        found, "Name it after the module it tests, or put it where the whole is tested: " + ", ".join(WHOLE)
    )


def test_tests_elsewhere_are_still_elsewhere() -> None:
    found = [
        path
        for path, reason in TESTED_ELSEWHERE.items()
        if not reason or not (ROOT / path).exists() or (path.endswith(".py") and _has_test(path))
    ]
    complain(found, "These are gone, or have a test by now: take them out of TESTED_ELSEWHERE.")


def test_supervision_knows_nothing_of_messaging() -> None:
    found = [
        f"{source.path}:{number}: {line.strip()}"
        for source in sources("supervision")
        if not source.path.endswith("__init__.py")  # which may say what this folder leaves out
        for number, line in enumerate(source.text.splitlines(), 1)
        if FOREIGN_WORDS.search(line)
    ]
    complain(found, "Say it in terms of actors, messages and children.")


def test_silenced_check_has_its_reason() -> None:
    found = [
        f"{source.path}:{number}: {line.strip()}"
        for source in sources("tests", *FOLDERS)
        for number, line in enumerate(source.text.splitlines(), 1)
        if (silencer := _SILENCER.search(line)) and not _is_explained(silencer) and source.path != _THIS
    ]
    complain(found, "Name the check and give the reason: `# noqa: S104 - the address is only parsed`.")


@pytest.mark.parametrize(
    ("line", "is_explained"),
    [
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: S104", False),
        ("x = 1  # noqa: S104 - only parsed", True),
        ("x = 1  # type: ignore[misc]", False),
        ("x = 1  # type: ignore # lazy", False),
        ("x = 1  # type: ignore[misc] # the stub is wrong", True),
    ],
)
def test_is_explained_wants_check_and_reason(line: str, is_explained: bool) -> None:
    silencer = _SILENCER.search(line)
    assert silencer is not None
    assert _is_explained(silencer) is is_explained


_THIS: Final = "tests/architecture/test_files.py"


def _is_explained(silencer: re.Match[str]) -> bool:
    return bool(silencer["codes"]) and bool(silencer["reason"].strip(" -#"))


def _does_something(source: Source) -> bool:
    """Constants, messages and records without a function have nothing that could fail."""
    return any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(source.tree))


def _is_tested_elsewhere(source: Source) -> bool:
    return any(
        source.path == entry or (entry.endswith("/") and source.path.startswith(entry))
        for entry in TESTED_ELSEWHERE
    )


def _has_test(path: str) -> bool:
    """Whether there is `test_jid.py`, or its like for one aspect: `test_jid_properties.py`."""
    test = ROOT / _test_path(path)
    return test.exists() or any(test.parent.glob(f"{test.stem}_*.py"))


def _test_path(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"tests/{folder}/test_{name}"


def _tested_by(source: Source) -> list[str]:
    """What a test may be about: `test_jid_properties.py` is about `jid_properties.py` or `jid.py`."""
    folder, _, name = source.path.removeprefix("tests/").rpartition("/")
    words = name.removeprefix("test_").removesuffix(".py").split("_")
    return [f"{folder}/{'_'.join(words[:length])}.py" for length in range(len(words), 0, -1)]
