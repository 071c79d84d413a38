"""Asks a running server over its control socket; used by the command line.

The socket lies in the data directory and is for its owner only. Whether a server runs is told by whether
somebody accepts there: a socket left behind by a killed server refuses.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ops.control_protocol import (
    ANSWER_BYTES_MAX,
    SOCKET_NAME,
    Refusal,
    Request,
    decode_answer,
    encode_request,
)

# Longer than any time-out inside the server, so that its reason arrives rather than ours.
ANSWER_SECONDS_MAX: Final = 30.0
_READ_BYTES: Final = 65_536


class ServerNotRunning(Exception):
    """Nobody listens in this data directory."""


@contextmanager
def control_address(data_dir: Path) -> Iterator[str]:
    """Gives an address of the socket that is short enough to bind or connect to (108 bytes, see unix(7)).

    Raises:
        OSError: The directory cannot be opened.
    """
    descriptor = os.open(data_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)


def is_running(data_dir: Path) -> bool:
    """Whether a server answers in this data directory.

    Raises:
        Refusal: Perhaps, but it may not be asked by us.
    """
    try:
        with _connected(data_dir):
            return True
    except ServerNotRunning:
        return False


def ask(data_dir: Path, request: Request) -> object:
    """Asks the server whose files lie in this directory, and returns its result.

    Raises:
        ServerNotRunning: There is no server.
        Refusal: It says no, says nothing, or may not be asked by us.
    """
    with _connected(data_dir) as connection:
        try:
            connection.sendall(encode_request(request))
            return decode_answer(_answer(connection))
        except OSError as error:
            raise Refusal(f"the server gave no answer to {request.command.value}: {error}") from error


@contextmanager
def _connected(data_dir: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS_MAX)
        try:
            with control_address(data_dir) as address:
                connection.connect(address)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise ServerNotRunning(f"no server is running on {data_dir}") from error
        except OSError as error:
            raise Refusal(f"the server's socket {data_dir / SOCKET_NAME} cannot be used: {error}") from error
        yield connection


def _answer(connection: socket.socket) -> bytes:
    answer = bytearray()
    while not answer.endswith(b"\n"):
        data = connection.recv(_READ_BYTES)
        if not data:
            raise Refusal("the server ended before it had answered")
        answer += data
        if len(answer) > ANSWER_BYTES_MAX:
            raise Refusal(f"the server's answer is longer than {ANSWER_BYTES_MAX} bytes")
    return bytes(answer)
