"""One conversation between two people, from one seed: the same each time, and complete whoever dies in it."""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.actors.house_world import only_in_memory
from tests.simulation.conversation import KILLS_IN_HAND, Play, perform

ROOT = Path(__file__).resolve().parents[2]
SHOW = """
import hashlib
from tests.simulation.conversation import perform
print(hashlib.sha256(repr(perform({seed})[1]).encode()).hexdigest())
"""


def arrived(play: Play) -> list[str]:
    """The words of every message that a client got, in order, one client after the other."""
    log = [text for client in play.house.clients for text in client.log]
    return [found[1] for text in log if (found := re.search("<body>(.*?)</body>", text))]


def refused(play: Play) -> list[str]:
    """The words of every message that its sender was told could not be delivered."""
    errors = [text for client in play.house.clients for text in client.log if text.startswith("<message")]
    return [
        found[1] for text in errors if 'type="error"' in text and (found := re.search(' id="(.*?)"', text))
    ]


@pytest.mark.parametrize("seed", range(12))
def test_conversation_loses_doubles_and_reorders_nothing(seed: int) -> None:
    """Each message arrives once, or its sender is told; only what was in hand at a death can be refused."""
    threads = threading.active_count()
    play, trace = perform(seed)
    assert sorted(arrived(play) + refused(play)) == sorted(play.said)
    assert len(refused(play)) <= KILLS_IN_HAND
    for speaker in ("romeo", "juliet", "away", "back"):
        numbers = [int(words.split()[1]) for words in arrived(play) if words.startswith(speaker)]
        assert numbers == sorted(numbers)
    last = arrived(play)[-10:]
    assert last == [f"back {number}" for number in range(10)], "what had waited came before"
    assert len(trace.died) >= KILLS_IN_HAND
    assert trace.in_hand == KILLS_IN_HAND, "kills of parked actors prove little"
    assert threading.active_count() <= threads, (
        "it is done without any; idle ones of others may end meanwhile"
    )


def test_one_seed_gives_one_trace() -> None:
    for seed in range(3):
        assert perform(seed)[1] == perform(seed)[1]


def test_different_seeds_give_different_traces() -> None:
    traces = [perform(seed)[1] for seed in range(5)]
    assert len({trace.heard for trace in traces}) == 5
    assert len({trace.died for trace in traces}) == 5


def test_trace_is_the_same_in_every_process() -> None:
    """Whatever seed the process hashes with: nothing depends on the order of a set."""
    shown = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", SHOW.format(seed=4)]
        shown.add(subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True).stdout)
    assert len(shown) == 1
    assert len(shown.pop()) > 60


def test_only_in_memory_lets_no_socket_thread_or_process_begin() -> None:
    """What every house runs within, so that what it proves is proved."""
    with only_in_memory():
        with pytest.raises(AssertionError, match="neither sockets"):
            socket.socket()
        with pytest.raises(AssertionError, match="nor threads"):
            threading.Thread(target=print).start()
        with pytest.raises(AssertionError, match="nor processes"):
            subprocess.run(["true"], check=True)
    socket.socket().close()
