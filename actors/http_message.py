"""HTTP requests and responses as values: a request's head is read by h11, within bounds (RFC 9112).

Used by the HTTP port. One connection carries one request: what has more to say becomes a WebSocket.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple, final

import h11
import trio

HEAD_BYTES_MAX: Final = 16_384
"""The request line with all headers; browsers stay below 4 KB, cookies included, and servers take 8 to 64."""


@final
class Request(NamedTuple):
    """The head of a request.

    Attributes:
        method: As sent.
        path: The target without its query.
        headers: By lower-case name; what was sent several times is joined by commas.
        rest: What has come behind the head.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    rest: bytes

    def tokens(self, header: str) -> list[str]:
        """What a header lists."""
        return [token.strip() for token in self.headers.get(header, "").split(",")]

    @property
    def forwarded_for(self) -> str | None:
        """The address of the client as the proxy next to us saw it; what stands before anybody can write."""
        last = self.tokens("x-forwarded-for")[-1]
        try:
            return ipaddress.ip_address(last).compressed
        except ValueError:
            return None


@final
class Response(NamedTuple):
    """A whole response; the connection is closed behind it.

    Attributes:
        status: Also its text, where no other is given.
        text: The body; none if empty.
        headers: Besides those that every response has.
    """

    status: HTTPStatus
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def to_bytes(self, *, with_body: bool = True) -> bytes:
        """As it is sent; without the body where it was only asked what that would be like."""
        body = f"{self.text or self.status.phrase}\n".encode()
        headers = (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            *self.headers,
        )
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", *map(": ".join, headers), "", ""]
        return "\r\n".join(lines).encode() + (body if with_body else b"")


@final
class RequestRefused(Exception):
    """The request cannot be served; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status.phrase)
        self.response = response


async def read_request(stream: trio.abc.ReceiveStream) -> Request:
    """Read the head of a request.

    Raises:
        RequestRefused: it is none, or too long.
        trio.BrokenResourceError: the client has gone.
    """
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
    size = 0
    try:
        while (event := reader.next_event()) is h11.NEED_DATA:
            data = await stream.receive_some()
            reader.receive_data(bytes(data))
            size += len(data)
    except h11.RemoteProtocolError as error:
        raise RequestRefused(Response(HTTPStatus(error.error_status_hint), str(error))) from error
    if not isinstance(event, h11.Request):
        raise trio.BrokenResourceError("the client has gone without a request")
    rest = reader.trailing_data[0]
    if size - len(rest) > HEAD_BYTES_MAX:  # it came in one piece, faster than h11 counts
        raise RequestRefused(Response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
    return Request(
        method=event.method.decode("ascii"),
        path=event.target.decode("ascii").partition("?")[0],
        headers=_headers(event),
        rest=rest,
    )


def _headers(event: h11.Request) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
