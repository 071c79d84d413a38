"""Business cards as all clients know them (XEP-0054): one's own is set, everybody's is shown.

Also the server and its services have one. The hash of the picture is put into presence by clients themselves
(XEP-0153); that the server does so for them (XEP-0398) comes with personal eventing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors import cards
from actors.account_items import AccountItems
from actors.module import GET, GET_SET, SET, AccountIq, Asker, DomainIq, Module, Xep
from actors.presence_effects import Answer
from protocols.namespaces import VCARD_TEMP
from protocols.stanza import PayloadName
from protocols.vcard import EMPTY_TEMP, with_temp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import AccountContext, Context, Request
    from actors.presence_effects import AccountEffect

_VCARD: Final = PayloadName(VCARD_TEMP, "vCard")


async def tell_card(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """An account's card, whoever asks and whether or not its owner is there (§3.1, §3.3)."""
    return cards.shown(context, request, (await cards.read_card(context)).temp, EMPTY_TEMP)


async def set_card(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """All of one's card (§3.2)."""
    return await cards.changed(context, request, with_temp)


async def tell_host_card(context: Context, request: Request) -> Sequence[Answer]:
    """The card of the server or a service; nobody can set it."""
    host = cards.host_shown(context, request)
    card = f"<vCard xmlns='{VCARD_TEMP}'><FN>{host}</FN><JABBERID>{host}</JABBERID></vCard>"
    return (Answer(card.encode()),)


MODULE: Final = Module(
    name="vcard",
    summary="Keeps the business cards of accounts and shows them.",
    xeps=(Xep("0054", "1.3.0"),),
    features=(VCARD_TEMP,),
    account_features=(VCARD_TEMP,),
    iqs=(
        AccountIq(_VCARD, GET, Asker.ANYBODY, tell_card),
        AccountIq(_VCARD, SET, Asker.OWNER, set_card),
        DomainIq(_VCARD, GET_SET, tell_host_card, to_services=True),
    ),
    options=cards.CardOptions,
    uses=(AccountItems,),
)
