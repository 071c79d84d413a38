"""Runs every script in `scripts/` as a test of its own: each `.txt` there is one conversation.

Scripts that want the same settings share a server; those with the usual ones share one for each worker.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import pytest

from tests.scenarios.script import Script, ScriptError, read_script
from tests.scenarios.stage import SceneError, Stage
from tests.support.client_certificates import authority
from tests.support.server import RunningServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS: Final = Path(__file__).parent / "scripts"
ROWS: Final = "rows"
"""The property of a test's report that names the rows which the script shows."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Every script is a file with one test."""
    if file_path.suffix == ".txt" and SCRIPTS in file_path.parents:
        return ScriptFile.from_parent(parent, path=file_path)
    return None


@final
class ScriptFile(pytest.File):
    """A script's file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its one test."""
        script = read_script(self.path)
        nodeid = f"{self.parent.nodeid if self.parent else ''}/{_kind(script)}::{self.path.stem}"
        yield Conversation.from_parent(self, name=self.path.stem, nodeid=nodeid, script=script)


def _kind(script: Script) -> str:
    """What stands for a file in the test's id: workers get whole files, and so all scripts for one server."""
    return " ".join(sorted(script.settings)).replace("::", ":") or "usual settings"


@final
class Conversation(pytest.Item):
    """A script as a test."""

    obj: Final = None  # plugins ask every test for its function

    def __init__(self, *, script: Script, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._script = script
        self._server: RunningServer | None = None
        self.user_properties.append((ROWS, " ".join(script.rows)))

    def runtest(self) -> None:
        """Play it."""
        self._server = servers(self.config).get(self._script.settings)
        with nullcontext() if self._script.has_crashes else self._server.watched():
            Stage(self._script, self._server).play()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What differs, for a script that does not hold; everything else as pytest shows it."""
        if isinstance(excinfo.value, SceneError | ScriptError):
            log = "" if self._server is None else f"\n\nthe server's log:\n{self._server.log.tail(20)}"
            return f"{self.path}, {excinfo.value}{log}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands, and what it shows."""
        return self.path, 0, self._script.title


@final
class Servers:
    """The servers that scripts of this run need; one at a time, as scripts of one kind run together."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._settings: tuple[str, ...] = ()
        self._server: RunningServer | None = None

    def get(self, settings: tuple[str, ...]) -> RunningServer:
        """A running server with these settings."""
        wanted = tuple(sorted(settings))
        if self._server is not None and wanted != self._settings:
            self.stop()
        if self._server is None:
            folder = self._factory.mktemp("scenarios")
            authority().write(folder / "clients.pem")
            flags = (f"--set={setting.replace('{folder}', str(folder))}" for setting in wanted)
            self._server = RunningServer(folder, "--faults", *flags)
            self._settings = wanted
        return self._server

    def stop(self) -> None:
        """End what runs; it must end well."""
        if self._server is not None:
            server, self._server = self._server, None
            assert server.stop() == 0, server.log.tail()


_SERVERS: Final = pytest.StashKey[Servers]()


def servers(config: pytest.Config) -> Servers:
    """Those of this run."""
    if _SERVERS not in config.stash:
        config.stash[_SERVERS] = Servers(config._tmp_path_factory)  # type: ignore[attr-defined] # its fixture's
    return config.stash[_SERVERS]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Scripts of one kind after one another; everything else stays where it is."""
    places = [at for at, item in enumerate(items) if isinstance(item, Conversation)]
    ordered = sorted((items[at] for at in places), key=_order)
    for at, item in zip(places, ordered, strict=True):
        items[at] = item


def _order(item: pytest.Item) -> tuple[bool, str]:
    """Those with the usual settings first: they are the most, and nobody is to wait for them in the end."""
    assert isinstance(item, Conversation)
    return bool(item._script.settings), item.nodeid


def pytest_sessionfinish(session: pytest.Session) -> None:
    """No server outlives the tests."""
    if _SERVERS in session.config.stash:
        session.config.stash[_SERVERS].stop()
