"""Becomes another program that ends when the process that started it does (Linux; see prctl(2)).

Run as a script, with the parent's process id and the command to become. The wish outlives `execv`, and the
signal comes when the *thread* that started the child ends: start it from the main thread. It is asked for
here, in a new interpreter, rather than between fork and exec in the parent, where other threads' locks make
any Python code a gamble. The signal is the one that cannot be missed: what the child holds (a lock, a port)
must be free for the next of its kind. Elsewhere than on Linux the command runs without the tie.
"""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the command."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            return  # it ended before we asked: nobody is left to tell us
    os.execv(command[0], command)  # noqa: S606 - the command is ours, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
