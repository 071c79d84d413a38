"""Tests of `actors.settings`: addresses and what follows from them."""

import pytest

from actors.settings import Address, Admin, ListenSettings, Settings


@pytest.mark.parametrize("text", ["127.0.0.1:5222", "[::1]:5222", "localhost:0", "[2001:db8::1]:65535"])
def test_address_reads_what_it_writes(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the port is missing"),
        ("127.0.0.1", "the port is missing"),
        (":5222", "the port is missing"),
        ("127.0.0.1:", "'' is no port"),
        ("127.0.0.1:x", "'x' is no port"),
        ("127.0.0.1:-1", "'-1' is no port"),
        ("127.0.0.1:65536", "'65536' is no port"),
        ("127.0.0.1:٥", "is no port"),
        ("::1:5222", "into brackets"),
        ("example.org:5222", "neither an IP address nor localhost"),
        ("127.0.0.256:5222", "neither an IP address nor localhost"),
    ],
)
def test_address_that_is_none_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "is_loopback"),
    [
        ("127.0.0.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
    ],
)
def test_address_is_loopback_only_where_nobody_else_can_connect(text: str, is_loopback: bool) -> None:
    assert Address.parse(text).is_loopback is is_loopback


def test_settings_are_for_development_while_all_is_loopback() -> None:
    outside = ListenSettings(https=(Address("192.0.2.1", 443),))
    assert Settings().is_development
    assert not Settings(listen=outside).is_development


@pytest.mark.parametrize("text", ["Escalus@Example.com", "escalus@example.com"])
def test_admin_is_the_bare_address_of_an_account(text: str) -> None:
    assert str(Admin.parse(text)) == Admin.parse(text).bare == "escalus@example.com"


@pytest.mark.parametrize("text", ["example.com", "escalus@example.com/verona", "@", ""])
def test_admin_that_is_no_account_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Admin.parse(text)
