"""The mechanism EXTERNAL: the client's certificate says who it is (RFC 4422 appendix A, XEP-0178 §2).

The certificate has been checked by TLS; its addresses are those of id-on-xmppAddr (RFC 6120 §13.7.1.4). Here
it is decided which of them the client may be, and wants to be.
"""

from typing import Final, NoReturn, final

from protocols.conditions import SaslCondition
from protocols.errors import JIDMalformed, LocalProtocolError
from protocols.jid import JID, parse_jid
from protocols.sasl.exchange import Circumstances, IdentityClaimed, SaslFailure
from protocols.sasl.keys import ScramKeys


@final
class ExternalExchange:
    """The server's side of one attempt with EXTERNAL."""

    __slots__ = ("_accounts",)
    first_challenge: Final = b""

    def __init__(self, circumstances: Circumstances) -> None:
        """Wait for the client's only message."""
        self._accounts = _accounts(circumstances)

    def respond(self, message: bytes) -> IdentityClaimed:
        """Take the client's message: whom it wants to be, or nothing.

        Nothing is enough where its certificate leaves no choice. A certificate without an address of ours is
        nobody's here, whatever the client says: there is no other way to find its account.
        """
        if not self._accounts:
            raise SaslFailure(SaslCondition.NOT_AUTHORIZED, "the certificate names no account of this domain")
        try:
            wanted = parse_jid(message.decode()) if message else None
        except (JIDMalformed, UnicodeDecodeError) as error:
            raise SaslFailure(SaslCondition.INVALID_AUTHZID) from error
        if wanted is None and len(self._accounts) > 1:
            raise SaslFailure(SaslCondition.INVALID_AUTHZID, "the certificate names several accounts")
        account = self._accounts[0] if wanted is None else wanted
        if account not in self._accounts:
            raise SaslFailure(SaslCondition.INVALID_AUTHZID, "the certificate does not name this account")
        assert account.localpart is not None, "only such addresses are accounts"
        return IdentityClaimed(account.localpart, authzid="")

    def resume(self, keys: ScramKeys) -> NoReturn:
        """Keys are not asked for."""
        raise LocalProtocolError(f"EXTERNAL has no use for {keys}")


def _accounts(circumstances: Circumstances) -> list[JID]:
    """Return the accounts of this domain that the certificate names, each once."""
    found: dict[JID, None] = {}
    for address in circumstances.addresses:
        try:
            jid = parse_jid(address)
        except JIDMalformed:
            continue  # that one is nobody's; the others hold all the same
        is_account = jid.localpart is not None and jid.resourcepart is None
        if is_account and jid.domainpart == circumstances.host:
            found[jid] = None
    return list(found)
