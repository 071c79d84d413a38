"""The script of a conversation with a server: who takes part, who sends what, what each side receives.

`README.md` tells how to write one. Here a script is read into values; `stage.py` plays it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from protocols.sasl.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROW: Final = re.compile(r"S-\d{3}")
_NAME: Final = r"(?P<name>[a-z][a-z0-9]*)"
_CLIENT: Final = re.compile(
    rf"client {_NAME}(?:: (?P<account>[a-z][a-z0-9]*)(?:/(?P<resource>[^,]+))?)?(?:, (?P<options>.*))?"
)
_CONTACTS: Final = re.compile(rf"{_NAME} and (?P<other>[a-z][a-z0-9]*) become contacts")
_STANDS: Final = re.compile(r"the newest stream stands at (?P<state>[a-z_]+)")
_OPTIONS: Final = (
    "unregistered",
    *(f"{kind} kept" for kind in KINDS),
    "with a certificate",
    "by that name",
)
_SETTING: Final = re.compile(r"server: (?P<key>[a-z_.0-9]+) = (?P<value>.+)")


class ScriptError(Exception):
    """A script is not written as it should be; says where and why."""


class Way(Enum):
    """How a client connects, as scripts say it."""

    TLS = "over TLS"
    STARTTLS = "over STARTTLS"
    CLEAR = "in clear"


@dataclass(frozen=True, slots=True)
class Part:
    """One client of the conversation.

    Attributes:
        name: What the script calls it.
        account: Whose client it is; accounts are made for each run, under names of their own.
        resource: What it binds when it `connects`.
        way: How it connects.
        is_registered: Whether the account exists when the conversation begins.
        keeps: What else it keeps of its password, in the words of `trouper user add --keep-…`.
        has_certificate: Whether the client shows a certificate for its account.
        is_by_that_name: Whether the account is called just as the script says.
    """

    name: str
    account: str
    resource: str
    way: Way = Way.TLS
    is_registered: bool = True
    keeps: tuple[str, ...] = ()
    has_certificate: bool = False
    is_by_that_name: bool = False


class Verb(Enum):
    """What happens in a step, as scripts say it."""

    CONNECTS = "connects"
    BECOMES_AVAILABLE = "becomes available"
    BECOME_CONTACTS = "become contacts"
    OPENS = "opens a connection"
    STARTS_TLS = "starts TLS"
    SENDS = "sends:"
    SENDS_SLOWLY = "sends byte by byte:"
    SENDS_BYTES = "sends bytes:"
    RECEIVES = "receives:"
    RECEIVES_ANY_ORDER = "receives in any order:"
    RECEIVES_NOTHING = "receives nothing"
    IGNORES = "ignores what came"
    IS_DISCONNECTED = "is disconnected"
    LEAVES = "leaves"
    IS_CUT_OFF = "is cut off"
    IS_SHUT_OUT = "is shut out"
    IS_LET_IN = "is let in again"
    LOSES_SESSION_ACTOR = "has a session that crashes"
    FAILS_SESSION_ACTOR = "has a session that crashes over what comes"
    LOSES_CONNECTION_ACTOR = "has a connection that crashes"
    STANDS = "the newest stream stands at"
    RESTARTS = "the server restarts"
    DATABASE_STOPS = "the database stops"
    DATABASE_GOES_ON = "the database goes on"


OF_CLIENTS: Final = {
    verb.value: verb
    for verb in Verb
    if verb
    not in {Verb.STANDS, Verb.RESTARTS, Verb.DATABASE_STOPS, Verb.DATABASE_GOES_ON, Verb.BECOME_CONTACTS}
}
OF_THE_SERVER: Final = {
    verb.value: verb for verb in (Verb.RESTARTS, Verb.DATABASE_STOPS, Verb.DATABASE_GOES_ON)
}
CRASHES: Final = {
    Verb.LOSES_SESSION_ACTOR: ("session", "rest"),
    Verb.FAILS_SESSION_ACTOR: ("session", "before decide"),
    Verb.LOSES_CONNECTION_ACTOR: ("connection", "rest"),
}
"""What dies in the server and when, as its faults on demand name it."""


class Step(NamedTuple):
    """One thing that happens.

    Attributes:
        line: Where it stands in the script.
        who: Which client; empty for what happens to the server.
        verb: What happens.
        text: What is sent or expected, without indentation and line ends; of two that
            become contacts, the other; of a stream, its state.
    """

    line: int
    who: str
    verb: Verb
    text: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A whole conversation.

    Attributes:
        title: What it shows, in a line.
        rows: The ids of the rows that it shows.
        settings: The server's settings where they are not the tests' usual ones, as `--set` takes them.
        parts: Who takes part, by name.
        steps: What happens, in order.
    """

    title: str
    rows: tuple[str, ...]
    settings: tuple[str, ...]
    parts: dict[str, Part]
    steps: tuple[Step, ...]

    @property
    def has_crashes(self) -> bool:
        """Whether something inside the server is made to die."""
        return any(step.verb in CRASHES for step in self.steps)


def read_script(path: Path) -> Script:
    """Read a script from a file.

    Raises:
        ScriptError: It is not one; names the file and the line.
    """
    try:
        return parse_script(path.read_text(encoding="utf-8"))
    except ScriptError as error:
        raise ScriptError(f"{path}: {error}") from None


def parse_script(text: str) -> Script:
    """Read a script.

    Raises:
        ScriptError: It is not one; names the line.
    """
    lines = list(enumerate(text.splitlines(), 1))
    if not lines or not lines[0][1].startswith("# "):
        raise ScriptError("line 1: begin with '# ' and what the script shows")
    title = lines[0][1].removeprefix("# ").strip()
    rows: list[str] = []
    settings: list[str] = []
    parts: dict[str, Part] = {}
    steps: list[Step] = []
    for number, line, block in _statements(lines):
        if block and line.startswith(("rows: ", "server: ", "client ")):
            raise ScriptError(f"line {number}: it takes no text")
        if line.startswith("rows: "):
            rows += _rows(number, line)
        elif line.startswith("server: "):
            settings.append(_setting(number, line))
        elif line.startswith("client "):
            part = _part(number, line)
            parts[part.name] = part
        else:
            steps.append(_step(number, line, block, parts))
    if not rows:
        raise ScriptError("line 2: say which rows it shows: 'rows: S-001, S-002'")
    return Script(title, tuple(rows), tuple(settings), parts, tuple(steps))


def _statements(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    """Each line at the margin with the indented lines behind it; comments and empty lines are nothing."""
    pending: tuple[int, str] | None = None
    block: list[str] = []
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            if pending is None:
                raise ScriptError(f"line {number}: indented, but nothing stands before it")
            block.append(line.strip())
            continue
        if pending is not None:
            yield (*pending, "".join(block))
        pending, block = (number, line.rstrip()), []
    if pending is not None:
        yield (*pending, "".join(block))


def _rows(number: int, line: str) -> list[str]:
    rows = [each.strip() for each in line.removeprefix("rows: ").split(",")]
    for row in rows:
        if _ROW.fullmatch(row) is None:
            raise ScriptError(f"line {number}: {row!r} is no row's id, such as S-001")
    return rows


def _setting(number: int, line: str) -> str:
    found = _SETTING.fullmatch(line)
    if found is None:
        raise ScriptError(f"line {number}: write 'server: section.name = value'")
    return f"{found['key']}={found['value']}"


def _part(number: int, line: str) -> Part:
    found = _CLIENT.fullmatch(line)
    if found is None:
        raise ScriptError(f"line {number}: write 'client NAME: ACCOUNT/RESOURCE, OPTIONS'")
    name = found["name"]
    account = found["account"] or name
    options = set(filter(None, (found["options"] or "").split(", ")))
    ways = [way for way in Way if way.value in options]
    unknown = options - {way.value for way in Way} - set(_OPTIONS)
    if unknown or len(ways) > 1:
        known = ", ".join([*(way.value for way in Way), *_OPTIONS])
        raise ScriptError(f"line {number}: options are {known}, one way at most")
    way = ways[0] if ways else Way.TLS
    return Part(
        name,
        account,
        found["resource"] or name,
        way,
        "unregistered" not in options,
        tuple(kind for kind in KINDS if f"{kind} kept" in options),
        "with a certificate" in options,
        "by that name" in options,
    )


def _step(number: int, line: str, block: str, parts: dict[str, Part]) -> Step:
    contacts = _CONTACTS.fullmatch(line)
    if contacts is not None and not block and contacts["name"] in parts and contacts["other"] in parts:
        return Step(number, contacts["name"], Verb.BECOME_CONTACTS, contacts["other"])
    stands = _STANDS.fullmatch(line)
    if stands is not None and not block:
        return Step(number, "", Verb.STANDS, stands["state"])
    verb = OF_THE_SERVER.get(line)
    who = ""
    if verb is None:
        who, _, rest = line.partition(" ")
        verb = OF_CLIENTS.get(rest)
        if verb is None:
            raise ScriptError(f"line {number}: nothing can happen like that: {line!r}; see README.md")
        if who not in parts:
            raise ScriptError(f"line {number}: there is no client {who!r}")
    if verb.value.endswith(":") != bool(block):
        raise ScriptError(f"line {number}: {'say what, indented' if not block else 'it takes no text'}")
    return Step(number, who, verb, block)
