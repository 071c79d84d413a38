"""Tests of `ops.certificates`: what is made, and what is found wanting."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ops.certificates import SELF_SIGNED_DAYS, addresses_in, weaknesses, write_self_signed
from tests.support.client_certificates import XMPP_ADDRESS, authority, xmpp_address

NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


def _made(folder: Path, domain: str) -> bytes:
    write_self_signed(folder / "server.crt", folder / "server.key", domain, NOW)
    return (folder / "server.crt").read_bytes()


def _weaknesses(pem: bytes, domain: str, now: datetime = NOW) -> list[str]:
    return list(weaknesses(pem, domain, now))


@pytest.mark.parametrize(
    "domain", ["localhost", "chat.example", "bücher.example", "127.0.0.1", "[::1]", "192.0.2.7"]
)
def test_self_signed_certificate_is_right_for_its_domain(tmp_path: Path, domain: str) -> None:
    assert _weaknesses(_made(tmp_path, domain), domain) == []


@pytest.mark.parametrize("domain", ["localhost", "127.0.0.1", "rooms.chat.example"])
def test_self_signed_certificate_is_right_for_loopback_and_services(tmp_path: Path, domain: str) -> None:
    assert _weaknesses(_made(tmp_path, "chat.example"), domain) == []


@pytest.mark.parametrize("domain", ["other.example", "a.b.chat.example", "example", "192.0.2.7"])
def test_weaknesses_certificate_of_another_domain_is_named(tmp_path: Path, domain: str) -> None:
    (weakness,) = _weaknesses(_made(tmp_path, "chat.example"), domain)
    assert weakness.startswith("it is for chat.example, *.chat.example, localhost")
    assert f"not for {domain}" in weakness


def test_write_self_signed_files_are_for_us_only(tmp_path: Path) -> None:
    _made(tmp_path, "localhost")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_write_self_signed_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "server.key").write_text("precious")
    with pytest.raises(FileExistsError):
        _made(tmp_path, "localhost")
    assert (tmp_path / "server.key").read_text() == "precious"


@pytest.mark.parametrize(
    ("passed", "sentence"),
    [
        (timedelta(days=SELF_SIGNED_DAYS + 1), "it expired on 2026-06-01"),
        (timedelta(days=SELF_SIGNED_DAYS), "it expired on 2026-06-01"),
        (timedelta(days=SELF_SIGNED_DAYS - 3), "it expires on 2026-06-01, in 3 days"),
        (timedelta(days=-2), "it is valid only from 2025-06-01"),
    ],
)
def test_weaknesses_time_is_checked(tmp_path: Path, passed: timedelta, sentence: str) -> None:
    (weakness,) = _weaknesses(_made(tmp_path, "localhost"), "localhost", NOW + passed)
    assert sentence in weakness


def test_weaknesses_certificate_that_will_hold_a_while_has_none(tmp_path: Path) -> None:
    assert _weaknesses(_made(tmp_path, "localhost"), "localhost", NOW + timedelta(days=300)) == []


def test_addresses_in_are_those_for_xmpp() -> None:
    certificate = authority().der(
        xmpp_address("juliet@example.com"),
        x509.RFC822Name("juliet@example.org"),
        x509.DNSName("example.com"),
        xmpp_address("юля@example.com"),
    )
    assert addresses_in(certificate) == ("juliet@example.com", "юля@example.com")


@pytest.mark.parametrize(
    "name",
    [
        x509.OtherName(XMPP_ADDRESS, b"\x16\x03a@b"),  # an IA5String
        x509.OtherName(XMPP_ADDRESS, b"\x0c\x01\xff"),  # no UTF-8
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x03a@b"),  # a Microsoft name
    ],
)
def test_addresses_in_what_is_not_understood_is_nobody(name: x509.GeneralName) -> None:
    assert addresses_in(authority().der(name)) == ()


def test_addresses_in_certificate_without_names_are_none() -> None:
    assert addresses_in(authority().der()) == ()
    assert addresses_in(b"no certificate") == ()
