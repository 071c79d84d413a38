"""In-band registration (XEP-0077): accounts made, changed and removed by clients themselves.

Whether strangers may make accounts is the setting `registration.open`; how many is a limit for each address.
The form is offered in both ways, as plain fields and as a data form (§4, XEP-0004).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from actors.accounts import Accounts, TooManyRegistrationsError
from actors.form_keys import FormKeys
from actors.module import GET_SET, AccountContext, AccountIq, Asker, Module, StrangerContext, StrangerIq, Xep
from actors.presence_effects import Answer, RemoveAccount, SaveUser
from actors.settings import setting
from protocols.conditions import StanzaCondition
from protocols.data_forms import Field, form, submitted
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import JID, jid_from_parts
from protocols.namespaces import REGISTER
from protocols.sasl.keys import PasswordUnusable
from protocols.sasl.kinds import kinds_of, renewed
from protocols.stanza import PayloadName
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.module import Context, Request
    from actors.presence_effects import AccountEffect
    from protocols.sasl.keys import ScramKeys
    from protocols.xml_element import Element

_QUERY: Final = PayloadName(REGISTER, "query")
_FIELDS: Final = ("username", "password")
_KEY_NAME: Final = "key"
_INSTRUCTIONS: Final = "Choose a user name and a password for use with this service."
_REMOVE: Final = f"{{{REGISTER}}}remove"
_KEY: Final = f"{{{REGISTER}}}key"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterOptions:
    """How registrations are asked for."""

    ask_key: bool = setting(
        False,
        "Whether a form must be asked for before it is sent, and sent with the `<key/>` that came with it; "
        "clients of today send none.",
    )


# -- strangers


async def register_stranger(context: StrangerContext, request: Request) -> Sequence[Answer]:
    """A connection that has not logged in asks for the form, or sends it filled in (§3.1)."""
    if not request.is_set:
        return (Answer(_form(_new_key(context, context.address))),)
    if request.payload.find(_REMOVE) is not None:
        raise StanzaError(StanzaCondition.UNEXPECTED_REQUEST, "log in first")
    fields = _filled_in(request.payload, StanzaCondition.NOT_ACCEPTABLE)
    _check_key(context, context.address, fields)
    jid = _new_address(context, fields["username"])
    try:
        is_new = await context.use(Accounts).register(jid, fields["password"], context.address)
    except TooManyRegistrationsError as error:
        raise StanzaError(
            StanzaCondition.RESOURCE_CONSTRAINT, "too many accounts were registered from your address"
        ) from error
    except PasswordUnusable as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, str(error)) from error
    if not is_new:
        raise StanzaError(StanzaCondition.CONFLICT, "there is such an account already")
    return (Answer(),)


def _new_address(context: StrangerContext, name: str) -> JID:
    try:
        return jid_from_parts(name, context.domain.domainpart)
    except JIDMalformed as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"no user can have that name: {error}") from error


# -- accounts


async def manage_account(context: AccountContext, request: Request) -> Sequence[AccountEffect]:
    """An account asks what is known of it, changes its password (§3.3), or goes (§3.2)."""
    if context.is_guest:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "guests have no account to manage")
    if not request.is_set:
        return (Answer(_registered(context.jid, _new_key(context, context.jid.bare))),)
    query = request.payload
    if query.find(_REMOVE) is not None:
        if any(child.tag not in {_REMOVE, _KEY} for child in query):
            raise StanzaError(StanzaCondition.BAD_REQUEST, "a removal holds nothing else")
        _check_key(context, context.jid.bare, {_KEY_NAME: query.findtext(_KEY) or ""})
        return (Answer(), RemoveAccount())
    fields = _filled_in(query, StanzaCondition.BAD_REQUEST)
    _check_key(context, context.jid.bare, fields)
    if not _is_name_of(context.jid, fields["username"]):
        raise StanzaError(StanzaCondition.FORBIDDEN, "that account is not yours")
    try:
        keys = await _derived(context, fields["password"])
    except PasswordUnusable as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, str(error)) from error
    return (SaveUser(replace(context.user, credentials=keys)), Answer())


async def _derived(context: AccountContext, password: str) -> tuple[ScramKeys, ...]:
    kinds = kinds_of(context.user.credentials)
    keys = await context.use(Accounts).derive(context.jid, password, kinds)
    return renewed(context.user.credentials, keys)


def _registered(jid: JID, key: str) -> bytes:
    username = escape_text(jid.localpart or "")
    return (
        f"<query xmlns='{REGISTER}'><registered/><instructions>{_INSTRUCTIONS}</instructions>"
        f"{_key_element(key)}<username>{username}</username><password/></query>"
    ).encode()


def _is_name_of(jid: JID, name: str) -> bool:
    """Whether a client means this account; some write the whole address."""
    local, at, domain = name.partition("@")
    try:
        return jid_from_parts(local, domain if at else jid.domainpart) == jid
    except JIDMalformed:
        return False


# -- forms


def _form(key: str) -> bytes:
    fields = [
        *([Field(_KEY_NAME, "", "hidden", key)] if key else []),
        Field("username", "User name", is_required=True),
        Field("password", "Password", "text-private", is_required=True),
    ]
    return (
        f"<query xmlns='{REGISTER}'><instructions>{_INSTRUCTIONS}</instructions>{_key_element(key)}"
        f"<username/><password/>{form(REGISTER, 'New account', _INSTRUCTIONS, fields)}</query>"
    ).encode()


def _key_element(key: str) -> str:
    return f"<key>{key}</key>" if key else ""


def _new_key(context: Context, asker: str) -> str:
    """What must come back with the form that is sent now; empty if nothing must."""
    return context.use(FormKeys).new_key(REGISTER, asker) if context.options(RegisterOptions).ask_key else ""


def _check_key(context: Context, asker: str, fields: Mapping[str, str]) -> None:
    """Whether what must come back has come back.

    Raises:
        StanzaError: it has not.
    """
    if not context.options(RegisterOptions).ask_key:
        return
    if not context.use(FormKeys).is_good(fields.get(_KEY_NAME, ""), REGISTER, asker):
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "ask for the form, and send it with its key")


def _filled_in(query: Element, incomplete: StanzaCondition) -> Mapping[str, str]:
    """The fields, from the data form if there is one.

    Raises:
        StanzaError: one is missing or empty, which is another fault in a registration (§3.1) than in a change
            of password (§3.3); or the form is not one to be submitted.
    """
    fields = submitted(query)
    if fields is None:
        fields = {name: query.findtext(f"{{{REGISTER}}}{name}") or "" for name in (*_FIELDS, _KEY_NAME)}
    for name in _FIELDS:
        if not fields.get(name):
            raise StanzaError(incomplete, f"the {name} is missing")
    return fields


MODULE: Final = Module(
    name="register",
    summary="Lets clients change their passwords and remove their accounts, and strangers make new ones where"
    " the server is open to that.",
    xeps=(Xep("0077", "2.4"),),
    features=(REGISTER,),
    iqs=(
        StrangerIq(_QUERY, GET_SET, register_stranger),
        AccountIq(_QUERY, GET_SET, Asker.OWNER, manage_account, to_domain=True),
    ),
    options=RegisterOptions,
    uses=(Accounts, FormKeys),
)
