"""A TCP proxy that loses one request, or the answer to it: how a network leaves a client in doubt."""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Final, final

_HEADER: Final = struct.Struct("<i")  # MongoDB's messages begin with their length


@dataclass
class _Trap:
    """What to look for in a request, and what to lose."""

    needle: bytes
    loses_answer: bool
    times: int
    sprung: threading.Event = field(default_factory=threading.Event)


@final
class LossyProxy:
    """Stands between a client and a MongoDB server, and passes everything on until told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._trap: _Trap | None = None
        self._sockets: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def lose(self, needle: bytes, *, answer: bool, times: int = 1) -> threading.Event:
        """Cut the connection at the next requests holding `needle`: before they pass, or their answers."""
        self._trap = _Trap(needle, answer, times)
        return self._trap.sprung

    def close(self) -> None:
        """Cut everything."""
        _cut(self._listener)
        for each in list(self._sockets):
            _cut(each)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._server)
                self._sockets |= {client, server}
                deaf = threading.Event()
                for target in (self._pass_requests, self._pass_answers):
                    thread = threading.Thread(target=target, args=(client, server, deaf), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass_requests(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with client, contextlib.suppress(OSError):
            while message := _read_message(client):
                trap = self._trap
                if trap is not None and trap.needle in message:
                    trap.times -= 1
                    self._trap = trap if trap.times else None
                    trap.sprung.set()
                    if not trap.loses_answer:
                        break
                    deaf.set()
                server.sendall(message)
            _cut(server)

    def _pass_answers(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with server, contextlib.suppress(OSError):
            while (data := server.recv(65_536)) and not deaf.is_set():
                client.sendall(data)
            _cut(client)


def _read_message(connection: socket.socket) -> bytes:
    header = connection.recv(_HEADER.size, socket.MSG_WAITALL)
    if len(header) < _HEADER.size:
        return b""
    return header + connection.recv(_HEADER.unpack(header)[0] - _HEADER.size, socket.MSG_WAITALL)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
