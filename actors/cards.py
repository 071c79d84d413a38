"""The business card that an account keeps, as the modules for its two forms read and change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.presence_effects import Answer, ForgetItem, KeepItem
from actors.settings import count, setting
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.vcard import Card, packed, unpacked
from protocols.xml_element import element_bytes
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.module import AccountContext, Context, Request
    from actors.presence_effects import AccountEffect
    from protocols.xml_element import Element

KIND: Final = "vcard"
KEY: Final = ""
SPREAD: Final = 4
"""How many times what a client may set both forms together may take: the other form may need more words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardOptions:
    """How large cards may be."""

    bytes_max: int = setting(
        131_072, "Bytes of a card that a client may set, its picture included.", least=1, most=1_048_576
    )
    elements_max: int = count(
        1_000,
        "Elements of which it may consist: ten times as many as of any card that is used.",
        most=100_000,
    )


async def read_card(context: AccountContext) -> Card:
    """The account's card, an empty one if it has none; for modules that use `AccountItems`.

    Raises:
        StoreUnavailable: the database is away.
    """
    data = (await context.use(AccountItems).read(KIND)).get(KEY)
    return Card() if data is None else unpacked(data)


def shown(context: AccountContext, request: Request, form: bytes, nothing: bytes) -> Sequence[AccountEffect]:
    """One form of the card, for whoever asks.

    Others are not told whether there is no card or no account (XEP-0054 §3.3).

    Raises:
        StanzaError: it says nothing, and somebody else asks.
    """
    if form == nothing and request.asker.bare != context.jid.bare:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    return (Answer(form),)


def host_shown(context: Context, request: Request) -> str:
    """What the card of the server or a service says of it: its address, as XML text.

    Raises:
        StanzaError: somebody wants to set it.
    """
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)
    return escape_text(context.host.full)


async def changed(
    context: AccountContext, request: Request, change: Callable[[Card, Element], Card]
) -> Sequence[AccountEffect]:
    """The card as the request will have it, instead of that of before.

    Raises:
        StanzaError: it is too large.
        StoreUnavailable: the database is away.
    """
    options = context.options(CardOptions)
    bytes_max, elements_max = options.bytes_max, options.elements_max
    if sum(1 for _ in request.payload.iter()) > elements_max:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a card has at most {elements_max} elements here")
    if len(element_bytes(request.payload)) > bytes_max:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a card has at most {bytes_max} bytes here")
    card = change(await read_card(context), request.payload)
    data = packed(card)
    if len(data) > SPREAD * bytes_max:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "that card is too large")
    return (ForgetItem(KIND, KEY) if card == Card() else KeepItem(KIND, KEY, data), Answer())
