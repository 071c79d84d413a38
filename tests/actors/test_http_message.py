"""Requests are read within bounds, whatever comes and however it is cut; responses are what HTTP wants."""

from collections.abc import Sequence
from http import HTTPStatus

import pytest
import trio

from actors.http_message import HEAD_BYTES_MAX, Request, RequestRefused, Response, read_request

PLAIN = b"GET /ws?x=1 HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-a: 2, 3\r\n\r\n"


class Pieces(trio.abc.ReceiveStream):
    """Gives these pieces, then the end."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = list(pieces)

    async def receive_some(self, _max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.pieces.pop(0) if self.pieces else b""

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def request(**headers: str) -> Request:
    return Request("GET", "/", {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize("size", [1, 7, len(PLAIN)])
async def test_read_request_is_the_same_however_it_is_cut(size: int) -> None:
    pieces = [PLAIN[start : start + size] for start in range(0, len(PLAIN), size)]
    read = await read_request(Pieces(pieces))
    assert read == Request("GET", "/ws", {"host": "localhost", "x-a": "1, 2, 3"}, b"")
    assert read.tokens("x-a") == ["1", "2", "3"]
    assert read.tokens("x-b") == [""]


async def test_read_request_keeps_what_comes_behind() -> None:
    assert (await read_request(Pieces([PLAIN + b"\x81\x80more"]))).rest == b"\x81\x80more"


async def test_read_request_takes_a_head_of_the_largest_size() -> None:
    padding = HEAD_BYTES_MAX - len(PLAIN) - len("X-P: \r\n")
    head = PLAIN[:-2] + b"X-P: " + b"p" * padding + b"\r\n\r\n"
    assert len(head) == HEAD_BYTES_MAX
    assert (await read_request(Pieces([head + b"behind"]))).rest == b"behind"


@pytest.mark.parametrize("is_cut", [False, True])
async def test_read_request_refuses_a_larger_one(is_cut: bool) -> None:
    head = PLAIN[:-2] + b"X-P: " + b"p" * HEAD_BYTES_MAX + b"\r\n\r\n"
    pieces = [head[start : start + 1_000] for start in range(0, len(head), 1_000)] if is_cut else [head]
    with pytest.raises(RequestRefused) as refused:
        await read_request(Pieces(pieces))
    assert refused.value.response.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
        b"<?xml version='1.0'?><stream:stream>",
        b"\0" * 1_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # without a host
        b"GET / HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a",  # and then the end
    ],
)
async def test_read_request_refuses_what_is_none(data: bytes) -> None:
    with pytest.raises(RequestRefused) as refused:
        await read_request(Pieces([data]))
    assert refused.value.response.status == HTTPStatus.BAD_REQUEST


async def test_read_request_without_a_byte_finds_the_client_gone() -> None:
    with pytest.raises(trio.BrokenResourceError):
        await read_request(Pieces([]))


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("10.0.0.1, 2001:DB8::1", "2001:db8::1"),
        ("192.0.2.1, unknown", None),
        ("", None),
    ],
)
def test_forwarded_for_is_what_the_nearest_proxy_wrote(header: str, address: str | None) -> None:
    assert request(x_forwarded_for=header).forwarded_for == address


def test_forwarded_for_without_a_proxy_is_nothing() -> None:
    assert request().forwarded_for is None


def test_response_tells_its_length_in_bytes() -> None:
    response = Response(HTTPStatus.OK, "ä", (("X-A", "b"),))
    assert response.to_bytes() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
        b"Connection: close\r\nX-A: b\r\n\r\n\xc3\xa4\n"
    )


def test_response_without_body_has_the_same_headers() -> None:
    response = Response(HTTPStatus.NOT_FOUND)
    whole = response.to_bytes()
    assert whole.endswith(b"\r\n\r\nNot Found\n")
    assert response.to_bytes(with_body=False) == whole.removesuffix(b"Not Found\n")
