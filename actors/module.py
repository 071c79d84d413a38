"""What an extension is: one value that can be read, checked and listed.

A module is one file in `actors/modules` with a `MODULE`. It declares its standards, features, handlers,
hooks and options; nothing is registered by importing it. Handlers get a context with what they may know, and
return effects. docs/modules.md tells how to write one.

Where a handler runs: one for an account, in that account's presence actor, in order with everything else
that happens to it; one for the domain, in a short supervised task. What is addressed to a full address
passes unseen.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar, final

from protocols.errors import JIDMalformed
from protocols.jid import jid_from_parts
from protocols.stanza import PayloadName

if TYPE_CHECKING:
    from actors.gates import Guard, Notes
    from actors.offline_queue import Waiting
    from actors.presence_effects import AccountEffect, DomainEffect, HookEffect, ServerEffect
    from actors.settings import LimitSettings
    from protocols.jid import JID
    from protocols.session_bits import SessionBits
    from protocols.stanza import Stanza
    from protocols.stream_features import StreamFeature
    from protocols.xml_element import Element
    from store.users import User

I = TypeVar("I")  # noqa: E741 - an interface
O = TypeVar("O")  # noqa: E741 - options

GET = frozenset({"get"})
SET = frozenset({"set"})
GET_SET = frozenset({"get", "set"})


class ModuleFaultError(Exception):
    """A module asks for what it has not declared, or does not keep what it promises; says which and why."""


# -- what a module declares about itself


@final
class Xep(NamedTuple):
    """A standard that a module implements, for the list of standards and the DOAP file.

    Attributes:
        number: '0199', or 'RFC 6121'.
        version: The one implemented.
        note: What is to be said of it.
        is_partial: Whether something of it is missing; the note says what there is.
    """

    number: str
    version: str
    note: str = ""
    is_partial: bool = False


@final
class Identity(NamedTuple):
    """What the server or an account is, in service discovery (XEP-0030 §3.1)."""

    category: str
    type: str
    name: str = ""


# -- what handlers are given


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every handler may know.

    Attributes:
        domain: The domain served.
        host: What of it is asked: the domain itself, or a service beside it.
        limits: The server's bounds.
        modules: The modules that run.
        now_ms: Tells the time, in milliseconds since 1970.
        started_ms: When the server was started, in the same.
        admins: The bare addresses of those who run the server.
        new_token: Makes an unguessable text, for ids.
        chosen_options: The module's options; see `options`.
        interfaces: What the module uses, by type; see `use`.
    """

    domain: JID
    host: JID
    limits: LimitSettings
    modules: Sequence[Module]
    now_ms: Callable[[], int]
    started_ms: int
    new_token: Callable[[], str]
    admins: frozenset[str]
    chosen_options: object
    interfaces: Mapping[type, object]

    def options(self, kind: type[O]) -> O:
        """The module's own options, as the configuration has them.

        Raises:
            ModuleFaultError: the module has declared no such options.
        """
        if not isinstance(self.chosen_options, kind):
            raise ModuleFaultError(f"this module does not declare {kind.__name__} as its options")
        return self.chosen_options

    def use(self, interface: type[I]) -> I:
        """A part of the server that the module has declared to use.

        Raises:
            ModuleFaultError: it has not.
        """
        found = self.interfaces.get(interface)
        if not isinstance(found, interface):
            raise ModuleFaultError(f"this module does not declare that it uses {interface.__name__}")
        return found


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerContext(Context):
    """What a handler may know of a connection that has not logged in: its IP address, empty if unknown."""

    address: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountContext(Context):
    """What a handler for an account may know.

    Attributes:
        jid: The account's bare address.
        user: Its document as it is now.
        priorities: Its available resources and their priorities.
        notes: What its sessions keep (`KeepNote`), by resource and key; every connected resource is in it.
        is_guest: Whether it goes with its last session (XEP-0175); it has neither contacts nor a password.
    """

    jid: JID
    user: User
    priorities: Mapping[str, int]
    notes: Notes = field(default_factory=dict)
    is_guest: bool = False


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

    @property
    def asker(self) -> JID:
        """Who sent it; not for requests of strangers, who have no address."""
        assert self.stanza.sender is not None, "a stranger has no address"
        return self.stanza.sender


# -- handlers of requests
#
# A handler returns effects, one `Answer` among them, or raises `StanzaError` for an error.


class Asker(enum.Enum):
    """Who may ask an account."""

    ANYBODY = "anybody"
    SUBSCRIBERS = "those who may see its presence; for others it is as if there were no such account"
    VIEWERS = "those who may see its presence; others are refused with `forbidden`"
    OWNER = "the account itself; others are refused with `forbidden`"


@final
class DomainIq(NamedTuple):
    """A handler for requests to the server, by the payload's name and the IQ's types.

    With `to_services` also for requests to those services that have no handler of their own for them; what
    it answers is then a feature of each.
    """

    payload: PayloadName
    types: frozenset[str]
    handle: Callable[[Context, Request], Awaitable[Sequence[DomainEffect]]]
    to_services: bool = False


@final
class StrangerIq(NamedTuple):
    """A handler for requests to the server on connections that have not logged in."""

    payload: PayloadName
    types: frozenset[str]
    handle: Callable[[StrangerContext, Request], Awaitable[Sequence[DomainEffect]]]


@final
class AccountIq(NamedTuple):
    """A handler for requests to an account; with `to_domain` also for what the server is asked about it.

    Without a payload it is for every payload that no other handler names. With a node it is for what service
    discovery asks about that node (XEP-0030 §3.2).
    """

    payload: PayloadName | None
    types: frozenset[str]
    asker: Asker
    handle: Callable[[AccountContext, Request], Awaitable[Sequence[AccountEffect]]]
    to_domain: bool = False
    node: str = ""


Iq = DomainIq | StrangerIq | AccountIq


@final
class Service(NamedTuple):
    """A host beside the domain.

    Attributes:
        label: What stands before the domain in its address, and a dot: 'users'.
        identities: What it is.
        features: What it can do.
        iqs: Handlers of requests to it: of its own, or what it is asked about the sender's own account,
            which that account's presence actor then answers.
    """

    label: str
    identities: tuple[Identity, ...]
    features: tuple[str, ...] = ()
    iqs: tuple[DomainIq | AccountIq, ...] = ()

    def address(self, domain: JID) -> JID | None:
        """Its address; None where there can be none below the domain, such as below an IPv6 address."""
        try:
            return jid_from_parts(None, f"{self.label}.{domain.full}")
        except JIDMalformed:
            return None


# -- hooks
#
# Those for one point run in order of `priority`, the lowest first. One that fails is reported and skipped.


@final
class OnUndelivered(NamedTuple):
    """For a message that no session can take, in its recipient's account.

    Effects end the chain, None goes on, `StanzaError` refuses the message. One that nobody wants is refused.
    """

    handle: Callable[[AccountContext, Stanza], Awaitable[Sequence[AccountEffect] | None]]
    priority: int = 0


@final
class OnKept(NamedTuple):
    """For a message that is put into the offline queue; all of them run, in the step that keeps it."""

    handle: Callable[[AccountContext, Stanza], Awaitable[Sequence[HookEffect]]]
    priority: int = 0


@final
class OnLate(NamedTuple):
    """For a message of the offline queue that is about to be shown to a client of its recipient.

    Each is given the message as the one before has left it; the first that returns None ends the chain, and
    nobody is to have the message any more.
    """

    handle: Callable[[Context, Waiting], Stanza | None]
    priority: int = 0


@final
class OnAvailable(NamedTuple):
    """For a resource that can take messages from now on; effects come before anybody can route to it."""

    handle: Callable[[AccountContext, str], Awaitable[Sequence[AccountEffect]]]
    priority: int = 0


@final
class OnSessionStart(NamedTuple):
    """For a resource that has been bound; it is not available yet."""

    handle: Callable[[AccountContext, str], Awaitable[Sequence[HookEffect]]]
    priority: int = 0


@final
class OnSessionEnd(NamedTuple):
    """For a resource whose session has ended for good; not when the whole server stops."""

    handle: Callable[[AccountContext, str], Awaitable[Sequence[HookEffect]]]
    priority: int = 0


@final
class OnPresence(NamedTuple):
    """For what an account's resource announces, the first time or again; behind the broadcast."""

    handle: Callable[[AccountContext, Stanza], Awaitable[Sequence[HookEffect]]]
    priority: int = 0


@final
class OnUnavailable(NamedTuple):
    """For a resource that was available and is not any more: what it said, or would have said."""

    handle: Callable[[AccountContext, Stanza], Awaitable[Sequence[HookEffect]]]
    priority: int = 0


@final
class OnSubscription(NamedTuple):
    """For presence of one of the four types by which subscriptions are managed, in each account concerned.

    The account is its sender or its recipient; what is refused, or passes nobody by, is not told.
    """

    handle: Callable[[AccountContext, Stanza], Awaitable[Sequence[HookEffect]]]
    priority: int = 0


@final
class OnServerMessage(NamedTuple):
    """For a message to the domain, or to a service beside it, at whatever resource; `Context.host` is which.

    Effects end the chain, None goes on, `StanzaError` refuses the message. One that nobody wants is refused,
    and so is one for which a hook fails. It is run in its sender's task, and does not wait.
    """

    handle: Callable[[Context, Stanza], Sequence[ServerEffect] | None]
    priority: int = 0


@final
class OnOutput(NamedTuple):
    """For the stream of a session that begins or goes on: how each stanza is changed that is written to it.

    None where none is. It is told what the stream has reached.
    """

    handle: Callable[[Context, SessionBits], Callable[[Stanza], Stanza] | None]
    priority: int = 0


@final
class OnStreamFeatures(NamedTuple):
    """For what streams offer beside what the server does; asked once for each kind of stream."""

    handle: Callable[[Context], Sequence[StreamFeature]]
    priority: int = 0


Notice = OnKept | OnSessionStart | OnSessionEnd | OnPresence | OnUnavailable | OnSubscription
"""Those by which modules are told of something that nothing they return can prevent."""


@final
class Gate(NamedTuple):
    """For every stanza from and to an account that has something to be checked; see `actors.gates`.

    `guard` makes of the account's document, and of what its sessions keep, the function that is asked about
    each stanza from then on, in whoever's task that is; None if there is nothing to check. It is called
    whenever either has changed, in the account's presence actor, and must not wait. Two modules may declare
    the same gate. Fails closed: where either function fails, the stanza is refused.
    """

    guard: Callable[[User, Notes], Guard | None]
    priority: int = 0


Hook = OnUndelivered | OnLate | OnAvailable | OnServerMessage | OnOutput | OnStreamFeatures | Gate | Notice


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One extension.

    Attributes:
        name: Its name in the configuration, and that of its file after `mod_`.
        summary: What it is, in a sentence.
        xeps: The standards it implements.
        features, account_features: What the domain and its accounts say of themselves in service discovery.
        identities, account_identities: What the domain and its accounts are.
        services: Hosts beside the domain that it brings.
        iqs: Handlers of requests; two for the same requests are a fault.
        hooks: Handlers at named points.
        options: A frozen dataclass whose fields are made by `actors.settings.setting`.
        uses: The parts of the server that its handlers ask their context for.
        needs: Names of modules without which this one makes no sense.
        is_optional: Whether the server can do without it, so that the configuration may switch it off.
        on_by_default: Whether it runs where the configuration does not say.
    """

    name: str
    summary: str
    xeps: tuple[Xep, ...] = ()
    features: tuple[str, ...] = ()
    account_features: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()
    account_identities: tuple[Identity, ...] = ()
    services: tuple[Service, ...] = ()
    iqs: tuple[Iq, ...] = ()
    hooks: tuple[Hook, ...] = ()
    options: type | None = None
    uses: tuple[type, ...] = ()
    needs: tuple[str, ...] = ()
    is_optional: bool = True
    on_by_default: bool = True
