"""From what supervisors and actors report to lines in the log and counts for `trouper status`."""

from collections import Counter
from typing import Final, final

from structlog.typing import FilteringBoundLogger

from actors.module_host import HandlerFailed
from actors.store_batcher import DatabaseAway, DatabaseBack
from protocols.negotiation_values import LoginFailed
from supervision.exit_reason import Shutdown, describe
from supervision.report import (
    ChildStarted,
    ChildTerminated,
    IntensityReached,
    MessageSetAside,
    Report,
    ShutdownFailed,
    StartFailed,
)
from supervision.supervisor import REACHED_MAX_RESTART_INTENSITY

_IN_HAND_CHARACTERS_MAX: Final = 200


@final
class Reporter:
    """Logs reports and counts them by kind."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger
        self.counts: Counter[str] = Counter()

    def report(self, report: Report) -> None:
        """Takes a report of the runtime."""
        self.counts[type(report).__name__] += 1
        log = self._logger
        match report:
            case ChildStarted(path, incarnation, recovery) if incarnation > 1:
                log.info("restarted", actor=path, incarnation=incarnation, recovery_seconds=recovery)
            case ChildStarted(path):
                log.debug("started", actor=path)
            case ChildTerminated(path, incarnation, reason, in_hand, will_restart):
                log.error(
                    "an actor died",
                    actor=path,
                    incarnation=incarnation,
                    reason=describe(reason),
                    in_hand=None if in_hand is None else type(in_hand).__name__,
                    will_restart=will_restart,
                    exc_info=getattr(reason, "error", None),
                )
            case StartFailed(path, _, Shutdown(why)) if report.reason != REACHED_MAX_RESTART_INTENSITY:
                log.debug("stopped before it had started", actor=path, why=why)
            case StartFailed(path, _incarnation, reason):
                log.error("an actor did not start", actor=path, reason=describe(reason))
            case ShutdownFailed(path, grace, still_lives):
                log.warning("an actor did not stop in time", actor=path, grace=grace, still_lives=still_lives)
            case IntensityReached(path, restarts, period):
                log.error("given up after too many restarts", actor=path, restarts=restarts, period=period)
            case MessageSetAside(path, message, error):
                log.error(
                    "a message was set aside", actor=path, message=type(message).__name__, error=repr(error)
                )

    def note(self, event: object) -> None:
        """Takes what actors want noted."""
        self.counts[type(event).__name__] += 1
        match event:
            case LoginFailed(account, condition):
                self._logger.info(
                    "a log-in failed", account=None if account is None else account.full, why=condition.value
                )
            case DatabaseAway(why):
                self._logger.warning("the database does not answer", why=why)
            case DatabaseBack(seconds):
                self._logger.warning("the database answers again", away_seconds=round(seconds, 1))
            case HandlerFailed(module, handler, error):
                self._logger.error("a module failed", module=module, handler=handler, exc_info=error)
            case _:
                self._logger.info(repr(event)[:_IN_HAND_CHARACTERS_MAX])
