"""A directory of users (XEP-0055) at a host of its own, `users.` before the domain.

Nobody is in it who does not want to be: an account enters itself by registering there (XEP-0077), with as
many of the fields as it likes, and leaves by removing that. Searches are for all of a field or what it begins
with, without case. They cost what they find, however many accounts there are: each field of an entry is a
thing that the account keeps to be found by it.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, final

from actors.account_items import AccountItems, FoundItems
from actors.form_keys import FormKeys
from actors.module import GET, GET_SET, SET, AccountIq, Asker, DomainIq, Identity, Module, Service, Xep
from actors.presence_effects import Answer, ForgetItem, KeepItem
from actors.settings import count, setting
from protocols.conditions import StanzaCondition
from protocols.data_forms import Field, form, results, submitted
from protocols.errors import StanzaError
from protocols.namespaces import REGISTER, SEARCH
from protocols.stanza import PayloadName
from protocols.xml_text import escape_attribute, escape_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.module import AccountContext, Context, Request
    from actors.presence_effects import AccountEffect
    from protocols.xml_element import Element
    from store.account_items import AccountItem

KIND: Final = "directory"
LABELS: Final = {"first": "Given name", "last": "Family name", "nick": "Nickname", "email": "Email address"}
"""The fields there are (XEP-0055 §7.2), in their order."""
VALUE_CHARACTERS_MAX: Final = 255
"""Of one field; longer than any name."""
BEGINNING_CHARACTERS_MIN: Final = 2
"""Of what a field begins with: with less, half of a large directory would be read."""
CANDIDATES_MAX: Final = 1_000
"""Entries read for one search, of which the other fields asked for leave some; a sixth of a second."""

_KEY: Final = "key"
_LAST: Final = "\U0010ffff"
_REGISTER: Final = PayloadName(REGISTER, "query")
_SEARCH: Final = PayloadName(SEARCH, "query")
_REMOVE: Final = f"{{{REGISTER}}}remove"
_TO_SEARCH: Final = "Fill in one or more fields. An asterisk at the end stands for anything that may follow."
_TO_REGISTER: Final = "Fill in what others may find you by, and see of you. Nobody finds you otherwise."
_JID: Final = Field("jid", "Address", "jid-single")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How the directory is searched."""

    results_max: int = count(50, "Entries that one search gives, at most.", most=CANDIDATES_MAX)
    ask_key: bool = setting(
        False,
        "Whether a form must be asked for before it is sent, and sent with the `<key/>` that came with it; "
        "clients of today send none.",
    )


@final
class Wanted(NamedTuple):
    """What is looked for in one field, normalised."""

    field: str
    text: str
    is_beginning: bool

    def fits(self, entry: Mapping[str, str]) -> bool:
        """Whether an entry has it."""
        value = normalised(entry.get(self.field, ""))
        return value.startswith(self.text) if self.is_beginning else value == self.text

    @property
    def window(self) -> tuple[str, str]:
        """The texts, first and last, by which entries that have it are found."""
        first = found_by(self.field, self.text)
        return first, first + _LAST if self.is_beginning else first


def normalised(text: str) -> str:
    """A text as it is compared: without case, variants of characters, and more than single blanks."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())[:VALUE_CHARACTERS_MAX]  # some characters become many


def found_by(field: str, normal: str) -> str:
    """By which text a field of an entry is found."""
    return f"{field}={normal}"


# -- searching


async def tell_search_form(context: Context, request: Request) -> Sequence[Answer]:
    """The fields by which one may search (§2.1), in both ways."""
    key = _new_key(context, SEARCH, request)
    fields = [Field(name, label) for name, label in LABELS.items()]
    shown = form(SEARCH, "User directory", _TO_SEARCH, [*_key_field(key), *fields])
    elements = "".join(f"<{name}/>" for name in LABELS)
    return (_query(SEARCH, f"<instructions>{_TO_SEARCH}</instructions>{_key_element(key)}{elements}{shown}"),)


async def search(context: Context, request: Request) -> Sequence[Answer]:
    """The entries that have what is looked for, in all fields that are filled in."""
    filled_in = submitted(request.payload)
    fields = _elements(request.payload, SEARCH) if filled_in is None else filled_in
    _check_key(context, SEARCH, request, fields)
    wanted = [_wanted(name, fields.get(name, "")) for name in LABELS if fields.get(name, "").strip()]
    if not wanted:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "fill in a field to search by")
    best = max(wanted, key=lambda each: (not each.is_beginning, len(each.text)))
    candidates = await context.use(FoundItems).find(KIND, *best.window, CANDIDATES_MAX)
    entries = [_entry(item) for item in candidates]
    found = [entry for entry in entries if all(each.fits(entry) for each in wanted)]
    found = found[: context.options(SearchOptions).results_max]
    if not found:
        return (_query(SEARCH, ""),)
    if filled_in is None:
        return (_query(SEARCH, "".join(map(_item, found))),)
    columns = [*(Field(name, label) for name, label in LABELS.items()), _JID]
    return (_query(SEARCH, results(SEARCH, columns, found)),)


def _wanted(field: str, text: str) -> Wanted:
    """What is looked for in a field.

    Raises:
        StanzaError: it is too long, or a beginning that is too short.
    """
    if len(text) > VALUE_CHARACTERS_MAX:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "nobody has an entry so long")
    text, asterisk, rest = text.strip().partition("*")
    if rest:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "an asterisk is for the end")
    wanted = Wanted(field, normalised(text), bool(asterisk))
    if len(wanted.text) < (BEGINNING_CHARACTERS_MIN if asterisk else 1):
        least = f"at least {BEGINNING_CHARACTERS_MIN} characters before an asterisk"
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, least)
    return wanted


def _entry(item: AccountItem) -> dict[str, str]:
    return {**json.loads(item.data), "jid": item.owner}


def _item(entry: Mapping[str, str]) -> str:
    fields = "".join(f"<{name}>{escape_text(entry.get(name, ''))}</{name}>" for name in LABELS)
    return f"<item jid='{escape_attribute(entry['jid'])}'>{fields}</item>"


# -- one's own entry


async def manage_entry(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """What an account has in the directory: told, replaced, or taken out."""
    if context.is_guest:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "guests are not listed")
    kept = await context.use(AccountItems).read(KIND)
    if not request.is_set:
        return (_query(REGISTER, _own_entry(kept, _new_key(context, REGISTER, request))),)
    filled_in = submitted(request.payload)
    fields = _elements(request.payload, REGISTER) if filled_in is None else filled_in
    _check_key(context, REGISTER, request, fields)
    if request.payload.find(_REMOVE) is not None:
        return _leave(request, kept)
    entry = {name: " ".join(fields.get(name, "").split()) for name in LABELS}
    entry = {name: text for name, text in entry.items() if normalised(text)}
    if not entry:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "fill in a field to be found by")
    if any(len(text) > VALUE_CHARACTERS_MAX for text in entry.values()):
        raise StanzaError(
            StanzaCondition.NOT_ACCEPTABLE, f"at most {VALUE_CHARACTERS_MAX} characters a field"
        )
    data = json.dumps(entry).encode()
    return (
        *(KeepItem(KIND, name, data, found_by(name, normalised(text))) for name, text in entry.items()),
        *(ForgetItem(KIND, name) for name in kept if name not in entry),
        Answer(),
    )


def _leave(request: Request, kept: Mapping[str, bytes]) -> Sequence[AccountEffect]:
    """Out of the directory (XEP-0077 §3.2).

    Raises:
        StanzaError: the account is not in it, or the request holds something else.
    """
    if any(child.tag not in {_REMOVE, f"{{{REGISTER}}}{_KEY}"} for child in request.payload):
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a removal holds nothing else")
    if not kept:
        raise StanzaError(StanzaCondition.REGISTRATION_REQUIRED, "you are not in the directory")
    return (*(ForgetItem(KIND, name) for name in kept), Answer())


def _own_entry(kept: Mapping[str, bytes], key: str) -> str:
    entry: Mapping[str, str] = json.loads(next(iter(kept.values()))) if kept else {}
    elements = "".join(f"<{name}>{escape_text(entry.get(name, ''))}</{name}>" for name in LABELS)
    fields = [Field(name, label, value=entry.get(name, "")) for name, label in LABELS.items()]
    shown = form(REGISTER, "User directory", _TO_REGISTER, [*_key_field(key), *fields])
    registered = "<registered/>" if kept else ""
    return f"{registered}<instructions>{_TO_REGISTER}</instructions>{_key_element(key)}{elements}{shown}"


# -- both


def _query(namespace: str, content: str) -> Answer:
    return Answer(f"<query xmlns='{namespace}'>{content}</query>".encode())


def _elements(payload: Element, namespace: str) -> Mapping[str, str]:
    return {name: payload.findtext(f"{{{namespace}}}{name}") or "" for name in (*LABELS, _KEY)}


def _key_field(key: str) -> Sequence[Field]:
    return [Field(_KEY, "", "hidden", key)] if key else []


def _key_element(key: str) -> str:
    return f"<key>{key}</key>" if key else ""


def _new_key(context: Context, purpose: str, request: Request) -> str:
    """What must come back with the form that is sent now; empty if nothing must."""
    if not context.options(SearchOptions).ask_key:
        return ""
    return context.use(FormKeys).new_key(f"{KIND} {purpose}", request.asker.bare)


def _check_key(context: Context, purpose: str, request: Request, fields: Mapping[str, str]) -> None:
    """Whether what must come back has come back.

    Raises:
        StanzaError: it has not.
    """
    if not context.options(SearchOptions).ask_key:
        return
    key = fields.get(_KEY, "")
    if not context.use(FormKeys).is_good(key, f"{KIND} {purpose}", request.asker.bare):
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "ask for the form, and send it with its key")


MODULE: Final = Module(
    name="search",
    summary="A directory of those users who want to be found, at a host of its own.",
    xeps=(Xep("0055", "1.3"), Xep("0004", "2.13.2", "one line a field"), Xep("0068", "1.3.0")),
    services=(
        Service(
            "users",
            (Identity("directory", "user", "User directory"),),
            (SEARCH, REGISTER),
            (
                DomainIq(_SEARCH, GET, tell_search_form),
                DomainIq(_SEARCH, SET, search),
                AccountIq(_REGISTER, GET_SET, Asker.OWNER, manage_entry),
            ),
        ),
    ),
    options=SearchOptions,
    uses=(AccountItems, FoundItems, FormKeys),
)
