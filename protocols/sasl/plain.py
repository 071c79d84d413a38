"""The mechanism PLAIN: name and password in one message (RFC 4616)."""

from typing import Final, final

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.sasl.exchange import IdentityClaimed, PasswordGiven, SaslFailure
from protocols.sasl.keys import ScramKeys


@final
class PlainExchange:
    """The server's side of one attempt with PLAIN."""

    __slots__ = ("_password",)
    first_challenge: Final = b""

    def __init__(self) -> None:
        """Wait for the client's only message."""
        self._password: str | None = None

    def respond(self, message: bytes) -> IdentityClaimed:
        """Take the client's message: authzid NUL authcid NUL passwd."""
        if self._password is not None:
            raise LocalProtocolError("PLAIN has one message, and it was taken")
        try:
            authzid, username, password = message.decode().split("\0")
        except ValueError as error:  # not UTF-8, or not two separators
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST) from error
        if not username or not password:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST, "name and password must not be empty")
        self._password = password
        return IdentityClaimed(username, authzid)

    def resume(self, keys: ScramKeys) -> PasswordGiven:
        """Ask for the password to be checked against the account's keys."""
        if self._password is None:
            raise LocalProtocolError("PLAIN cannot go on before the client's message")
        return PasswordGiven(self._password, keys)
