"""What the HTTP port answers to requests that open no WebSocket: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from actors.http_message import Response

if TYPE_CHECKING:
    from actors.http_message import Request

WEBSOCKET_PATH: Final = "/ws"

_METHODS: Final = ("GET", "HEAD")


def _welcome(_request: Request) -> Response:
    return Response(
        HTTPStatus.OK, f"This is Trouper, an XMPP server. Clients connect by WebSocket at {WEBSOCKET_PATH}."
    )


HANDLERS: Final[Mapping[str, Callable[[Request], Response]]] = {"/": _welcome}


def respond(request: Request) -> Response:
    """The response to a request."""
    handler = HANDLERS.get(request.path)
    if handler is None:
        return Response(HTTPStatus.NOT_FOUND)
    if request.method not in _METHODS:
        return Response(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", ", ".join(_METHODS)),))
    return handler(request)
