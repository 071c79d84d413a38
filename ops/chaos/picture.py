"""A picture of a run, as SVG: messages a second over time, and below, a row for each kind of fault. Pure."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import count
from typing import Final, NamedTuple

from ops.chaos.kinds import KINDS
from ops.chaos.result import Mark, Result

WIDTH: Final = 1_000
_LEFT: Final = 130
_RIGHT: Final = 20
_TOP: Final = 64
_PLOT_HEIGHT: Final = 260
_ROW_HEIGHT: Final = 18
_BELOW: Final = 52
_SENT: Final = "#9aa5b1"
_DELIVERED: Final = "#1f6feb"
_AT_REST: Final = "#d29922"
_IN_HAND: Final = "#cf222e"
_WHOLE: Final = "#f3c6c9"
_GRID: Final = "#e5e7eb"
_TICKS_MAX: Final = 10


class _Scale(NamedTuple):
    """From seconds and messages a second to places in the picture."""

    seconds: float
    most: int

    def x(self, seconds: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(seconds / self.seconds, 1.0)

    def y(self, number: float) -> float:
        return _TOP + _PLOT_HEIGHT * (1 - number / self.most)


def picture(result: Result) -> str:
    """The SVG."""
    rows = [kind for kind in KINDS if any(mark.kind == kind for mark in result.marks)]
    height = _TOP + _PLOT_HEIGHT + _ROW_HEIGHT * len(rows) + _BELOW
    lengths = len(result.sent_by_second), len(result.delivered_by_second)
    scale = _Scale(
        max(result.seconds, *lengths, 1),
        _round_up(max((*result.sent_by_second, *result.delivered_by_second), default=1)),
    )
    style = 'font-family="sans-serif" font-size="12" fill="#24292f"'
    size = f'width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}" {style}>',
        f'<rect {size} fill="white"/>',
        _text(_LEFT, 22, _title(result), size=15),
        *_legend(),
        *_whole(result.marks, scale, height - _BELOW),
        *_grid(scale, height - _BELOW),
        _line(result.sent_by_second, scale, _SENT),
        _line(result.delivered_by_second, scale, _DELIVERED),
        *_rows(rows, result.marks, scale),
        _text((WIDTH + _LEFT) / 2, height - 10, "seconds since the clients began to chat", anchor="middle"),
        f'<g transform="translate(18 {_TOP + _PLOT_HEIGHT / 2}) rotate(-90)">',
        _text(0, 0, "messages a second", anchor="middle"),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _title(result: Result) -> str:
    verdict = "the balance holds" if result.holds else "the balance does not hold"
    options = result.options
    return f"trouper chaos, {options.clients} clients, seed {options.seed}: {verdict}"


def _legend() -> Iterator[str]:
    entries = (
        (_SENT, "sent"),
        (_DELIVERED, "delivered"),
        (_AT_REST, "fault at rest"),
        (_IN_HAND, "fault with a message in hand"),
        (_WHOLE, "the whole server ends"),
    )
    x = float(_LEFT)
    for colour, name in entries:
        yield f'<rect x="{x:.0f}" y="37" width="12" height="12" fill="{colour}"/>'
        yield _text(x + 17, 47, name)
        x += 40 + 6.5 * len(name)


def _grid(scale: _Scale, bottom: float) -> Iterator[str]:
    right = WIDTH - _RIGHT
    for number in _ticks(scale.most):
        y = scale.y(number)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 6, y + 4, f"{number:,}", anchor="end")
    for second in _ticks(int(scale.seconds)):
        x = scale.x(second)
        yield f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{_GRID}"/>'
        yield _text(x, bottom + 16, f"{second:,}", anchor="middle")
    yield f'<line x1="{_LEFT}" y1="{scale.y(0)}" x2="{right}" y2="{scale.y(0)}" stroke="#57606a"/>'
    yield f'<line x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{bottom}" stroke="#57606a"/>'


def _line(numbers: Sequence[int], scale: _Scale, colour: str) -> str:
    """Each second is drawn in its middle."""
    points = " ".join(
        f"{scale.x(second + 0.5):.1f},{scale.y(number):.1f}" for second, number in enumerate(numbers)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _whole(marks: Sequence[Mark], scale: _Scale, bottom: float) -> Iterator[str]:
    for mark in marks:
        if KINDS[mark.kind].ends_server:
            x = scale.x(mark.at)
            yield (
                f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{_WHOLE}" '
                'stroke-width="3"/>'
            )


def _rows(kinds: Sequence[str], marks: Sequence[Mark], scale: _Scale) -> Iterator[str]:
    for number, kind in enumerate(kinds):
        middle = _TOP + _PLOT_HEIGHT + _ROW_HEIGHT * (number + 0.5) + 6
        yield _text(_LEFT - 6, middle + 4, kind, anchor="end")
        for mark in marks:
            if mark.kind == kind:
                colour = _AT_REST if mark.point == "rest" else _IN_HAND
                about = f"{kind}, {mark.point}, {mark.at:.1f} s"
                yield (
                    f'<circle cx="{scale.x(mark.at):.1f}" cy="{middle:.1f}" r="3.5" fill="{colour}">'
                    f"<title>{escape(about)}</title></circle>"
                )


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _step(most: int) -> int:
    """1, 2 or 5 and noughts: the least of them that needs no more than the most ticks."""
    steps: Iterator[int] = (digit * 10**noughts for noughts in count() for digit in (1, 2, 5))
    return next(step for step in steps if most / step <= _TICKS_MAX)


def _ticks(most: int) -> range:
    return range(0, most + 1, _step(max(most, 1)))


def _round_up(number: int) -> int:
    step = _step(max(number, 1))
    return max(step, -(-number // step) * step)
