"""Tests of `ops.chaos.result`: the verdict, and what people and programs are shown."""

import json
from typing import Any

import pytest

from ops.chaos.kinds import POINTS
from ops.chaos.ledger import MessageId
from ops.chaos.result import Made, Result, as_lines, as_object, meetable_points
from tests.ops.chaos.results import BALANCE, RESULT

ID = MessageId(3, 4, 5)


def test_result_holds() -> None:
    assert RESULT.holds
    assert RESULT.points_hit == {"before decide": 2, "after decide": 3, "in apply": 1}
    assert RESULT.points_missed == ()
    assert round(RESULT.delivered_a_second, 1) == 49.7


@pytest.mark.parametrize(
    "changes",
    [
        {"balance": BALANCE._replace(lost=(ID,))},
        {"balance": BALANCE._replace(owed=(ID,))},
        {"balance": BALANCE._replace(doubled=(ID,))},
        {"balance": BALANCE._replace(disordered=(ID,))},
        {"balance": BALANCE._replace(strays=("what",))},
        {"violations": ("h ran backwards",)},
        {"made": tuple(each for each in RESULT.made if each.point != "in apply")},
        {"made": tuple(each._replace(times=0) for each in RESULT.made)},
    ],
    ids=" ".join,
)
def test_result_with_anything_wrong_does_not_hold(changes: dict[str, Any]) -> None:
    result: Result = RESULT._replace(**changes)
    assert not result.holds
    assert list(as_lines(result))[-1].startswith("The balance does not hold.")
    assert as_object(result)["holds"] is False


def test_result_wants_only_points_that_were_chosen_and_can_be_met() -> None:
    made = (Made("registry", "after decide", 1),)
    options = RESULT.options._replace(points=("rest", "after decide"))
    assert RESULT._replace(made=made, options=options).holds
    options = RESULT.options._replace(kinds=("cut", "server"))
    assert RESULT._replace(made=(), options=options).holds


def test_meetable_points_are_those_of_the_kinds() -> None:
    assert meetable_points(("port driver",), POINTS) == ("before decide",)
    assert meetable_points(("cut", "listener"), POINTS) == ()
    assert meetable_points(("registry",), ("in apply", "rest")) == ("in apply",)


def test_as_object_is_json_and_tells_all() -> None:
    shown = json.loads(json.dumps(as_object(RESULT)))
    assert set(Result._fields) <= set(shown)
    assert shown["points_hit"] == {"before decide": 2, "after decide": 3, "in apply": 1}
    assert shown["balance"]["lost"] == []
    assert shown["recoveries"]["cut"] == {"times": 2, "p50": 0.1, "p99": 0.2, "max": 0.2}
    assert shown["made"][0] == {"kind": "cut", "point": "rest", "times": 4}
    assert shown["options"]["seed"] == 7


def test_as_object_names_messages() -> None:
    result = RESULT._replace(balance=BALANCE._replace(doubled=(ID,)))
    assert as_object(result)["balance"]["doubled"] == ["3:4:5"]


def test_as_lines_tell_the_balance() -> None:
    text = "\n".join(as_lines(RESULT))
    for expected in (
        "20 clients, 30 s, 1 messages a second each, 2 faults a second, seed 7",
        "sent                        1,500",
        "delivered                   1,490   50 a second",
        "refused                     10, of which 0 arrived all the same",
        "after a refused resumption  3 sent again, 1 doubled, 2 out of order",
        "24: 20 by the server: without a word, 4 cut by the harness",
        "not resumed                      1: 1 item-not-found",
        "150 asked, 148 answered, 1 without an answer, 1 gone with their session",
        "faults: 11, of which 6 met a message in hand",
        "registry, after decide",
        "  cut: the client was not connected  2",
        "The balance holds: nothing lost, nothing doubled, nothing out of order.",
    ):
        assert expected in text


def test_as_lines_name_what_is_wrong_up_to_a_bound() -> None:
    lost = tuple(MessageId(0, 1, number) for number in range(25))
    text = "\n".join(as_lines(RESULT._replace(balance=BALANCE._replace(lost=lost))))
    assert "lost: 0:1:0, 0:1:1," in text
    assert "0:1:9 and 15 more\n" in text
    assert "--seed 7" in text


def test_as_lines_name_points_that_were_never_hit() -> None:
    text = "\n".join(as_lines(RESULT._replace(made=())))
    assert "never hit with a message in hand: before decide, after decide, in apply" in text
