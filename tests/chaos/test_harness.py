"""The chaos harness in short, against a real server of its own: every sort of fault, and the balance holds.

Minutes of it, with hundreds of clients, are for `trouper chaos`.
"""

import io
import signal
from pathlib import Path
from typing import Final

import pytest

from ops.chaos.kinds import POINTS
from ops.chaos.options import Options
from ops.chaos.result import Result, as_lines
from ops.chaos.run import run
from ops.chaos.target import own_server

ACTORS: Final = ("session", "presence", "connection", "registry", "port driver", "batcher", "listener")
OUTSIDE: Final = ("cut", "stall", "database", "database process", "slow database")
pytestmark = pytest.mark.slow


async def chaos(folder: Path, options: Options) -> Result:
    async with own_server(folder) as target:
        result = await run(options, target, io.StringIO(), lambda _text: None)
        assert target.own is not None
        assert await target.own.stop() in (0, -signal.SIGKILL)
    return result


async def test_chaos_of_parts_loses_nothing(tmp_path: Path) -> None:
    """Every actor at every point, cut and stalled clients, a database that dies or stands still."""
    options = Options(20, 15.0, 1, (*ACTORS, *OUTSIDE), POINTS, 4.0, 2.0)
    result = await chaos(tmp_path, options)
    assert result.holds, "\n".join(as_lines(result))
    assert result.resumed > 0
    assert result.balance.delivered > 200


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("server", marks=pytest.mark.long),
        pytest.param("restart", marks=pytest.mark.long),
        pytest.param("server process", marks=pytest.mark.long),
    ],
)
async def test_chaos_of_the_whole_server_loses_nothing(tmp_path: Path, kind: str) -> None:
    """SIGKILL and SIGTERM of server and database under load: every client resumes, nothing is lost."""
    options = Options(10, 6.0, 1, (kind,), ("rest", "after decide"), 1.0, 2.0)
    result = await chaos(tmp_path, options)
    assert result.balance.holds, "\n".join(as_lines(result))
    assert not result.violations
    assert not result.not_resumed
    assert result.resumed >= options.clients
    assert sum(made.times for made in result.made if made.kind == kind) == 1
    assert result.recoveries[kind].times == 1
