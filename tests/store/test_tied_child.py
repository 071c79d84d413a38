"""A tied child does not outlive its parent, not even one that was killed."""

import os
import select
import signal
import subprocess
import sys

from store import tied_child

SECONDS_MAX = 20.0

# Starts a child that sleeps, come what may, says its process id, and sleeps as well.
PARENT = """
import os, subprocess, sys, time
tie = [sys.executable, "-I", "-S", sys.argv[1], str(os.getpid())]
sleep = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
child = subprocess.Popen([*tie, sys.executable, "-c", sleep], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


def test_tied_child_ends_when_its_parent_is_killed() -> None:
    command = [sys.executable, "-c", PARENT, tied_child.__file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    # A pidfd is readable once its process has ended.
    ended, _, _ = select.select([child], [], [], SECONDS_MAX)
    os.close(child)
    assert ended


def test_tied_child_whose_parent_is_gone_does_not_start() -> None:
    stranger = "1" if os.getpid() != 1 else "2"
    done = subprocess.run(
        [sys.executable, "-I", "-S", tied_child.__file__, stranger, "/bin/echo", "started"],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b""


def test_tied_child_becomes_the_command() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            tied_child.__file__,
            str(os.getpid()),
            "/bin/sh",
            "-c",
            "echo $0 $1",
            "a",
            "b c",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "a b c\n"
