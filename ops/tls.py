"""The TLS context of the server: made from certificate and key, replaced as a whole when they are renewed.

The composition root makes one `Certificates`; whoever starts TLS on a new connection asks it for `context`
each time, so that a reload reaches new connections and leaves the old ones alone. RFC 7590 and RFC 9325 say
which versions and ciphers.
"""

import ssl
from datetime import datetime
from pathlib import Path
from typing import Final, final

from actors.settings import TlsSettings
from ops.certificates import addresses_in, hash_of, weaknesses, write_self_signed

# RFC 9325 §4.2 for TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
# XEP-0368 §4 for direct TLS, RFC 7301 for HTTP; a client that asks for neither is served all the same.
_APPLICATION_PROTOCOLS: Final = ("xmpp-client", "http/1.1")

_OPTIONS: Final = (
    ssl.OP_NO_COMPRESSION  # CRIME
    | ssl.OP_NO_RENEGOTIATION  # lets a client burn our CPU
    | ssl.OP_CIPHER_SERVER_PREFERENCE
)

_HOW_TO_GET: Final = "name the right files in [tls]"


class CertificateError(Exception):
    """Certificate and key cannot be used; the message says why and what to do."""


@final
class Certificates:
    """Holds the TLS context in force.

    Args:
        tls: Where certificate and key lie.
        domain: The domain served.
        now: The time, with its zone.

    Raises:
        CertificateError: They cannot be used.
    """

    def __init__(self, tls: TlsSettings, domain: str, now: datetime) -> None:
        self._tls = tls
        self._domain = domain
        self.context: ssl.SSLContext
        self.end_point: bytes | None = None
        self.warnings: tuple[str, ...] = ()
        self.reload(now)

    def addresses_in(self, certificate: bytes) -> tuple[str, ...]:
        """Returns what a client's certificate, in DER, says it is; see `ops.certificates`."""
        return addresses_in(certificate)

    def reload(self, now: datetime) -> None:
        """Reads the files again; where they cannot be used the old context stays in force.

        Raises:
            CertificateError: They cannot be used.
        """
        context = load_context(self._tls)
        path = self._tls.certificate
        try:
            pem = path.read_bytes()
            found, end_point = tuple(weaknesses(pem, self._domain, now)), hash_of(pem)
        except (OSError, ValueError) as error:
            raise CertificateError(f"{path} cannot be understood: {error}") from error
        self.context, self.end_point = context, end_point
        self.warnings = tuple(f"{path}: {weakness}" for weakness in found)


def ensure_certificate(tls: TlsSettings, domain: str, *, is_development: bool, now: datetime) -> bool:
    """Makes a self-signed certificate where there is none and nobody but this machine can connect.

    Args:
        tls: Where certificate and key lie.
        domain: The domain served.
        is_development: Whether every address listened on is loopback.
        now: The time, with its zone.

    Returns:
        Whether one was made.

    Raises:
        CertificateError: One of the two files is missing, or both and it is no development, or they cannot
            be written.
    """
    missing = [path for path in (tls.certificate, tls.key) if not path.exists()]
    if not missing:
        return False
    if len(missing) == 1:
        (other,) = {tls.certificate, tls.key} - {missing[0]}
        raise CertificateError(f"{missing[0]} is missing but {other} is there: {_HOW_TO_GET}, or remove it")
    if not is_development:
        raise CertificateError(
            f"{tls.certificate} and {tls.key} are missing: {_HOW_TO_GET}. ACME clients such as certbot get "
            "public ones; a self-signed one is made only where every address listened on is loopback"
        )
    try:
        write_self_signed(tls.certificate, tls.key, domain, now)
    except OSError as error:
        raise CertificateError(f"{error.filename} cannot be written: {error.strerror}") from error
    return True


def load_context(tls: TlsSettings) -> ssl.SSLContext:
    """Returns a context for the server's side of a connection.

    Raises:
        CertificateError: Certificate and key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= _OPTIONS
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(_APPLICATION_PROTOCOLS)
    for path in (tls.certificate, tls.key):
        _check_readable(path)
    try:
        # A passphrase would be asked for on the terminal, where nobody sits.
        context.load_cert_chain(tls.certificate, tls.key, password=_refuse_passphrase)
    except ssl.SSLError as error:
        raise CertificateError(_explanation(tls, error)) from error
    if tls.client_ca is not None:
        _ask_clients(context, tls.client_ca)
    return context


def _ask_clients(context: ssl.SSLContext, authorities: Path) -> None:
    """Clients may show a certificate; the handshake with one fails whose certificate does not hold."""
    _check_readable(authorities)
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError as error:
        raise CertificateError(f"{authorities} has no certificate in PEM: {error.reason or error}") from error
    context.verify_mode = ssl.CERT_OPTIONAL


def _check_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from error


def _refuse_passphrase() -> bytes:
    raise CertificateError("the private key has a passphrase and nobody to type it: store it without one")


def _explanation(tls: TlsSettings, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{tls.key} is not the key of {tls.certificate}: was one of the two renewed without the other?"
    return f"{tls.certificate} and {tls.key} are no certificate and key in PEM: {error.reason or error}"
