"""The client's half of a WebSocket's opening handshake, checked (RFC 6455 §4.2.1, RFC 7395 §3.1).

Used by the HTTP port. Pages of any origin may connect, as native clients do: whoever can log in needs no
cookie of ours, so there is nothing that a foreign page could abuse.
"""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn

from actors.http_message import RequestRefused, Response

if TYPE_CHECKING:
    from actors.http_message import Request

SUBPROTOCOL: Final = "xmpp"

_VERSION: Final = "13"
_KEY_BYTES: Final = 16


def checked_upgrade(request: Request) -> bytes:
    """The same request in its shortest form, for the WebSocket library to read.

    So the library sees nothing that a stranger wrote but the key, and no extension is negotiated.

    Raises:
        RequestRefused: it asks for something else.
    """
    if request.method != "GET":
        _refuse(HTTPStatus.METHOD_NOT_ALLOWED, "a WebSocket begins with GET", ("Allow", "GET"))
    if not (_names(request, "upgrade", "websocket") and _names(request, "connection", "upgrade")):
        _refuse(HTTPStatus.UPGRADE_REQUIRED, "this is for WebSocket", ("Upgrade", "websocket"))
    if request.headers.get("sec-websocket-version") != _VERSION:
        _refuse(HTTPStatus.UPGRADE_REQUIRED, "unknown version", ("Sec-WebSocket-Version", _VERSION))
    if SUBPROTOCOL not in request.tokens("sec-websocket-protocol"):
        _refuse(HTTPStatus.BAD_REQUEST, f"the subprotocol '{SUBPROTOCOL}' is needed")
    lines = (
        f"GET {request.path} HTTP/1.1",
        "Host: here",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Version: {_VERSION}",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        f"Sec-WebSocket-Key: {_checked_key(request)}",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")


def _names(request: Request, header: str, token: str) -> bool:
    return token in (each.lower() for each in request.tokens(header))


def _checked_key(request: Request) -> str:
    key = request.headers.get("sec-websocket-key", "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != _KEY_BYTES:
        _refuse(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key is no key")
    return key


def _refuse(status: HTTPStatus, text: str, *headers: tuple[str, str]) -> NoReturn:
    raise RequestRefused(Response(status, text, headers))
