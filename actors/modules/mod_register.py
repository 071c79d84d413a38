"""In-band registration (XEP-0077): accounts made, changed and removed by clients themselves.

Whether strangers may make accounts is the setting `registration.open`; how many is a limit for each address.
The form is offered in both ways, as plain fields and as a data form (§4, XEP-0004).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from actors.accounts import Accounts, TooManyRegistrationsError
from actors.module import GET_SET, AccountContext, AccountIq, Asker, Module, StrangerContext, StrangerIq, Xep
from actors.presence_effects import Answer, RemoveAccount, SaveUser
from protocols.conditions import StanzaCondition
from protocols.errors import JIDMalformed, StanzaError
from protocols.jid import JID, jid_from_parts
from protocols.namespaces import DATA_FORMS, REGISTER
from protocols.sasl.kept_password import kinds_of
from protocols.sasl.keys import PasswordUnusable
from protocols.stanza import PayloadName
from protocols.xml_text import escape_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.module import Request
    from actors.presence_effects import AccountEffect
    from protocols.xml_element import Element

_QUERY: Final = PayloadName(REGISTER, "query")
_FIELDS: Final = ("username", "password")
_INSTRUCTIONS: Final = "Choose a user name and a password for use with this service."
_FORM: Final = (
    f"<query xmlns='{REGISTER}'><instructions>{_INSTRUCTIONS}</instructions><username/><password/>"
    f"<x xmlns='{DATA_FORMS}' type='form'><title>New account</title>"
    f"<instructions>{_INSTRUCTIONS}</instructions>"
    f"<field type='hidden' var='FORM_TYPE'><value>{REGISTER}</value></field>"
    "<field type='text-single' label='User name' var='username'><required/></field>"
    "<field type='text-private' label='Password' var='password'><required/></field></x></query>"
).encode()

_X: Final = f"{{{DATA_FORMS}}}x"
_FIELD: Final = f"{{{DATA_FORMS}}}field"
_VALUE: Final = f"{{{DATA_FORMS}}}value"
_REMOVE: Final = f"{{{REGISTER}}}remove"


# -- strangers


async def register_stranger(context: StrangerContext, request: Request) -> Sequence[Answer]:
    """A connection that has not logged in asks for the form, or sends it filled in (§3.1)."""
    if not request.is_set:
        return (Answer(_FORM),)
    fields = _filled_in(request.payload)
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
        return (Answer(_registered(context.jid)),)
    query = request.payload
    if query.find(_REMOVE) is not None:
        if len(query) != 1:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "a removal holds nothing else")
        return (Answer(), RemoveAccount())
    fields = _filled_in(query)
    if not _is_name_of(context.jid, fields["username"]):
        raise StanzaError(StanzaCondition.FORBIDDEN, "that account is not yours")
    try:
        keys = await context.use(Accounts).derive(fields["password"], kinds_of(context.user.credentials))
    except PasswordUnusable as error:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, str(error)) from error
    return (SaveUser(replace(context.user, credentials=keys)), Answer())


def _registered(jid: JID) -> bytes:
    username = escape_text(jid.localpart or "")
    return (
        f"<query xmlns='{REGISTER}'><registered/><instructions>{_INSTRUCTIONS}</instructions>"
        f"<username>{username}</username><password/></query>"
    ).encode()


def _is_name_of(jid: JID, name: str) -> bool:
    """Whether a client means this account; some write the whole address."""
    local, at, domain = name.partition("@")
    try:
        return jid_from_parts(local, domain if at else jid.domainpart) == jid
    except JIDMalformed:
        return False


# -- forms


def _filled_in(query: Element) -> Mapping[str, str]:
    """The fields, from the data form if there is one.

    Raises:
        StanzaError: one is missing or empty (§3.1: not-acceptable), or the form is not one to be submitted.
    """
    form = query.find(_X)
    if form is None:
        fields = {name: query.findtext(f"{{{REGISTER}}}{name}") for name in _FIELDS}
    elif form.get("type") == "submit":
        fields = {field.get("var") or "": field.findtext(_VALUE) for field in form.findall(_FIELD)}
    else:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a form is sent back with the type submit")
    found = {name: fields.get(name) or "" for name in _FIELDS}
    for name, value in found.items():
        if not value:
            raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"the {name} is missing")
    return found


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
    uses=(Accounts,),
)
