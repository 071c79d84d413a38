"""What `trouper status` tells of a running server: numbers and texts, read without stopping it."""

import resource
from collections.abc import Mapping
from typing import Final, final

import trio

from actors.registry import Count
from actors.server import Server
from ops.reports import Reporter

_MEGABYTE_KB: Final = 1024


@final
class Status:
    """Reads counts from where they are kept."""

    def __init__(self, server: Server, reporter: Reporter, version: str) -> None:
        self._server = server
        self._reporter = reporter
        self._version = version
        self._started_at = trio.current_time()

    async def read(self) -> Mapping[str, object]:
        """Returns the status as it is now."""
        server, counts = self._server, self._reporter.counts
        directory = await self._directory()
        return {
            "version": self._version,
            "domain": server.domain.full,
            "uptime_seconds": round(trio.current_time() - self._started_at, 1),
            "connections": server.connections.statistics().children,
            "sessions": directory["sessions"],
            "available": directory["available"],
            "users": directory["users"],
            "database": "away" if server.store.is_away else "answers",
            "crashes": counts["ChildTerminated"],
            "restarts_given_up": counts["IntensityReached"],
            "messages_set_aside": counts["MessageSetAside"],
            "failed_logins": counts["LoginFailed"],
            "memory_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _MEGABYTE_KB,
        }

    async def _directory(self) -> Mapping[str, int]:
        registry = self._server.registry
        assert registry is not None, "the registry starts before anybody can ask"
        return (await registry.call(Count))._asdict()
