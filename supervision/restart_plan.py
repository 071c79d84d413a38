"""Pure: which children of a fixed supervisor are stopped and started when one has died."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

from supervision.child_spec import Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence


@final
class RestartPlan(NamedTuple):
    """Children by id: first stop these, in this order, then start those, in that order."""

    stop: tuple[str, ...]
    start: tuple[str, ...]


def plan_restart(strategy: Strategy, order: Sequence[str], died: str) -> RestartPlan:
    """What to do when `died` is to be restarted; `order` is the order of start.

    Stopping runs from the last started to the first, starting from the first to the last.

    Raises:
        ValueError: `died` is not among the children.
    """
    position = list(order).index(died)
    match strategy:
        case Strategy.ONE_FOR_ONE:
            shared: tuple[str, ...] = (died,)
        case Strategy.REST_FOR_ONE:
            shared = tuple(order[position:])
        case Strategy.ONE_FOR_ALL:
            shared = tuple(order)
    return RestartPlan(tuple(id_ for id_ in reversed(shared) if id_ != died), shared)
