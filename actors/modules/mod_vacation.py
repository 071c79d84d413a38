"""Vacation messages (XEP-0109 as of version 0.2): who writes to somebody who is away is told so, once.

The settings are in the account's document, so that accounts without them cost nothing; whom the account has
answered is kept beside it, until the settings change. Answered is who writes while no client takes messages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from actors.account_items import AccountItems
from actors.module import GET_SET, AccountContext, AccountIq, Asker, Module, OnKept, Request, Xep
from actors.presence_effects import Answer, ForgetItem, KeepItem, SaveUser, Send
from actors.settings import count
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.namespaces import ADDRESS, VACATION
from protocols.stanza import PayloadName, build_message
from protocols.timestamp import parse_timestamp, timestamp
from protocols.xml_text import escape_text
from store.users import Vacation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.presence_effects import AccountEffect, HookEffect
    from protocols.stanza import Stanza
    from protocols.xml_element import Element

KIND: Final = "vacation"
_ANSWERED: Final = "answered"
_QUERY: Final = PayloadName(VACATION, "query")
_TYPES: Final = frozenset({"", "chat", "normal"})
_ADDRESSES: Final = f"{{{ADDRESS}}}addresses"


@dataclass(frozen=True, slots=True, kw_only=True)
class VacationOptions:
    """How much is said, and to how many."""

    characters_max: int = count(2_000, "Characters of a vacation message.", most=50_000)
    answered_max: int = count(
        1_000,
        "Senders that one vacation message is sent to; further ones get none, so that nobody gets two.",
        most=10_000,
    )


# -- the settings


async def manage_vacation(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """Tell the settings (§3.2), set them anew (§3.3), or remove them (§3.4)."""
    if not request.is_set:
        found = context.user.vacation
        return (Answer(b"" if found is None else _told(found)),)
    query = request.payload
    vacation = _read(query, context.options(VacationOptions)) if len(query) else None
    return (SaveUser(replace(context.user, vacation=vacation)), ForgetItem(KIND, _ANSWERED), Answer())


def _told(vacation: Vacation) -> bytes:
    start, end = ("" if ms is None else timestamp(ms) for ms in (vacation.start_ms, vacation.end_ms))
    content = f"<start>{start}</start><end>{end}</end><message>{escape_text(vacation.message)}</message>"
    return f"<query xmlns='{VACATION}'>{content}</query>".encode()


def _read(query: Element, options: VacationOptions) -> Vacation:
    """What a client sets; without a start it begins at once, without an end it lasts until it is removed."""
    names = [child.tag for child in query]
    known = {f"{{{VACATION}}}{name}" for name in ("start", "end", "message")}
    if not known.issuperset(names) or len(set(names)) != len(names):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a vacation has a start, an end and a message")
    message = query.findtext(f"{{{VACATION}}}message") or ""
    if not message.strip():
        raise StanzaError(StanzaCondition.BAD_REQUEST, "the message is missing")
    if len(message) > options.characters_max:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the message is too long")
    start, end = _moment(query, "start"), _moment(query, "end")
    if start is not None and end is not None and end <= start:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "it ends before it begins")
    return Vacation(message, start, end)


def _moment(query: Element, name: str) -> int | None:
    text = (query.findtext(f"{{{VACATION}}}{name}") or "").strip()
    try:
        return parse_timestamp(text) if text else None
    except ValueError as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, f"the {name} is no moment") from error


# -- the answer


async def answer_kept(context: AccountContext, stanza: Stanza) -> Sequence[HookEffect]:
    """Tell who wrote a message that waits, unless that has been told already."""
    vacation, sender = context.user.vacation, stanza.sender
    if vacation is None or sender is None or not vacation.is_on(context.now_ms()):
        return ()
    if not _is_from_somebody(context, stanza):
        return ()
    kept = await context.use(AccountItems).read(KIND)
    answered = kept.get(_ANSWERED, b"").decode().splitlines()
    if sender.bare in answered or len(answered) >= context.options(VacationOptions).answered_max:
        return ()
    body = f"<body>{escape_text(vacation.message)}</body>".encode()
    return (
        KeepItem(KIND, _ANSWERED, "\n".join((*answered, sender.bare)).encode()),
        Send(build_message(to=sender, sender=context.jid, type=stanza.type, content=body)),
    )


def _is_from_somebody(context: AccountContext, stanza: Stanza) -> bool:
    """Whether a person wrote it to this one: no error, no list, no server, and not the account itself."""
    sender = stanza.sender
    if sender is None or sender.localpart is None or sender.bare == context.jid.bare:
        return False
    return stanza.type in _TYPES and stanza.element.find(_ADDRESSES) is None


MODULE: Final = Module(
    name="vacation",
    summary="Answers once to each who writes to somebody on vacation, while nobody is there.",
    xeps=(
        Xep(
            "0109",
            "0.2",
            "answers messages that no client can take; version 0.3 is personal eventing's",
            is_partial=True,
        ),
    ),
    features=(VACATION,),
    iqs=(AccountIq(_QUERY, GET_SET, Asker.OWNER, manage_vacation, to_domain=True),),
    hooks=(OnKept(answer_kept),),
    options=VacationOptions,
    uses=(AccountItems,),
    needs=("offline",),
)
