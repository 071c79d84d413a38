"""Business cards as vCard4 (XEP-0292), asked for and set by IQ; what is set in one form is kept in both.

That they are also published as personal events comes with personal eventing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors import cards
from actors.account_items import AccountItems
from actors.module import GET, GET_SET, SET, AccountIq, Asker, DomainIq, Module, Xep
from actors.presence_effects import Answer
from protocols.namespaces import VCARD4
from protocols.stanza import PayloadName
from protocols.vcard import EMPTY_VCARD4, with_vcard4

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import AccountContext, Context, Request
    from actors.presence_effects import AccountEffect

_VCARD: Final = PayloadName(VCARD4, "vcard")


async def tell_card(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """An account's card, whoever asks and whether or not its owner is there."""
    return cards.shown(context, request, (await cards.read_card(context)).vcard4, EMPTY_VCARD4)


async def set_card(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """All of one's card."""
    return await cards.changed(context, request, with_vcard4)


async def tell_host_card(context: Context, request: Request) -> Sequence[Answer]:
    """The card of the server or a service (§6); nobody can set it."""
    host = cards.host_shown(context, request)
    said = f"<fn><text>{host}</text></fn><impp><uri>xmpp:{host}</uri></impp>"
    said += "<kind><text>application</text></kind>"
    return (Answer(f"<vcard xmlns='{VCARD4}'>{said}</vcard>".encode()),)


MODULE: Final = Module(
    name="vcard4",
    summary="Keeps the business cards of accounts in the form of today as well.",
    xeps=(Xep("0292", "0.12.0", "by IQ; as personal events they come later"),),
    features=(VCARD4,),
    account_features=(VCARD4,),
    iqs=(
        AccountIq(_VCARD, GET, Asker.ANYBODY, tell_card),
        AccountIq(_VCARD, SET, Asker.OWNER, set_card),
        DomainIq(_VCARD, GET_SET, tell_host_card, to_services=True),
    ),
    options=cards.CardOptions,
    uses=(AccountItems,),
)
