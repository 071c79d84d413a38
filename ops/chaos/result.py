"""The result of a run: a value, the verdict on it, and how it is shown as JSON and to people. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ops import faults
from ops.chaos.kinds import KINDS
from ops.chaos.ledger import Balance
from ops.chaos.options import Options
from ops.chaos.statistics import Quantiles

NAMES_SHOWN_MAX: Final = 10
"""Messages, or sentences, named where something is wrong."""


class Mark(NamedTuple):
    """A fault that was made, or armed, so many seconds after the clients began to chat."""

    at: float
    kind: str
    point: str


class Made(NamedTuple):
    """How often a kind of fault met its victim at a point."""

    kind: str
    point: str
    times: int


class Missed(NamedTuple):
    """How often a kind of fault could not be made, and why."""

    kind: str
    why: str
    times: int


class Result(NamedTuple):
    """See the module's docstring.

    Attributes:
        options: What was asked for.
        seconds: For how long the clients chatted.
        balance: What became of the messages.
        closed: Streams that ended before they should, by who ended them and how.
        refused_attempts: Attempts to connect that failed, by the reason.
        resumed: Resumptions that succeeded.
        not_resumed: Those that were refused, by the reason.
        asked: Questions put to the server.
        answered: Answers to them.
        unanswerable: Questions that were pending when a resumption was refused.
        violations: What the server did that it may not.
        made: Faults that met their victims.
        missed: Faults that could not be made.
        recoveries: How long what was killed, cut or restarted was away, by kind.
        sent_by_second: Messages sent, by second.
        delivered_by_second: Messages that arrived for the first time, by second.
        marks: When each fault was made.
    """

    options: Options
    seconds: float
    balance: Balance
    closed: Mapping[str, int]
    refused_attempts: Mapping[str, int]
    resumed: int
    not_resumed: Mapping[str, int]
    asked: int
    answered: int
    unanswerable: int
    violations: tuple[str, ...]
    made: tuple[Made, ...]
    missed: tuple[Missed, ...]
    recoveries: Mapping[str, Quantiles]
    sent_by_second: tuple[int, ...]
    delivered_by_second: tuple[int, ...]
    marks: tuple[Mark, ...]

    @property
    def points_hit(self) -> Mapping[str, int]:
        """How often a message was in hand at each chosen point; `rest` has none."""
        points = meetable_points(self.options.kinds, self.options.points)
        return {point: sum(each.times for each in self.made if each.point == point) for point in points}

    @property
    def points_missed(self) -> tuple[str, ...]:
        """Chosen points at which no fault has met a message in hand."""
        return tuple(point for point, count in self.points_hit.items() if not count)

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, doubled or out of order, no rule was broken, and every point was hit."""
        return self.balance.holds and not self.violations and not self.points_missed

    @property
    def delivered_a_second(self) -> float:
        """Messages delivered a second, on average."""
        return self.balance.delivered / self.seconds if self.seconds else 0.0


def meetable_points(kinds: Sequence[str], points: Sequence[str]) -> tuple[str, ...]:
    """Those of the points at which one of the kinds can meet a message in hand."""
    possible = {point for kind in kinds for point in KINDS[kind].at if point != faults.AT_REST}
    return tuple(point for point in points if point in possible)


def as_object(result: Result) -> dict[str, Any]:
    """The result for JSON."""
    balance = {
        name: [str(id) for id in value] if isinstance(value, tuple) else value
        for name, value in result.balance._asdict().items()
    }
    shown = result._asdict() | {
        "options": result.options._asdict(),
        "balance": balance,
        "recoveries": {kind: each._asdict() for kind, each in result.recoveries.items()},
        "made": [each._asdict() for each in result.made],
        "missed": [each._asdict() for each in result.missed],
        "marks": [each._asdict() for each in result.marks],
        "closed": dict(result.closed),
    }
    return {
        "holds": result.holds,
        "points_hit": dict(result.points_hit),
        "points_missed": list(result.points_missed),
        "delivered_a_second": round(result.delivered_a_second, 1),
        **shown,
    }


def as_lines(result: Result) -> Iterator[str]:
    """The result for people, the verdict last."""
    options = result.options
    yield (
        f"{options.clients} clients, {result.seconds:.0f} s, {options.pace:g} messages a second each, "
        f"{options.rate:g} faults a second, seed {options.seed}"
    )
    yield ""
    yield from _table(_messages(result))
    yield ""
    yield from _table(_streams(result))
    yield ""
    yield from _faults(result)
    yield from _times(result)
    yield from _wrong(result)
    yield _verdict(result)


def _messages(result: Result) -> Iterator[tuple[str, str]]:
    balance = result.balance
    yield "sent", f"{balance.sent:,}"
    yield "acknowledged", f"{balance.acknowledged:,}"
    yield "delivered", f"{balance.delivered:,}   {result.delivered_a_second:,.0f} a second"
    yield "lost", f"{len(balance.lost):,}"
    yield "owed in the end", f"{len(balance.owed):,}"
    yield "doubled", f"{len(balance.doubled):,}"
    yield "out of order", f"{len(balance.disordered):,}"
    yield "from nowhere", f"{len(balance.strays):,}"
    yield "refused", f"{balance.refused:,}, of which {balance.refused_and_delivered:,} arrived all the same"
    again = f"{balance.sent_again:,} sent again, {balance.perhaps_doubled:,} doubled"
    yield "after a refused resumption", f"{again}, {balance.perhaps_disordered:,} out of order"


def _streams(result: Result) -> Iterator[tuple[str, str]]:
    yield "streams closed", _counts(result.closed)
    yield "attempts to connect that failed", _counts(result.refused_attempts)
    yield "resumed", f"{result.resumed:,}"
    yield "not resumed", _counts(result.not_resumed)
    left = result.asked - result.answered - result.unanswerable
    answered = f"{result.asked:,} asked, {result.answered:,} answered, {left:,} without an answer"
    yield "questions", f"{answered}, {result.unanswerable:,} gone with their session"


def _faults(result: Result) -> Iterator[str]:
    in_hand = sum(result.points_hit.values())
    yield f"faults: {sum(each.times for each in result.made):,}, of which {in_hand:,} met a message in hand"
    yield from _table((f"  {each.kind}, {each.point}", f"{each.times:,}") for each in result.made)
    if result.missed:
        yield "faults that could not be made"
        yield from _table((f"  {each.kind}: {each.why}", f"{each.times:,}") for each in result.missed)
    yield ""


def _times(result: Result) -> Iterator[str]:
    if result.recoveries:
        width = max(map(len, result.recoveries)) + 2
        yield f"{'back after (s)':{width}}{'p50':>10}{'p99':>10}{'max':>10}{'times':>8}"
        for kind, each in result.recoveries.items():
            yield f"  {kind:{width - 2}}{each.p50:10.4f}{each.p99:10.4f}{each.max:10.4f}{each.times:8,}"
        yield ""


def _wrong(result: Result) -> Iterator[str]:
    balance = result.balance
    named = (
        ("lost", balance.lost),
        ("owed", balance.owed),
        ("doubled", balance.doubled),
        ("out of order", balance.disordered),
        ("from nowhere", balance.strays),
        ("against the rules", result.violations),
        ("never hit with a message in hand", result.points_missed),
    )
    for what, names in named:
        if names:
            more = f" and {len(names) - NAMES_SHOWN_MAX:,} more" if len(names) > NAMES_SHOWN_MAX else ""
            yield f"{what}: {', '.join(map(str, names[:NAMES_SHOWN_MAX]))}{more}"


def _verdict(result: Result) -> str:
    if result.holds:
        return "The balance holds: nothing lost, nothing doubled, nothing out of order."
    return f"The balance does not hold. Another run with the same faults: --seed {result.options.seed}"


def _counts(counts: Mapping[str, int]) -> str:
    total = f"{sum(counts.values()):,}"
    parts = ", ".join(
        f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1])
    )
    return f"{total}: {parts}" if parts else total


def _table(rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        yield f"{name:{width}}  {value}"
