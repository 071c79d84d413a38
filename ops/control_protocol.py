"""What is said over the control socket: one JSON object a line, a request and its answer.

    {"command": "user.add", "arguments": {"jid": "juliet@localhost", "password": "…"}}
    {"ok": true, "result": …}
    {"ok": false, "error": "there is such an account already"}

Used by both ends: the command line (`ops/control.py`) and the actor that listens in the running server.
"""

import json
from collections.abc import Mapping
from enum import Enum, unique
from typing import Any, Final, NamedTuple

# In the data directory, for its owner only.
SOCKET_NAME: Final = "control.sock"

# An address and a password of the largest size fit many times.
REQUEST_BYTES_MAX: Final = 65_536
# The tree of a large server, of which each supervisor shows a bounded number of children.
ANSWER_BYTES_MAX: Final = 16_777_216
# Names in one answer to `user.list`; who wants more asks for those after the last.
USERS_PER_ANSWER_MAX: Final = 1_000
# Messages in one answer to `why`: as many as are looked at, and as fit an answer with some events each.
MESSAGES_DEFAULT: Final = 100
MESSAGES_MAX: Final = 5_000


@unique
class Command(Enum):
    """What can be asked, with the arguments and the result of each.

    - `user.add` (jid, password, keep: what else of it, a list of the words of
      `protocols.sasl.kinds`, or nothing), `user.passwd` (jid, password),
      `user.delete` (jid), `user.disable` (jid), `user.enable` (jid): {"jid"}
    - `user.list` (after: a name or null): {"users": [names], "next": the last of them, or null at the end}
    - `status`: an object of numbers and texts
    - `tree`: an object with the fields of `supervision.tree.NodeSnapshot`
    - `why` (jid, message: an id or null, count: how many at most): {"jid", "since_ms": from when on all is
      known, or null, "database_away": why, or null, "omitted": how many older messages are left out,
      "messages": [{"from", "to", "id", "stanza_id",
      "waits": {"seq", "since_ms", "owed_to": [JID or null], "is_acknowledged"} or null,
      "events": [{"at_ms", "fate" and, if any, "resource", "is_managed", "number", "seq", "detail"}]}]}
    - `fault` (kind, at, match, pick: which of those that match, or null for all): {"killed"}; only if the
      server was started with `--faults`, as are these two
    - `fault.disarm`: {"disarmed"}
    - `fault.count` (after: a number from an answer before, or none): {"happened": {name: number},
      "recoveries": [[kind, seconds]], "next": a number}
    """

    USER_ADD = "user.add"
    USER_DELETE = "user.delete"
    USER_PASSWD = "user.passwd"  # noqa: S105 - a command's name
    USER_DISABLE = "user.disable"
    USER_ENABLE = "user.enable"
    USER_LIST = "user.list"
    STATUS = "status"
    TREE = "tree"
    WHY = "why"
    FAULT = "fault"
    FAULT_DISARM = "fault.disarm"
    FAULT_COUNT = "fault.count"


class Request(NamedTuple):
    """One question."""

    command: Command
    arguments: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Returns an argument that must be a text.

        Raises:
            Refusal: It is missing, or is none.
        """
        value = self.arguments.get(name)
        if not isinstance(value, str):
            raise Refusal(f"{self.command.value} needs {name}, a text")
        return value

    def number(self, name: str) -> int:
        """Returns an argument that must be a whole number.

        Raises:
            Refusal: It is missing, or is none.
        """
        value = self.arguments.get(name)
        if not isinstance(value, int):
            raise Refusal(f"{self.command.value} needs {name}, a whole number")
        return value


class Refusal(Exception):
    """The answer is no, for a reason to be shown to whoever asked."""


def encode_request(request: Request) -> bytes:
    """Returns the line of a request."""
    return _line({"command": request.command.value, "arguments": dict(request.arguments)})


def decode_request(line: bytes) -> Request:
    """Reads the line of a request.

    Raises:
        Refusal: It is none.
    """
    read = _object(line)
    arguments = read.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Refusal("arguments must be an object")
    try:
        return Request(Command(read.get("command")), arguments)
    except ValueError:
        raise Refusal(
            f"no such command; there are {', '.join(command.value for command in Command)}"
        ) from None


def encode_result(result: object) -> bytes:
    """Returns the line of an answer."""
    return _line({"ok": True, "result": result})


def encode_refusal(refusal: Refusal) -> bytes:
    """Returns the line of an answer that is no."""
    return _line({"ok": False, "error": str(refusal)})


def decode_answer(line: bytes) -> object:
    """Reads the line of an answer and returns the result in it.

    Raises:
        Refusal: The answer is no.
    """
    read = _object(line)
    if read.get("ok") is not True:
        raise Refusal(str(read.get("error", "the server gave no reason")))
    return read.get("result")


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refusal("this is no JSON") from error
    if not isinstance(read, dict):
        raise Refusal("this is no JSON object")
    return read
