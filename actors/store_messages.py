"""What the write batcher is told; the actor that handles these is in `store_batcher`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from store.writes import Outcome, Write
    from supervision.reply import Reply


@final
class Commit(NamedTuple):
    """Commit these together with whatever else is waiting; the reply has one outcome for each.

    With `waits_out` they are kept through an outage of any length: nobody waits for them who could try again.
    """

    writes: tuple[Write, ...]
    reply: Reply[list[Outcome]]
    waits_out: bool = False


@final
class BatchDone(NamedTuple):
    """The driver has come back with the batch, one way or the other."""

    answer: Reply[list[Outcome]]


@final
class TryAgain(NamedTuple):
    """It may be time to commit the same batch again."""


BatcherMessage = Commit | BatchDone | TryAgain
