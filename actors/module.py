"""What an extension is: one value that can be read, checked and listed.

A module is one file in `actors/modules` with a `MODULE`. It declares its namespaces, handlers, hooks,
features and options; nothing is registered by importing it. Handlers get a context with what they may know,
and return effects.

Where a handler runs: one for an account, in that account's presence actor, in order with everything else
that happens to it; one for the domain, in a short supervised task. What is addressed to a full address
passes unseen.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

from protocols.stanza import PayloadName

if TYPE_CHECKING:
    from actors.accounts import Accounts
    from actors.presence_effects import PresenceEffect
    from actors.settings import LimitSettings
    from actors.world import World
    from protocols.jid import JID
    from protocols.stanza import Stanza
    from protocols.xml_element import Element
    from store.log import LogRecord
    from store.users import User
    from supervision.ref import Ref


class Scope(enum.Enum):
    """Whose requests a handler answers."""

    DOMAIN = "domain"  # addressed to the server
    ACCOUNT = "account"  # addressed to an account, by anybody
    OWNER = "owner"  # addressed to an account by itself; others are refused with `forbidden`


@final
class Xep(NamedTuple):
    """A standard that a module implements, for the list of standards and the DOAP file."""

    number: str  # '0199', or 'RFC 6121'
    version: str
    note: str = ""


@final
class Identity(NamedTuple):
    """What the server or an account is, in service discovery (XEP-0030 §3.1)."""

    category: str
    type: str
    name: str = ""
    scope: Scope = Scope.DOMAIN


@final
@dataclass(frozen=True, slots=True)
class DomainContext:
    """What a handler for the domain may know."""

    domain: JID
    world: World
    modules: Sequence[Module]
    options: object
    accounts: Accounts


@final
@dataclass(frozen=True, slots=True)
class AccountContext:
    """What a handler for an account may know.

    Attributes:
        jid: The account's bare address.
        user: Its document as it is now.
        priorities: Its available resources and their priorities.
        pending_count: How many messages wait for it in the log, where that is known.
        pending: Reads at most so many of them, in order.
    """

    domain: JID
    world: World
    modules: Sequence[Module]
    options: object
    limits: LimitSettings
    jid: JID
    user: User
    priorities: Mapping[str, int]
    pending_count: int | None
    pending: Callable[[int], Awaitable[Sequence[LogRecord]]]


@final
@dataclass(frozen=True, slots=True)
class Request:
    """An IQ of type get or set."""

    stanza: Stanza

    @property
    def payload(self) -> Element:
        """Its one child, as an element tree made when first asked for."""
        return next(iter(self.stanza.element))

    @property
    def is_set(self) -> bool:
        """Whether it wants something changed."""
        return self.stanza.type == "set"


DomainHandler = Callable[[DomainContext, Request], Awaitable[bytes]]
"""Returns the payload of the result; raises `StanzaError` for an error."""
AccountHandler = Callable[[AccountContext, Request], Awaitable[Sequence["PresenceEffect"]]]
"""Returns effects, `Answer` or `Refuse` among them; may raise `StanzaError` for an error."""


@final
class DomainIq(NamedTuple):
    """A handler for requests to the domain, by the payload's name and the IQ's types."""

    payload: PayloadName
    types: frozenset[str]
    handle: DomainHandler


@final
class AccountIq(NamedTuple):
    """A handler for requests to an account."""

    payload: PayloadName
    types: frozenset[str]
    scope: Scope
    handle: AccountHandler


UndeliveredHook = Callable[[AccountContext, "Stanza"], Awaitable["Sequence[PresenceEffect] | None"]]
"""For a message that no session can take, in the recipient's account: effects end the chain, None goes on."""
AvailableHook = Callable[[AccountContext, "Ref[Any]"], Awaitable[Sequence["PresenceEffect"]]]
"""For a session that has just become able to take messages.

Its effects come before anybody can route to it.
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One extension.

    Attributes:
        name: Its name in the configuration, and that of its file after `mod_`.
        summary: What it is, in a sentence.
        xeps: The standards it implements.
        features: What the domain says of itself in service discovery.
        account_features: What accounts say of themselves.
        identities: Who the domain and its accounts are.
        domain_iqs, account_iqs: Handlers of requests.
        stranger_iqs: Handlers of requests from connections that have not logged in.
        undelivered, available: Hooks; several modules' run in order of `priority`, the lowest first.
        options: A frozen dataclass whose fields are made by `actors.settings.setting`; handlers find its
            instance, filled from the configuration, in their context.
        needs: Names of modules without which this one makes no sense.
        on_by_default: Whether it runs where the configuration does not say.
    """

    name: str
    summary: str
    xeps: tuple[Xep, ...] = ()
    features: tuple[str, ...] = ()
    account_features: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()
    domain_iqs: tuple[DomainIq, ...] = ()
    account_iqs: tuple[AccountIq, ...] = ()
    stranger_iqs: tuple[DomainIq, ...] = ()
    undelivered: UndeliveredHook | None = None
    available: AvailableHook | None = None
    priority: int = 0
    options: type | None = None
    needs: tuple[str, ...] = ()
    on_by_default: bool = True


GET = frozenset({"get"})
SET = frozenset({"set"})
GET_SET = frozenset({"get", "set"})
