"""The mechanism DIGEST-MD5 (RFC 2831), for clients that know nothing better; historic since RFC 6331.

One quality of protection, auth, and no reauthentication. The realm is the domain. What is kept, for accounts
that were made so (`trouper user add --keep-digest-md5`), is the MD5 of name, realm and password: whoever can
read the database can log in as such an account with it.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final, final

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.jid import JID
from protocols.sasl.exchange import Challenge, Circumstances, IdentityClaimed, Proved, SaslFailure
from protocols.sasl.keys import DIGEST_MD5, ScramKeys

# A directive of RFC 2831 §7.1, quoted or not, and what separates it from the next.
_DIRECTIVE: Final = re.compile(
    rb'[ \t]*([A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,|$)', re.DOTALL
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_NEEDED: Final = (b"username", b"nonce", b"cnonce", b"nc", b"digest-uri", b"response")


def derive_digest_key(account: JID, password: str) -> ScramKeys:
    """Return what is kept of a password: H of §2.1.2.1, from the name as it is in the address."""
    user = _octets(account.localpart or "")
    secret = b":".join((user, _octets(account.domainpart), _octets(password)))
    key = hashlib.md5(secret, usedforsecurity=False).digest()
    return ScramKeys(DIGEST_MD5, salt=b"", iterations=0, stored_key=key, server_key=b"")


@final
class DigestMd5Exchange:
    """The server's side of one attempt with DIGEST-MD5."""

    __slots__ = ("_is_proved", "_nonce", "_realm", "_said")

    def __init__(self, circumstances: Circumstances) -> None:
        """Wait for the client's answer to the first challenge; without that it knows no nonce of ours."""
        self._realm = circumstances.host
        self._nonce = circumstances.nonce
        self._said: Mapping[bytes, bytes] | None = None
        self._is_proved = False

    @property
    def first_challenge(self) -> bytes:
        """What the client is to answer (§2.1.1)."""
        realm, nonce = self._realm, self._nonce
        return f'realm="{realm}",nonce="{nonce}",qop="auth",charset=utf-8,algorithm=md5-sess'.encode()

    def respond(self, message: bytes) -> IdentityClaimed | Proved:
        """Take the client's answer (§2.1.2), or its nod to our proof (§2.1.3)."""
        if self._is_proved:
            if message:
                raise SaslFailure(SaslCondition.MALFORMED_REQUEST)
            return Proved(b"")
        if self._said is not None:
            raise LocalProtocolError("DIGEST-MD5 waits for keys, not for a message")
        said = _parse(message)
        self._check(said)
        self._said = said
        charset = "utf-8" if b"charset" in said else "latin-1"
        try:
            username, authzid = (said.get(name, b"").decode(charset) for name in (b"username", b"authzid"))
        except UnicodeDecodeError as error:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST) from error
        return IdentityClaimed(username, authzid)

    def resume(self, keys: ScramKeys) -> Challenge:
        """Compare the client's proof, and give ours."""
        if self._said is None or self._is_proved:
            raise LocalProtocolError("DIGEST-MD5 takes keys once, after the client's answer")
        expected = digest(keys.stored_key, self._said, b"AUTHENTICATE")
        if not hmac.compare_digest(expected, self._said[b"response"]):
            raise SaslFailure(SaslCondition.NOT_AUTHORIZED)
        self._is_proved = True
        return Challenge(b"rspauth=" + digest(keys.stored_key, self._said, b""))

    def _check(self, said: Mapping[bytes, bytes]) -> None:
        """See that an answer is one to our challenge."""
        if any(name not in said for name in _NEEDED) or said.get(b"qop", b"auth") != b"auth":
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST)
        if said.get(b"charset", b"utf-8").lower() != b"utf-8" or said[b"nc"] != b"00000001":
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST)
        service, _, host = said[b"digest-uri"].partition(b"/")
        is_ours = service.lower() == b"xmpp" and host.partition(b"/")[0].lower() == self._realm.encode()
        is_fresh = hmac.compare_digest(said[b"nonce"], self._nonce.encode())
        if not (is_ours and is_fresh) or said.get(b"realm", self._realm.encode()) != self._realm.encode():
            raise SaslFailure(SaslCondition.NOT_AUTHORIZED)


def digest(key: bytes, said: Mapping[bytes, bytes], method: bytes) -> bytes:
    """Return the response-value of §2.1.2.1, or with no method the one of §2.1.3."""
    authzid = (said[b"authzid"],) if b"authzid" in said else ()
    first = _md5(b":".join((key, said[b"nonce"], said[b"cnonce"], *authzid)))
    second = _md5(method + b":" + said[b"digest-uri"])
    return _md5(b":".join((first, said[b"nonce"], said[b"nc"], said[b"cnonce"], b"auth", second)))


def _parse(message: bytes) -> Mapping[bytes, bytes]:
    """Read directives, each of which may come once (§2.1.2); messages are bounded by `elements`."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(message):
        match = _DIRECTIVE.match(message, position)
        if match is None or match[1].lower() in found:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST)
        quoted = match[2]
        found[match[1].lower()] = match[3] if quoted is None else _ESCAPED.sub(rb"\1", quoted)
        position = match.end()
    return found


def _octets(text: str) -> bytes:
    """As it is hashed: in ISO 8859-1 where that has all of it, else in UTF-8 (§2.1.2.1)."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
