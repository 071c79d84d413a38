"""Tests of `ops.cli.rendering`: what people see."""

from typing import Any

from ops.cli.rendering import render_status, render_tree


def _node(id: str, *children: dict[str, Any], **values: Any) -> dict[str, Any]:
    node: dict[str, Any] = dict.fromkeys(("handled", "mailbox_depth", "refused", "restarts", "hidden"), 0)
    return {"id": id, "status": "running", "last_crash": None, **node, "children": list(children), **values}


def test_render_tree_is_drawn_in_order() -> None:
    users = _node("users", _node("juliet@localhost", handled=1234), _node("romeo@localhost"))
    root = _node("root", _node("store", _node("batcher")), users, _node("listeners"))
    assert "\n".join(render_tree(root)) == (
        "root\n"
        "├── store\n"
        "│   └── batcher\n"
        "├── users\n"
        "│   ├── juliet@localhost  handled 1,234\n"
        "│   └── romeo@localhost\n"
        "└── listeners"
    )


def test_render_tree_children_left_out_are_counted() -> None:
    lines = list(render_tree(_node("sessions", _node("a"), _node("b"), hidden=19_998)))
    assert lines == ["sessions", "├── a", "├── b", "└── and 19,998 more"]


def test_render_tree_what_is_unusual_is_said() -> None:
    crash = "ValueError: no\n  somewhere"
    node = _node("a", status="restarting", restarts=2, mailbox_depth=7, refused=1, last_crash=crash)
    assert list(render_tree(node)) == [
        "a  [restarting]  waiting 7  refused 1  restarts 2  last crash: ValueError: no"
    ]


def test_render_tree_where_an_actor_stands_is_said() -> None:
    node = _node("tcp#1", phase="wait_for_bind", handled=3)
    assert list(render_tree(node)) == ["tcp#1  wait_for_bind  handled 3"]


def test_render_tree_names_of_strangers_are_harmless() -> None:
    assert list(render_tree(_node("evil\x1b[2J\n@localhost"))) == ["evil\\x1b[2J\\n@localhost"]


def test_render_status_is_aligned_and_readable() -> None:
    status = {
        "domain": "localhost",
        "uptime_seconds": 3725.9,
        "listening": ["c2s 127.0.0.1:5222", "http 127.0.0.1:5280"],
        "sessions": 12_345,
        "database": {"state": "away", "since": None},
        "warnings": [],
        "is_open": False,
    }
    assert list(render_status(status)) == [
        "domain          localhost",
        "uptime          1:02:05",
        "listening       c2s 127.0.0.1:5222, http 127.0.0.1:5280",
        "sessions        12,345",
        "database state  away",
        "database since  unknown",
        "warnings        none",
        "is open         no",
    ]


def test_render_status_nothing_known_is_nothing_shown() -> None:
    assert list(render_status({})) == []
