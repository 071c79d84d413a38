"""A stand-in for the running server's end of the control socket: answers each request with a function."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.control import control_address
from ops.control_protocol import Refusal, Request, decode_request, encode_refusal, encode_result

# A test that hangs is one that failed.
_SECONDS_MAX = 10.0


@contextmanager
def fake_server(data_dir: Path, answer: Callable[[Request], object]) -> Iterator[list[Request]]:
    """Listens in the data directory and gives the list of requests that came."""

    def reply(request: Request) -> bytes:
        requests.append(request)
        try:
            return encode_result(answer(request))
        except Refusal as error:
            return encode_refusal(error)

    requests: list[Request] = []
    with raw_server(data_dir, lambda line: reply(decode_request(line))):
        yield requests


@contextmanager
def raw_server(data_dir: Path, reply: Callable[[bytes], bytes]) -> Iterator[None]:
    """Listens in the data directory and answers each line with bytes, then ends the connection."""
    with listening(data_dir) as listener:
        thread = threading.Thread(target=_serve, args=(listener, reply))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_SECONDS_MAX)


@contextmanager
def listening(data_dir: Path) -> Iterator[socket.socket]:
    """Listens in the data directory and never accepts."""
    data_dir.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        with control_address(data_dir) as address:
            listener.bind(address)
        listener.listen()
        yield listener


def _serve(listener: socket.socket, reply: Callable[[bytes], bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # shut down: the test is over
        with connection, connection.makefile("rb") as lines:
            connection.settimeout(_SECONDS_MAX)
            line = lines.readline()
            if line:
                connection.sendall(reply(line))
