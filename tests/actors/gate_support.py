"""A module for tests whose gate says what the test wants, and a house with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.module import SET, AccountContext, AccountIq, Asker, Gate, Module, Request
from actors.modules import MODULES
from actors.presence_effects import AccountEffect, Answer, KeepNote, SaveUser
from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError
from protocols.stanza import PayloadName
from tests.actors.house import House

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.gates import Guard, Notes, Passage
    from store.users import User

    Verdict = Callable[[Passage], StanzaError | None]

REFUSED = StanzaError(StanzaCondition.NOT_ALLOWED)
NOTE = "closed"
"""A resource that keeps this lets nothing pass to it."""


async def _keep(_context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    return (KeepNote(NOTE, request.payload.get("value")), Answer())


async def _save(context: AccountContext, _request: Request) -> Sequence[AccountEffect]:
    return (SaveUser(context.user), Answer())


def gate_module(verdict: Verdict | None, accounts: Sequence[str] = ("juliet@localhost",)) -> Module:
    """A module whose gate has this verdict on what passes from and to these accounts."""

    def make(user: User, notes: Notes) -> Guard | None:
        if user.bare_jid not in accounts:
            return None

        def guard(passage: Passage) -> StanzaError | None:
            if NOTE in notes.get(passage.resource or "", {}):
                return REFUSED
            return None if verdict is None else verdict(passage)

        return guard

    return Module(
        name="gate",
        summary="A gate.",
        hooks=(Gate(make),),
        iqs=(
            AccountIq(PayloadName("urn:gate", "keep"), SET, Asker.OWNER, _keep),
            AccountIq(PayloadName("urn:gate", "save"), SET, Asker.OWNER, _save),
        ),
    )


def gated(verdict: Verdict | None, **fields: Any) -> House:
    """A house in which Juliet has such a gate, and Romeo and she see each other's presence."""
    house = House(modules=(*MODULES, gate_module(verdict)), **fields)
    house.befriend("romeo@localhost", "juliet@localhost")
    return house


def save() -> str:
    """A request that has the guards made anew."""
    return "<iq type='set' id='s'><save xmlns='urn:gate'/></iq>"


def keep(value: str | None) -> str:
    """A request that closes the resource, or opens it again."""
    said = "" if value is None else f" value='{value}'"
    return f"<iq type='set' id='k'><keep xmlns='urn:gate'{said}/></iq>"
