"""The mechanism ANONYMOUS: the client is nobody in particular (RFC 4505, XEP-0175)."""

from typing import Final, NoReturn, final

from protocols.conditions import SaslCondition
from protocols.errors import LocalProtocolError
from protocols.sasl.exchange import GuestWelcome, SaslFailure
from protocols.sasl.keys import ScramKeys

# RFC 4505 §2: a token of so many characters at most; an address, the other form, is held to the same.
TRACE_CHARACTERS_MAX: Final = 255


@final
class AnonymousExchange:
    """The server's side of one attempt with ANONYMOUS."""

    __slots__ = ()
    first_challenge: Final = b""

    def respond(self, message: bytes) -> GuestWelcome:
        """Take the client's only message: whatever it says of itself, which means nothing."""
        try:
            trace = message.decode()
        except UnicodeDecodeError as error:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST) from error
        if len(trace) > TRACE_CHARACTERS_MAX or "\0" in trace:
            raise SaslFailure(SaslCondition.MALFORMED_REQUEST)
        return GuestWelcome()

    def resume(self, keys: ScramKeys) -> NoReturn:
        """Keys are not asked for."""
        raise LocalProtocolError(f"ANONYMOUS has no use for {keys}")
