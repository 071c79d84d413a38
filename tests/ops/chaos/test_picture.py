"""Tests of `ops.chaos.picture`: what stands in the picture, and that it is within it."""

import re
from xml.etree import ElementTree as ET

import pytest

from ops.chaos.picture import WIDTH, _round_up, _ticks, picture
from ops.chaos.result import Mark
from tests.ops.chaos.results import RESULT

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> ET.Element:
    return ET.fromstring(text)


def texts(svg: ET.Element) -> list[str]:
    return [each.text or "" for each in svg.iter(f"{SVG}text")]


def test_picture_has_axes_with_labels_and_a_legend() -> None:
    shown = texts(drawn(picture(RESULT)))
    for expected in (
        "messages a second",
        "seconds since the clients began to chat",
        "sent",
        "delivered",
        "fault at rest",
        "fault with a message in hand",
        "the whole server ends",
        "trouper chaos, 20 clients, seed 7: the balance holds",
        "0",
        "120",
    ):
        assert expected in shown


def test_picture_draws_a_point_for_each_second() -> None:
    sent, delivered = drawn(picture(RESULT)).iter(f"{SVG}polyline")
    assert len(sent.get("points", "").split()) == len(delivered.get("points", "").split()) == 3
    heights = [float(point.split(",")[1]) for point in delivered.get("points", "").split()]
    assert heights[2] < heights[0] < heights[1]


def test_picture_has_a_row_for_each_kind_that_was_made_and_a_mark_for_each_fault() -> None:
    svg = drawn(picture(RESULT))
    shown = texts(svg)
    assert {"cut", "server", "registry"} <= set(shown)
    assert "session" not in shown
    marks = list(svg.iter(f"{SVG}circle"))
    assert [mark[0].text for mark in marks] == [
        "registry, in apply, 2.0 s",
        "server, rest, 1.0 s",
        "cut, rest, 0.5 s",
    ]
    assert len({mark.get("cy") for mark in marks}) == 3
    assert len({mark.get("fill") for mark in marks}) == 2


def test_picture_keeps_everything_within_its_bounds() -> None:
    late = Mark(1_000.0, "cut", "rest")
    svg = drawn(picture(RESULT._replace(marks=(*RESULT.marks, late))))
    height = float(svg.get("height", 0))
    for each in svg.iter(f"{SVG}circle"):
        assert 0 < float(each.get("cx", 0)) <= WIDTH
        assert 0 < float(each.get("cy", 0)) < height
    for line in svg.iter(f"{SVG}polyline"):
        for x, y in re.findall(r"([\d.]+),([\d.]+)", line.get("points", "")):
            assert 0 < float(x) <= WIDTH
            assert 0 < float(y) < height


def test_picture_of_a_run_in_which_nothing_happened_is_one() -> None:
    empty = RESULT._replace(sent_by_second=(), delivered_by_second=(), marks=(), seconds=0.0)
    assert "messages a second" in texts(drawn(picture(empty)))


@pytest.mark.parametrize(
    ("most", "step"), [(1, 1), (10, 1), (11, 2), (21, 5), (51, 10), (300, 50), (1_001, 200)]
)
def test_ticks_are_round_numbers_and_few(most: int, step: int) -> None:
    assert _ticks(most).step == step
    assert len(_ticks(most)) <= 11


@pytest.mark.parametrize(("number", "rounded"), [(1, 1), (12, 12), (23, 25), (111, 120), (0, 1)])
def test_round_up_ends_at_a_tick(number: int, rounded: int) -> None:
    assert _round_up(number) == rounded
