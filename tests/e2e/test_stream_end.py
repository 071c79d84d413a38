"""How streams end in good order (RFC 6120 §4.4)."""

import pytest

from tests.support.raw_client import RawClient
from tests.support.server import RunningServer

END = "</stream:stream>"


@pytest.mark.parametrize("way", ["c2s", "c2s_tls"])
def test_stream_closed_before_login_is_closed_in_turn(server: RunningServer, way: str) -> None:
    with RawClient(server, way) as client:
        client.open_stream()
        client.send(END)
        assert client.read_to_end() == END.encode()


@pytest.mark.parametrize("way", ["c2s", "c2s_tls"])
def test_stream_closed_by_client_is_closed_in_turn(server: RunningServer, way: str) -> None:
    """What the client sent before its closing tag is dealt with, though it hears no more of it."""
    account = server.account()
    with RawClient(server, "c2s_tls") as other, RawClient(server, way) as client:
        address = other.log_in(account, "other")
        client.log_in(server.account())
        messages = [f"<message to='{address}'><body>{number}.</body></message>" for number in range(100)]
        client.send("".join(messages) + END)
        assert client.read_to_end() == END.encode()
        for number in range(100):
            assert f"<body>{number}.</body>".encode() in other.read_until(rb"</message>")


def test_stream_closed_as_soon_as_open_is_closed_in_turn(server: RunningServer) -> None:
    with RawClient(server) as client:
        client.send(client.header().removesuffix(">") + "/>")
        assert client.read_to_end().endswith(END.encode())


def test_connection_ended_without_a_closing_tag_is_ended(server: RunningServer) -> None:
    with RawClient(server) as client:
        client.open_stream()
        client.end_writing()
        assert client.read_to_end() in {b"", END.encode()}
