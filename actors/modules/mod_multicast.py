"""Extended addressing (XEP-0033): a message to the server with an address header is for all who stand in it.

Only for those on this server, and of messages only: a client sends its presence to each by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.module import Module, OnServerMessage, Xep
from actors.presence_effects import Send
from actors.settings import count
from protocols.multicast import copies
from protocols.namespaces import ADDRESS, ENVELOPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import Context
    from protocols.jid import JID
    from protocols.stanza import Stanza

_NAMESPACES: Final = (ADDRESS.encode(), ENVELOPE.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class MulticastOptions:
    """How many one message may be for."""

    addresses_max: int = count(50, "Recipients that one message may have.", most=100)


def deliver(context: Context, stanza: Stanza) -> Sequence[Send] | None:
    """One message for each whom the header names, if there is one (§6)."""
    is_ours = context.host == context.domain and not (stanza.to and stanza.to.resourcepart)
    if not is_ours or stanza.type == "error" or not any(each in stanza.data for each in _NAMESPACES):
        return None

    def may_reach(jid: JID) -> bool:
        return jid.localpart is not None and jid.domainpart == context.domain.domainpart

    made = copies(stanza, context.options(MulticastOptions).addresses_max, may_reach)
    return None if made is None else [Send(each) for each in made]


MODULE: Final = Module(
    name="multicast",
    summary="Delivers one message to all whom its address header names.",
    xeps=(Xep("0033", "1.2.1", "messages, to accounts of this server", is_partial=True),),
    features=(ADDRESS,),
    hooks=(OnServerMessage(deliver),),
    options=MulticastOptions,
)
