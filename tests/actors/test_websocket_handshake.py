"""Which requests open a WebSocket, and what the library gets to see of them."""

from http import HTTPStatus

import pytest

from actors.http_message import Request, RequestRefused
from actors.websocket_handshake import checked_upgrade

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = {
    "host": "example.net",
    "origin": "https://elsewhere.example",
    "upgrade": "WebSocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "chat, xmpp",
    "sec-websocket-key": KEY,
    "sec-websocket-extensions": "permessage-deflate",
}


def request(method: str = "GET", **changes: str | None) -> Request:
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    headers = {name: value for name, value in {**HEADERS, **changed}.items() if value is not None}
    return Request(method, "/ws", headers, b"")


def test_upgrade_is_passed_on_without_what_is_not_needed() -> None:
    lines = checked_upgrade(request()).decode().split("\r\n")
    assert lines[0] == "GET /ws HTTP/1.1"
    assert f"Sec-WebSocket-Key: {KEY}" in lines
    assert "Sec-WebSocket-Protocol: xmpp" in lines
    assert not [line for line in lines if "deflate" in line or "example" in line]
    assert lines[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "POST"}, HTTPStatus.METHOD_NOT_ALLOWED),
        ({"upgrade": None}, HTTPStatus.UPGRADE_REQUIRED),
        ({"upgrade": "h2c"}, HTTPStatus.UPGRADE_REQUIRED),
        ({"connection": "keep-alive"}, HTTPStatus.UPGRADE_REQUIRED),
        ({"sec_websocket_version": None}, HTTPStatus.UPGRADE_REQUIRED),
        ({"sec_websocket_version": "8"}, HTTPStatus.UPGRADE_REQUIRED),
        ({"sec_websocket_protocol": None}, HTTPStatus.BAD_REQUEST),
        ({"sec_websocket_protocol": "xmpp-framing, chat"}, HTTPStatus.BAD_REQUEST),
        ({"sec_websocket_protocol": "XMPP"}, HTTPStatus.BAD_REQUEST),
        ({"sec_websocket_key": None}, HTTPStatus.BAD_REQUEST),
        ({"sec_websocket_key": "c2hvcnQ="}, HTTPStatus.BAD_REQUEST),
        ({"sec_websocket_key": "not base 64 at all !!!!="}, HTTPStatus.BAD_REQUEST),
        ({"sec_websocket_key": "ä" * 16}, HTTPStatus.BAD_REQUEST),
    ],
)
def test_request_for_anything_else_is_refused(changes: dict[str, str], status: HTTPStatus) -> None:
    with pytest.raises(RequestRefused) as refused:
        checked_upgrade(request(**changes))
    assert refused.value.response.status == status


def test_refusal_of_a_version_names_the_one_that_is_spoken() -> None:
    with pytest.raises(RequestRefused) as refused:
        checked_upgrade(request(sec_websocket_version="14"))
    assert ("Sec-WebSocket-Version", "13") in refused.value.response.headers
