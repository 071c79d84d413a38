"""Server and database die together under load: what was acknowledged is found once, each client resumes.

`make sigkill` does the same twenty times in a row.
"""

from pathlib import Path

import pytest

from tests.chaos.sigkill import CLIENTS, run

KILLS = 2


@pytest.mark.long
def test_sigkill_of_server_and_database_loses_nothing_and_each_client_resumes(tmp_path: Path) -> None:
    said: list[str] = []
    balance = run(tmp_path, KILLS, 1, said.append)
    assert balance.kills == KILLS == len(said)
    assert balance.resumptions == KILLS * CLIENTS
    assert sum(balance.in_flight) > 0  # there was something to lose
