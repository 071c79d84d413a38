"""Tests of `ops.tls`: real handshakes over memory buffers, and what is said of files that will not do."""

import hashlib
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from actors.settings import TlsSettings
from ops.tls import CertificateError, Certificates, ensure_certificate, load_context
from tests.support.client_certificates import Authority, authority

NOW = datetime.now(UTC)


@pytest.fixture
def tls(tmp_path: Path) -> TlsSettings:
    return TlsSettings(certificate=tmp_path / "server.crt", key=tmp_path / "server.key")


@pytest.fixture
def made(tls: TlsSettings) -> TlsSettings:
    assert ensure_certificate(tls, "chat.example", is_development=True, now=NOW)
    return tls


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Lets both sides talk until they agree, and returns the client's."""
    return _sides(server, client, name)[0]


def _sides(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """The same, and returns both: the client's and the server's."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname=name)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client_side, server_side]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return client_side, server_side


def _client(trusted: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(trusted))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("name", ["chat.example", "rooms.chat.example", "localhost", "127.0.0.1"])
def test_self_signed_certificate_convinces_a_client_that_trusts_it(made: TlsSettings, name: str) -> None:
    side = _handshake(load_context(made), _client(made.certificate), name)
    assert side.version() == "TLSv1.3"


def test_context_offers_forward_secrecy_in_tls_1_2(made: TlsSettings) -> None:
    client = _client(made.certificate)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher = _handshake(load_context(made), client, "localhost").cipher()
    assert cipher is not None
    assert cipher[0].startswith("ECDHE-")


def test_context_refuses_what_is_older_than_tls_1_2(made: TlsSettings) -> None:
    assert load_context(made).minimum_version is ssl.TLSVersion.TLSv1_2
    client = _client(made.certificate)
    client.set_ciphers("AES256-SHA")  # no forward secrecy
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        _handshake(load_context(made), client, "localhost")


@pytest.mark.parametrize("protocol", ["xmpp-client", "http/1.1"])
def test_context_selects_the_protocol_asked_for(made: TlsSettings, protocol: str) -> None:
    client = _client(made.certificate)
    client.set_alpn_protocols([protocol])
    assert _handshake(load_context(made), client, "localhost").selected_alpn_protocol() == protocol


def test_context_serves_a_client_that_asks_for_another_protocol(made: TlsSettings) -> None:
    client = _client(made.certificate)
    client.set_alpn_protocols(["imap"])
    assert _handshake(load_context(made), client, "localhost").selected_alpn_protocol() is None


def test_ensure_certificate_existing_files_are_left_alone(made: TlsSettings) -> None:
    before = made.certificate.read_bytes()
    assert not ensure_certificate(made, "chat.example", is_development=True, now=NOW)
    assert made.certificate.read_bytes() == before


@pytest.mark.parametrize("lost", ["certificate", "key"])
def test_ensure_certificate_one_missing_file_is_named(made: TlsSettings, lost: str) -> None:
    path: Path = getattr(made, lost)
    path.unlink()
    with pytest.raises(CertificateError, match=rf"{path.name} is missing but .* is there"):
        ensure_certificate(made, "chat.example", is_development=True, now=NOW)


def test_ensure_certificate_is_not_made_for_the_public(tls: TlsSettings) -> None:
    with pytest.raises(CertificateError, match="are missing: name the right files"):
        ensure_certificate(tls, "chat.example", is_development=False, now=NOW)
    assert not tls.key.exists()


def test_ensure_certificate_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tls = TlsSettings(certificate=tmp_path / "file" / "server.crt", key=tmp_path / "file" / "server.key")
    with pytest.raises(CertificateError, match="cannot be written"):
        ensure_certificate(tls, "chat.example", is_development=True, now=NOW)


def test_load_context_missing_file_is_named(tls: TlsSettings) -> None:
    with pytest.raises(CertificateError, match=r"server\.crt cannot be read: No such file"):
        load_context(tls)


def test_load_context_key_of_another_certificate_is_named(made: TlsSettings, tmp_path: Path) -> None:
    other = TlsSettings(certificate=tmp_path / "b.crt", key=tmp_path / "b.key")
    ensure_certificate(other, "chat.example", is_development=True, now=NOW)
    mixed = TlsSettings(certificate=made.certificate, key=other.key)
    with pytest.raises(CertificateError, match=r"b\.key is not the key of .*server\.crt"):
        load_context(mixed)


def test_load_context_file_that_is_no_certificate_is_named(made: TlsSettings) -> None:
    made.certificate.write_text("hello")
    with pytest.raises(CertificateError, match="are no certificate and key in PEM"):
        load_context(made)


def test_load_context_key_with_passphrase_is_refused_without_asking(made: TlsSettings) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    made.key.write_bytes(locked)
    with pytest.raises(CertificateError, match="has a passphrase"):
        load_context(made)


def test_certificates_reload_reaches_new_connections(made: TlsSettings) -> None:
    certificates = Certificates(made, "chat.example", NOW)
    before = certificates.context
    made.certificate.unlink()
    made.key.unlink()
    ensure_certificate(made, "chat.example", is_development=True, now=NOW)
    certificates.reload(NOW)
    assert certificates.context is not before
    _handshake(certificates.context, _client(made.certificate), "localhost")
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(before, _client(made.certificate), "localhost")


def test_certificates_reload_of_damaged_files_keeps_the_context(made: TlsSettings) -> None:
    certificates = Certificates(made, "chat.example", NOW)
    before = certificates.context
    made.key.write_text("hello")
    with pytest.raises(CertificateError):
        certificates.reload(NOW)
    assert certificates.context is before


def test_certificates_warn_of_a_certificate_for_another_domain(made: TlsSettings) -> None:
    (warning,) = Certificates(made, "other.example", NOW).warnings
    assert warning.startswith(f"{made.certificate}: it is for chat.example")


def test_end_point_is_what_a_client_makes_of_the_certificate_it_is_shown(made: TlsSettings) -> None:
    """RFC 5929 §4.1; renewed with the certificate."""
    certificates = Certificates(made, "chat.example", NOW)
    shown = _handshake(certificates.context, _client(made.certificate), "localhost").getpeercert(True)
    assert shown is not None
    assert certificates.end_point == hashlib.sha256(shown).digest()
    before = certificates.end_point
    made.certificate.unlink()
    made.key.unlink()
    ensure_certificate(made, "chat.example", is_development=True, now=NOW)
    certificates.reload(NOW)
    assert certificates.end_point != before


@pytest.fixture
def asking(made: TlsSettings, tmp_path: Path) -> TlsSettings:
    return replace(made, client_ca=authority().write(tmp_path / "clients.pem"))


def test_client_is_asked_for_a_certificate_where_there_are_authorities(
    asking: TlsSettings, tmp_path: Path
) -> None:
    client = _client(asking.certificate)
    client.load_cert_chain(authority().issue(tmp_path / "juliet.pem", "juliet@chat.example"))
    certificates = Certificates(asking, "chat.example", NOW)
    shown = _sides(certificates.context, client, "localhost")[1].getpeercert(binary_form=True)
    assert shown is not None
    assert certificates.addresses_in(shown) == ("juliet@chat.example",)


def test_client_is_not_asked_where_there_are_none(made: TlsSettings, tmp_path: Path) -> None:
    client = _client(made.certificate)
    client.load_cert_chain(authority().issue(tmp_path / "juliet.pem", "juliet@chat.example"))
    assert _sides(load_context(made), client, "localhost")[1].getpeercert(binary_form=True) is None


def test_client_without_a_certificate_is_served_all_the_same(asking: TlsSettings) -> None:
    server = _sides(load_context(asking), _client(asking.certificate), "localhost")[1]
    assert server.getpeercert(binary_form=True) is None


def test_client_with_a_certificate_of_somebody_else_is_refused(asking: TlsSettings, tmp_path: Path) -> None:
    client = _client(asking.certificate)
    client.load_cert_chain(Authority().issue(tmp_path / "juliet.pem", "juliet@chat.example"))
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(load_context(asking), client, "localhost")


def test_load_context_authorities_that_are_none_are_named(asking: TlsSettings) -> None:
    assert asking.client_ca is not None
    asking.client_ca.write_text("hello")
    with pytest.raises(CertificateError, match=r"clients\.pem has no certificate in PEM"):
        load_context(asking)
    asking.client_ca.unlink()
    with pytest.raises(CertificateError, match=r"clients\.pem cannot be read"):
        load_context(asking)
