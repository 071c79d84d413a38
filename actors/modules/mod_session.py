"""The session request of RFC 3921 §3: old clients ask for one after binding; they have it."""

from collections.abc import Sequence
from typing import Final

from actors.module import SET, AccountIq, Asker, Context, DomainIq, Module, Request, Xep
from actors.presence_effects import Answer
from protocols.namespaces import SESSION
from protocols.stanza import PayloadName

_SESSION: Final = PayloadName(SESSION, "session")


async def begin_session(_context: Context, _request: Request) -> Sequence[Answer]:
    """It has begun already."""
    return (Answer(),)


MODULE: Final = Module(
    name="session",
    summary="Answers the session request of clients older than RFC 6120.",
    xeps=(Xep("RFC 3921", "2004", "section 3"),),
    iqs=(
        DomainIq(_SESSION, SET, begin_session),
        AccountIq(_SESSION, SET, Asker.OWNER, begin_session),  # without `to`
    ),
    is_optional=False,  # the stream's features promise it
)
