"""Certificates of clients, and an authority that signs them: for log-ins with EXTERNAL (XEP-0178)."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

XMPP_ADDRESS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_HOURS: Final = timedelta(hours=12)


@final
class Authority:
    """Signs certificates of clients; makes its own key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Clients of a test")])
        builder = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())

    def write(self, path: Path) -> Path:
        """Write its certificate, for servers."""
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(self, path: Path, *addresses: str) -> Path:
        """Write a new key with a certificate for these addresses, for `load_cert_chain`."""
        key, certificate = self._issued([xmpp_address(address) for address in addresses])
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def der(self, *names: x509.GeneralName) -> bytes:
        """A certificate for these names; without the extension if there are none."""
        return self._issued(list(names))[1].public_bytes(serialization.Encoding.DER)

    def _issued(self, names: list[x509.GeneralName]) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A client of a test")])
        builder = _builder(subject, self._name, key)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return key, builder.sign(self._key, hashes.SHA256())


@functools.cache
def authority() -> Authority:
    """One for everybody who needs no more."""
    return Authority()


def xmpp_address(address: str) -> x509.OtherName:
    """An address as RFC 6120 §13.7.1.4 puts it into a certificate."""
    return x509.OtherName(XMPP_ADDRESS, asn1.encode_der(address))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _HOURS)
        .not_valid_after(now + _HOURS)
    )
