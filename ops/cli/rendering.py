"""What `trouper status` and `trouper tree` show, as text for people.

Takes what the control socket answered (`ops/control_protocol.py`). Names in it may be strangers' choice.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ops.harmless import harmless_line

# A crash is shown in the tree by its first line only, and not all of that.
_CRASH_CHARACTERS_MAX: Final = 100
_MINUTE_SECONDS: Final = 60


def render_status(status: Mapping[str, Any]) -> Iterator[str]:
    """Yields one line for each thing known, names to the left."""
    rows = list(_flattened("", status))
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        yield harmless_line(f"{name:{width}}  {value}")


def render_tree(node: Mapping[str, Any]) -> Iterator[str]:
    """Yields one line for each actor, joined to its supervisor by lines."""
    yield _described(node)
    yield from _branches(node, "")


def _flattened(prefix: str, status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in status.items():
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flattened(f"{label} ", value)
        elif name.endswith("_seconds") and isinstance(value, int | float):
            yield label.removesuffix(" seconds"), _duration(value)
        elif isinstance(value, list):
            yield label, ", ".join(map(str, value)) or "none"
        else:
            yield label, _shown(value)


def _shown(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), _MINUTE_SECONDS)
    hours, minutes = divmod(minutes, _MINUTE_SECONDS)
    return f"{hours}:{minutes:02}:{rest:02}"


def _branches(node: Mapping[str, Any], indent: str) -> Iterator[str]:
    children: list[Mapping[str, Any]] = list(node["children"])
    hidden = int(node.get("hidden", 0))
    for number, child in enumerate(children, 1):
        is_last = number == len(children) and not hidden
        yield f"{indent}{'└── ' if is_last else '├── '}{_described(child)}"
        yield from _branches(child, indent + ("    " if is_last else "│   "))
    if hidden:
        yield f"{indent}└── and {hidden:,} more"


def _described(node: Mapping[str, Any]) -> str:
    parts = [str(node["id"])]
    if node["status"] != "running":
        parts.append(f"[{node['status']}]")
    if node.get("phase"):
        parts.append(str(node["phase"]))
    parts += [f"{name} {node[key]:,}" for key, name in _COUNTED if node[key]]
    if node["last_crash"]:
        crash = str(node["last_crash"]).splitlines()[0]
        parts.append(f"last crash: {crash[:_CRASH_CHARACTERS_MAX]}")
    return harmless_line("  ".join(parts))


# What is worth a word where it is not zero.
_COUNTED: Final = (
    ("handled", "handled"),
    ("mailbox_depth", "waiting"),
    ("refused", "refused"),
    ("restarts", "restarts"),
)
