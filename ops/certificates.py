"""Makes a self-signed certificate for development, and says what is wrong with a given one.

Used by `ops/tls.py`. The names in a certificate are checked as RFC 6125 asks of a client of this domain.
"""

import ipaddress
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import idna
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Long enough for a project, and for the limits that clients put on certificates.
SELF_SIGNED_DAYS: Final = 365
# id-on-xmppAddr, as RFC 6120 §13.7.1.4 defines it.
_XMPP_ADDRESS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_NOT_UNDERSTOOD: Final = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
# Clocks of two machines may differ.
_BACKDATED: Final = timedelta(hours=1)
# From this long before its end a certificate is worth a warning: renewals run monthly at worst.
EXPIRY_WARNING: Final = timedelta(days=14)


def write_self_signed(certificate: Path, key: Path, domain: str, now: datetime) -> None:
    """Makes a key and a certificate for the domain, its services and loopback; both files are for us only.

    Args:
        certificate: Where the certificate goes; must not exist.
        key: Where the key goes; must not exist.
        domain: The domain served.
        now: The time, with its zone.

    Raises:
        OSError: A file cannot be written.
    """
    private_key = ec.generate_private_key(ec.SECP256R1())
    signed = _self_signed(private_key, domain, now)
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_new(key, pem)
    _write_new(certificate, signed.public_bytes(serialization.Encoding.PEM))


def weaknesses(pem: bytes, domain: str, now: datetime) -> Iterator[str]:
    """Yields what clients will hold against a certificate, as sentences.

    Args:
        pem: The certificate file, the server's own first.
        domain: The domain served.
        now: The time, with its zone.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    end = certificate.not_valid_after_utc
    if end <= now:
        yield f"it expired on {end:%Y-%m-%d}; clients will refuse it"
    elif end - now <= EXPIRY_WARNING:
        yield f"it expires on {end:%Y-%m-%d}, in {(end - now).days} days"
    if certificate.not_valid_before_utc > now:
        yield f"it is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}; is the clock right?"
    names = _names(certificate)
    if not any(_covers(name, _identity(domain)) for name in names):
        listed = ", ".join(str(name.value) for name in names) or "no domain"
        yield f"it is for {listed}, not for {domain}; clients will refuse it"


def hash_of(pem: bytes) -> bytes | None:
    """Returns the hash of a certificate that a log-in can be bound to (RFC 5929 §4.1).

    Args:
        pem: The certificate file, the server's own first.

    Returns:
        The hash by the algorithm of its signature, SHA-256 in place of MD5 and SHA-1; None where that has no
        hash of its own (Ed25519), for which the RFC knows no binding.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return None
    weak = isinstance(algorithm, hashes.MD5 | hashes.SHA1)
    return certificate.fingerprint(hashes.SHA256() if weak else algorithm)


def addresses_in(der: bytes) -> tuple[str, ...]:
    """Returns what a client's certificate says it is: its addresses of id-on-xmppAddr (RFC 6120 §13.7.1.4).

    Args:
        der: The certificate, which TLS has found good; OpenSSL takes none longer than 100 kB. Names in it
            that cannot be understood are nobody's.
    """
    try:
        names = _names(x509.load_der_x509_certificate(der))
    except _NOT_UNDERSTOOD:
        return ()
    others = [name for name in names if isinstance(name, x509.OtherName) and name.type_id == _XMPP_ADDRESS]
    return tuple(filter(None, map(_text_of, others)))


def _text_of(name: x509.OtherName) -> str:
    try:
        return asn1.decode_der(str, name.value)
    except ValueError:  # no UTF8String
        return ""


def _self_signed(private_key: ec.EllipticCurvePrivateKey, domain: str, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Trouper, self-signed")])
    public_key = private_key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName(list(_alternative_names(domain))), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(issuer, critical=False)
    )
    return builder.sign(private_key, hashes.SHA256())


# Signs itself, hence `key_cert_sign`: so that it can be given to a client as the one it trusts.
_KEY_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _alternative_names(domain: str) -> Iterator[x509.GeneralName]:
    identity = _identity(domain)
    yield identity
    if isinstance(identity, x509.DNSName):
        yield x509.DNSName(f"*.{identity.value}")
    for name in ("localhost", "127.0.0.1", "::1"):
        if _identity(name) != identity:
            yield _identity(name)


def _identity(domain: str) -> x509.GeneralName:
    """Returns the name of a domain in a certificate; a domain may be an IP address (RFC 7622 §3.2)."""
    try:
        return x509.IPAddress(ipaddress.ip_address(domain.strip("[]")))
    except ValueError:
        return x509.DNSName(idna.encode(domain).decode())


def _write_new(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _covers(name: x509.GeneralName, identity: x509.GeneralName) -> bool:
    if name == identity or not (isinstance(name, x509.DNSName) and isinstance(identity, x509.DNSName)):
        return name == identity
    offered, wanted = name.value.lower(), identity.value
    return offered == wanted or (offered.startswith("*.") and offered[2:] == wanted.partition(".")[2])
