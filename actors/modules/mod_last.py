"""Last activity (XEP-0012): since when an account has nobody there, and how long the server has been running.

Accounts tell only those who may see their presence. What is asked of a full address goes to that client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import GET_SET, AccountContext, AccountIq, Asker, Context, DomainIq, Module, Xep
from actors.presence_effects import Answer
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import LAST
from protocols.stanza import PayloadName
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.module import Request

_LAST: Final = PayloadName(LAST, "query")
_SECOND_MS: Final = 1000


async def tell_uptime(context: Context, request: Request) -> Sequence[Answer]:
    """For how many seconds the server has been running (§5)."""
    _refuse_set(request)
    return (_last(context, context.started_ms),)


async def tell_absence(context: AccountContext, request: Request) -> Sequence[Answer]:
    """For how many seconds nobody has been there, and what was said then; zero if somebody is (§3).

    A session that has announced no presence does not count: it wants not to be seen.
    """
    _refuse_set(request)
    if context.priorities:
        return (_last(context, context.now_ms()),)
    if context.user.last_logout_ms is None:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "nobody has ever been there")
    return (_last(context, context.user.last_logout_ms, context.user.last_status or ""),)


def _refuse_set(request: Request) -> None:
    if request.is_set:
        raise StanzaError(StanzaCondition.NOT_ALLOWED)


def _last(context: Context, since_ms: int, text: str = "") -> Answer:
    """The clock may have been set back meanwhile: never less than zero."""
    seconds = max(0, context.now_ms() - since_ms) // _SECOND_MS
    return Answer(f"<query xmlns='{LAST}' seconds='{seconds}'>{escape_text(text)}</query>".encode())


MODULE: Final = Module(
    name="last",
    summary="Tells since when an account has nobody there, and for how long the server has been running.",
    xeps=(Xep("0012", "2.0"),),
    features=(LAST,),
    account_features=(LAST,),
    iqs=(
        DomainIq(_LAST, GET_SET, tell_uptime, to_services=True),
        AccountIq(_LAST, GET_SET, Asker.VIEWERS, tell_absence),
    ),
)
