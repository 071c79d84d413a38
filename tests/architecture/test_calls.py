"""Calls that have their one place, or none: clocks, randomness, queues without a bound, blocking work.

A row says what is not called, in which folders, what to do instead, and which files may, for which reason.
"""

import ast
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple

import pytest

from tests.architecture.sources import FOLDERS, Source, complain, sources


class Ban(NamedTuple):
    """One row."""

    calls: tuple[str, ...]
    folders: tuple[str, ...]
    instead: str
    places: Mapping[str, str] = MappingProxyType({})


PURE: Final = ("protocols", "supervision")
RUNNING: Final = ("actors", "protocols", "store", "supervision")

BANS: Final = {
    "print": Ban(
        ("print", "input", "breakpoint", "pprint.pprint"),
        RUNNING,
        "Only the command line talks to the terminal; everything else returns values or reports events.",
    ),
    "clock": Ban(
        ("time.*", "datetime.*.now", "datetime.*.utcnow", "datetime.*.today", "datetime.now"),
        PURE,
        "Take the time as an argument (protocols), or from Trio's clock, which tests can turn (supervision).",
    ),
    "randomness": Ban(
        ("random.*", "secrets.*", "uuid.uuid1", "uuid.uuid4", "os.urandom"),
        PURE,
        "Take random bytes, or a function that gives them, as an argument: a run repeats from its seed.",
    ),
    "sleep": Ban(
        ("time.sleep",), ("actors", "protocols", "supervision"), "It stops every actor: use a timer."
    ),
    "channel": Ban(
        ("trio.open_memory_channel",),
        FOLDERS,
        "Mailboxes are our own (supervision/mailbox.py): bounded in bytes, and they outlive a crash.",
    ),
    "thread": Ban(
        ("trio.to_thread.run_sync", "threading.Thread", "concurrent.futures.*"),
        RUNNING,
        "Blocking work goes through the one port that the simulation runs inline.",
        {
            "actors/blocking.py": "is that port",
            "store/embedded.py": "drains the database's output, which must go on while everybody waits",
        },
    ),
    "nursery": Ban(
        ("trio.open_nursery",),
        ("actors", "store", "protocols"),
        "Tasks are children of a supervisor: give it a child spec.",
        {
            "actors/http_connection.py": "holds a library that reads in a task of its own",
            "actors/listener.py": "waits for clients and for its end at once",
            "actors/port_driver.py": "waits for readiness and for messages at once",
            "actors/store_link.py": "waits for the database's output and for its own end at once",
        },
    ),
    "stream": Ban(
        ("trio.SocketStream", "trio.SSLStream", "trio.open_tcp_*", "trio.serve_*", "trio.open_ssl_*"),
        FOLDERS,
        "Sockets are non-blocking and waited for by the port driver; Trio's streams cost more than the rest.",
        {
            "ops/control_server.py": "a few questions a day from the command line, not traffic",
            "ops/chaos/wire.py": "is a client, not the server",
        },
    ),
    "asyncio": Ban(("asyncio.*",), FOLDERS, "This server runs on Trio."),
    "exit": Ban(
        ("sys.exit", "os._exit", "exit", "quit"), RUNNING, "Raise; the root supervisor ends the process."
    ),
    "evaluation": Ban(("eval", "exec", "compile"), FOLDERS, "Never on a server."),
    "collector": Ban(("gc.*",), RUNNING, "Decided once for the whole process, in ops/."),
}


@pytest.mark.parametrize("name", BANS)
def test_call_is_made_in_its_one_place_only(name: str) -> None:
    ban = BANS[name]
    found = [
        f"{source.path}:{line}: {call}()"
        for source in sources(*ban.folders)
        if source.path not in ban.places
        for line, call in _calls(source)
        if any(fnmatch(call, pattern) for pattern in ban.calls)
    ]
    complain(found, ban.instead)


def test_queues_have_a_bound() -> None:
    """`deque` is not judged here: mailboxes are made of it, and their bound is counted in bytes."""
    found = [
        f"{source.path}:{node.lineno}: {call}() without a size"
        for source in sources()
        for node, call in _call_nodes(source)
        if call in ("queue.Queue", "queue.LifoQueue", "queue.PriorityQueue", "multiprocessing.Queue")
        if not (node.args or any(keyword.arg == "maxsize" for keyword in node.keywords))
    ]
    complain(found, "Give it a size, and decide what happens when it is full.")


def test_elements_are_parsed_where_their_names_are_counted() -> None:
    """The library never forgets a name it has seen, so strangers' bytes reach it through the budget only."""
    parsers = ("fromstring", "parse", "XML", "XMLParser", "XMLPullParser", "iterparse", "HTML")
    found = [
        f"{source.path}:{line}: {call}()"
        for source in sources()
        if source.path != "protocols/xml_element.py"
        for line, call in _calls(source)
        if call.startswith("lxml.") and call.rpartition(".")[2] in parsers
    ]
    complain(found, "Take `element` of the stanza, or protocols/xml_element.py.")


def test_errors_are_raised_fresh() -> None:
    """An error that is raised again keeps the traceback of the last time, frames and all, for ever."""
    found = [
        f"{source.path}:{node.lineno}: raise {node.exc.id}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id.isupper()
    ]
    complain(found, "Make a new one each time; a constant is for errors that are only sent.")


def _calls(source: Source) -> Iterator[tuple[int, str]]:
    return ((node.lineno, call) for node, call in _call_nodes(source))


@cache
def _call_nodes(source: Source) -> tuple[tuple[ast.Call, str], ...]:
    """Returns each call with the full name of what is called, however it was imported."""
    names = _imported_names(source.tree)
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            first, _, rest = _dotted(node.func).partition(".")
            full = names.get(first, first)
            found.append((node, f"{full}.{rest}" if rest else full))
    return tuple(found)


def _dotted(node: ast.expr) -> str:
    """`a.b.c`, with `?` for what has no name; types in brackets make no difference."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, name):
            return f"{_dotted(value)}.{name}"
        case ast.Subscript(value):
            return _dotted(value)
        case _:
            return "?"


def _imported_names(tree: ast.Module) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(
                {alias.asname or alias.name.partition(".")[0]: _bound(alias) for alias in node.names}
            )
        elif isinstance(node, ast.ImportFrom):
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def _bound(alias: ast.alias) -> str:
    """`import a.b` binds `a`; `import a.b as c` binds `a.b`."""
    return alias.name if alias.asname else alias.name.partition(".")[0]
