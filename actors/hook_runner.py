"""Runs the hooks that modules declare: those for one point in order, each in a box of its own.

A hook that fails is reported and skipped. A point that no module wants costs whoever passes it one look.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, TypeVar, final

from actors.module import (
    OnAvailable,
    OnKept,
    OnLate,
    OnOutput,
    OnPresence,
    OnSessionEnd,
    OnSessionStart,
    OnStreamFeatures,
    OnSubscription,
    OnUnavailable,
    OnUndelivered,
)
from actors.presence_effects import KeepMessage
from protocols.errors import StanzaError
from store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from actors.module import AccountContext, Context, Hook, Module, Notice
    from actors.offline_queue import Waiting
    from actors.presence_effects import AccountEffect, HookEffect
    from actors.presence_state import PresenceState
    from protocols.session_bits import SessionBits
    from protocols.stanza import Stanza
    from protocols.stream_features import StreamFeature
    from store.users import User

    class Contexts(Protocol):
        """Who gives handlers what they may know, and hears of those that failed."""

        def context(self, module: Module) -> Context:
            """For one that is not about an account."""

        def account_context(self, module: Module, state: PresenceState, user: User) -> AccountContext:
            """For one that is."""

        def failed(self, module: Module, handler: object, error: BaseException) -> None:
            """A handler raised what it should not have."""


H = TypeVar("H", bound="Hook")
N = TypeVar("N", bound="Notice")


@final
class HookRunner:
    """One per server.

    Attributes:
        has_notices: Whether any module wants to be told of sessions, presence or subscriptions.
    """

    def __init__(self, contexts: Contexts, modules: Sequence[Module]) -> None:
        self._contexts = contexts
        self._undelivered = in_order(modules, OnUndelivered)
        self._available = in_order(modules, OnAvailable)
        self._kept = in_order(modules, OnKept)
        self._late = in_order(modules, OnLate)
        self._output = in_order(modules, OnOutput)
        self._features = in_order(modules, OnStreamFeatures)
        self.session_start = in_order(modules, OnSessionStart)
        self.session_end = in_order(modules, OnSessionEnd)
        self.presence = in_order(modules, OnPresence)
        self.unavailable = in_order(modules, OnUnavailable)
        self.subscription = in_order(modules, OnSubscription)
        told = (self.session_start, self.session_end, self.presence, self.unavailable, self.subscription)
        self.has_notices = any(told)

    async def run_undelivered(
        self, state: PresenceState, user: User, stanza: Stanza
    ) -> Sequence[AccountEffect] | None:
        """Ask the modules in turn what becomes of a message that no session can take.

        None if nobody knows.

        Raises:
            StanzaError: the message is refused.
            StoreUnavailable: the database is away.
        """
        for module, hook in self._undelivered:
            try:
                effects = await hook.handle(self._contexts.account_context(module, state, user), stanza)
            except (StanzaError, StoreUnavailable):
                raise
            except Exception as error:  # noqa: BLE001  # reported and skipped
                self._contexts.failed(module, hook.handle, error)
                continue
            if effects is not None:
                return await self._with_kept(effects, state, user) if self._kept else effects
        return None

    async def _with_kept(
        self, effects: Sequence[AccountEffect], state: PresenceState, user: User
    ) -> Sequence[AccountEffect]:
        """What else follows from the messages that are kept."""
        more: list[HookEffect] = []
        for effect in effects:
            if isinstance(effect, KeepMessage):
                more += await self.notify(self._kept, state, user, effect.stanza)
        return [*effects, *more]

    async def run_available(self, state: PresenceState, user: User, resource: str) -> list[AccountEffect]:
        """Collect what modules do for a resource that can take messages from now on.

        Raises:
            StoreUnavailable: the database is away.
        """
        effects: list[AccountEffect] = []
        for module, hook in self._available:
            try:
                effects += await hook.handle(self._contexts.account_context(module, state, user), resource)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  # reported and skipped
                self._contexts.failed(module, hook.handle, error)
        return effects

    async def notify(
        self, hooks: Sequence[tuple[Module, Notice]], state: PresenceState, user: User, subject: Stanza | str
    ) -> list[HookEffect]:
        """Tell modules of what happens anyway, and collect what they add.

        One that needs the database while that is away is skipped.
        """
        effects: list[HookEffect] = []
        for module, hook in hooks:
            try:
                context = self._contexts.account_context(module, state, user)
                effects += await hook.handle(context, subject)  # type: ignore[arg-type] # the point says which
            except StoreUnavailable:
                continue
            except Exception as error:  # noqa: BLE001  # reported and skipped
                self._contexts.failed(module, hook.handle, error)
        return effects

    def late(self, waiting: Waiting) -> Waiting | None:
        """A message that has waited, as a client is to see it; None if nobody is to have it any more."""
        for module, hook in self._late:
            try:
                stanza = hook.handle(self._contexts.context(module), waiting)
            except Exception as error:  # noqa: BLE001  # reported and skipped
                self._contexts.failed(module, hook.handle, error)
                continue
            if stanza is None:
                return None
            waiting = waiting._replace(stanza=stanza)
        return waiting

    def output(self, bits: SessionBits) -> Callable[[Stanza], Stanza] | None:
        """How stanzas are changed that are written to such a stream; None if they are not."""
        changes: list[Callable[[Stanza], Stanza]] = []
        for module, hook in self._output:
            try:
                change = hook.handle(self._contexts.context(module), bits)
            except Exception as error:  # noqa: BLE001  # reported and skipped
                self._contexts.failed(module, hook.handle, error)
                continue
            if change is not None:
                changes.append(self._boxed(module, change))
        return partial(_changed, changes) if changes else None

    def _boxed(self, module: Module, change: Callable[[Stanza], Stanza]) -> Callable[[Stanza], Stanza]:
        def run(stanza: Stanza) -> Stanza:
            try:
                return change(stanza)
            except Exception as error:  # noqa: BLE001  # reported and skipped
                self._contexts.failed(module, change, error)
                return stanza

        return run

    def stream_features(self) -> list[StreamFeature]:
        """What streams offer beside what the server does."""
        features: list[StreamFeature] = []
        for module, hook in self._features:
            try:
                features += hook.handle(self._contexts.context(module))
            except Exception as error:  # noqa: BLE001  # reported and skipped
                self._contexts.failed(module, hook.handle, error)
        return features


def _changed(changes: Sequence[Callable[[Stanza], Stanza]], stanza: Stanza) -> Stanza:
    return reduce(lambda former, change: change(former), changes, stanza)


def in_order(modules: Sequence[Module], kind: type[H]) -> Sequence[tuple[Module, H]]:
    """The hooks for one point, in the order in which they run."""
    hooks = [(module, hook) for module in modules for hook in module.hooks if isinstance(hook, kind)]
    return tuple(sorted(hooks, key=lambda entry: entry[1].priority))
