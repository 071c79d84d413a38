"""The session request of RFC 3921 §3: old clients ask for one after binding; they have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import SET, AccountContext, AccountIq, DomainContext, DomainIq, Module, Request, Scope, Xep
from actors.presence_effects import Answer
from protocols.namespaces import SESSION
from protocols.stanza import PayloadName

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAYLOAD: Final = PayloadName(SESSION, "session")


async def begin_session(_context: DomainContext, _request: Request) -> bytes:
    """For clients that ask the server."""
    return b""


async def begin_own_session(_context: AccountContext, _request: Request) -> Sequence[Answer]:
    """For clients that ask without `to`."""
    return (Answer(),)


MODULE: Final = Module(
    name="session",
    summary="Answers the session request of clients older than RFC 6120.",
    xeps=(Xep("RFC 3921", "2004", "section 3"),),
    domain_iqs=(DomainIq(_PAYLOAD, SET, begin_session),),
    account_iqs=(AccountIq(_PAYLOAD, SET, Scope.OWNER, begin_own_session),),
)
