"""In-band registration (XEP-0077): accounts made, changed and removed by clients themselves.

Whether strangers may make accounts is the setting `registration.open`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.module import GET_SET, DomainContext, DomainIq, Module, Request, Xep
from protocols.conditions import StanzaCondition
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import JID, jid_from_parts
from protocols.namespaces import REGISTER
from protocols.sasl.keys import PasswordUnusable
from protocols.stanza import PayloadName

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from protocols.xml_element import Element

_INSTRUCTIONS: Final = "Choose a user name and a password for use with this service."
_FORM: Final = (
    f"<query xmlns='{REGISTER}'><instructions>{_INSTRUCTIONS}</instructions><username/><password/></query>"
).encode()


async def register_stranger(context: DomainContext, request: Request) -> bytes:
    """A connection that has not logged in asks for the form, or sends it filled in (§3.1)."""
    if not request.is_set:
        return _FORM
    name, password = _field(request.payload, "username"), _field(request.payload, "password")
    jid = _account(context, name)
    if not await _set(context.accounts.create(jid, password)):
        raise StanzaError(StanzaCondition.CONFLICT, "there is such an account already")
    return b""


def _field(query: Element, name: str) -> str:
    """One field of the form.

    Raises:
        StanzaError: it is missing or empty (§3.1: not-acceptable).
    """
    text = query.findtext(f"{{{REGISTER}}}{name}")
    if not text:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"the {name} is missing")
    return text


def _account(context: DomainContext, name: str) -> JID:
    try:
        return jid_from_parts(name, context.domain.domainpart)
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"no user can have that name: {error}") from error


async def _set(change: Awaitable[bool]) -> bool:
    """Await a change of an account; a password that cannot be one is the client's fault."""
    try:
        return await change
    except PasswordUnusable as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, str(error)) from error


MODULE: Final = Module(
    name="register",
    summary="Lets strangers make accounts, where the server is open to that.",
    xeps=(Xep("0077", "2.4"),),
    features=(REGISTER,),
    stranger_iqs=(DomainIq(PayloadName(REGISTER, "query"), GET_SET, register_stranger),),
)
