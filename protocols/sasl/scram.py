"""The mechanisms SCRAM-SHA-1 and SCRAM-SHA-256, by the library scramp (RFC 5802, RFC 7677), and their -PLUS.

With -PLUS the client proves as well that its TLS ends at our certificate (`tls-server-end-point`, RFC 5929
§4); what binds more, `tls-exporter` of RFC 9266, Python's ssl cannot tell. A client that would have bound its
log-in, and did not because it was shown no -PLUS ('y'), is refused where we do show it: somebody is between.
For all else that may have been kept from a client our first message has a hash of what we offered (XEP-0474),
which the proofs of both sides cover.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Final, final

from scramp import ScramException, ScramMechanism
from scramp.core import ScramServer

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.sasl.exchange import Challenge, Circumstances, IdentityClaimed, Proved, SaslFailure
from protocols.sasl.keys import ITERATIONS, SALT_BYTES, SCRAM_SHA_1, ScramKeys

END_POINT_TYPE: Final = "tls-server-end-point"

# gs2-header of a client's first message: channel binding flag and authorisation identity.
_GS2_HEADER: Final = re.compile("(?P<flag>[ny]|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>[^,]+))?,")

# A client's last message: channel binding, nonce, extensions, proof. scramp checks the values, but
# reports a bad form and a wrong nonce alike.
_CLIENT_FINAL: Final = re.compile("c=[A-Za-z0-9+/=]+,r=[^,]+(?:,[A-Za-z]=[^,]+)*,p=[A-Za-z0-9+/=]+")


@final
class ScramExchange:
    """The server's side of one attempt with SCRAM."""

    __slots__ = ("_circumstances", "_client_first", "_is_bound", "_mechanism", "_server")
    first_challenge: Final = b""

    def __init__(self, mechanism: str, circumstances: Circumstances, *, is_bound: bool) -> None:
        """Wait for the client's first message.

        Args:
            mechanism: `SCRAM_SHA_1` or `SCRAM_SHA_256`.
            circumstances: With an end point where the client was shown a -PLUS.
            is_bound: Whether it is the -PLUS of that.
        """
        self._mechanism = mechanism
        self._is_bound = is_bound
        self._circumstances = circumstances
        self._client_first = ""
        self._server: ScramServer | None = None

    def respond(self, message: bytes) -> IdentityClaimed | Proved:
        """Take the client's first message, or its last one."""
        try:
            text = message.decode()
        except UnicodeDecodeError as error:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST) from error
        if self._server is not None:
            return self._take_client_final(self._server, text)
        if self._client_first:
            raise LocalProtocolError("SCRAM waits for keys, not for a message")
        return self._take_client_first(text)

    def resume(self, keys: ScramKeys) -> Challenge:
        """Answer the client's first message, now that the keys of its account are there."""
        if not self._client_first or self._server is not None:
            raise LocalProtocolError("SCRAM takes keys once, after the client's first message")
        if keys.mechanism != self._mechanism:
            raise LocalProtocolError(f"keys for {keys.mechanism} do not serve {self._mechanism}")
        server = self._new_server(keys)
        server.set_client_first(self._client_first)
        self._server = server
        server.get_server_first()
        server.server_first += self._hash_of_offer()  # which the proofs cover from here on
        return Challenge(server.server_first.encode())

    def _hash_of_offer(self) -> str:
        """Return the attribute by which a client sees whether somebody has changed what it was offered."""
        offer = self._circumstances.offer
        if not offer:
            return ""
        name = "sha1" if self._mechanism == SCRAM_SHA_1 else "sha256"
        return ",h=" + b64encode(hashlib.new(name, offer, usedforsecurity=False).digest()).decode()

    def _take_client_first(self, text: str) -> IdentityClaimed:
        header = _GS2_HEADER.match(text)
        if header is None:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST)
        self._check_flag(header["flag"])
        if header["authzid"] is not None:
            # RFC 6120 §6.3.8: a client that acts for itself sends none, and none can act for another.
            raise SaslFailure(SaslCondition.INVALID_AUTHZID)
        username = self._parse_username(text)
        self._client_first = text
        return IdentityClaimed(username, authzid="")

    def _check_flag(self, flag: str) -> None:
        """See that the client binds its log-in as its mechanism says (RFC 5802 §6)."""
        if self._is_bound:
            if flag != f"p={END_POINT_TYPE}":
                raise SaslFailure(
                    SaslCondition.MALFORMED_REQUEST, f"{END_POINT_TYPE} is what can be bound to"
                )
        elif flag.startswith("p"):
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST, "only the -PLUS of a mechanism binds channels")
        elif flag == "y" and self._circumstances.end_point is not None:
            raise SaslFailure(SaslCondition.NOT_AUTHORIZED, "you were not shown the -PLUS that was offered")

    def _make_server(self, find: Callable[[str], tuple[bytes, bytes, bytes, int]]) -> ScramServer:
        if not self._is_bound:
            return ScramMechanism(self._mechanism).make_server(find, s_nonce=self._circumstances.nonce)
        binding = (END_POINT_TYPE, self._circumstances.end_point)
        return ScramMechanism(f"{self._mechanism}-PLUS").make_server(
            find, binding, s_nonce=self._circumstances.nonce
        )

    def _parse_username(self, text: str) -> str:
        """Let scramp parse the message for the sake of the name: the keys depend on it.

        scramp asks for the keys by a callback that cannot wait. So the message is given to it twice:
        here with keys that mean nothing, and in `resume` with the account's.
        """
        names: list[str] = []

        def note_name(name: str) -> tuple[bytes, bytes, bytes, int]:
            names.append(name)
            return bytes(SALT_BYTES), b"", b"", ITERATIONS

        server = self._make_server(note_name)
        try:
            server.set_client_first(text)
        except ScramException as error:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST) from error
        return names[0]

    def _new_server(self, keys: ScramKeys) -> ScramServer:
        credentials = (keys.salt, keys.stored_key, keys.server_key, keys.iterations)
        return self._make_server(lambda _name: credentials)

    def _take_client_final(self, server: ScramServer, text: str) -> Proved:
        if _CLIENT_FINAL.fullmatch(text) is None:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST)
        try:
            server.set_client_final(text)
            server_final: str = server.get_server_final()
        except ScramException as error:
            raise SaslFailure(SaslCondition.NOT_AUTHORIZED) from error
        return Proved(server_final.encode())
