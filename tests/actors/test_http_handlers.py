"""The table of plain requests."""

from http import HTTPStatus

import pytest

from actors.http_handlers import respond
from actors.http_message import Request


def request(method: str, path: str) -> Request:
    return Request(method, path, {}, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_root_says_where_to_connect(method: str) -> None:
    response = respond(request(method, "/"))
    assert response.status == HTTPStatus.OK
    assert "/ws" in response.text


@pytest.mark.parametrize("path", ["/nowhere", "//", "/ws/", "*"])
def test_unknown_path_is_not_found(path: str) -> None:
    assert respond(request("GET", path)).status == HTTPStatus.NOT_FOUND


def test_other_method_is_not_allowed() -> None:
    response = respond(request("POST", "/"))
    assert response.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert response.headers == (("Allow", "GET, HEAD"),)
