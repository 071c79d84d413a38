"""The simulation is tested as well: it must find each bug that is planted, and soon."""

import pytest

from tests.simulation.campaign import run_seed
from tests.simulation.planted import PLANTS

SEEDS_MAX = 15
"""Within which each is found; the most elusive one takes a crash between a delivery and its commit."""
SIGNS = {
    "drop": "was acknowledged and is lost",
    "early-ack": "was given h=",
    "early-delivery": "came twice to",
    "fresh-id": "came twice to",
    "low-h": "was given h=",
}


def has_sign(name: str, faults: tuple[str, ...]) -> bool:
    return any(SIGNS[name] in fault for fault in faults)


@pytest.mark.long
@pytest.mark.parametrize("name", PLANTS)
def test_planted_bug_is_found(name: str) -> None:
    for seed in range(SEEDS_MAX):
        if has_sign(name, run_seed(seed, name).faults) and not has_sign(name, run_seed(seed).faults):
            return
    pytest.fail(f"{SEEDS_MAX} seeds did not find it")
