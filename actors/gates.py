"""Gates: what may pass from and to an account, as far as modules have a say in that (`module.Gate`).

What a module wants checked it makes of the account's document, in the account's presence actor, as a *guard*:
a function that whoever routes a stanza asks in its own task. The guards are published with the account's
route, so that nobody is waited for; for most accounts there are none, which costs one look.

A gate fails closed: while nobody knows what an account wants checked, its presence actor has to be asked, and
a guard that fails stops the stanza.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, final

from protocols.conditions import StanzaCondition
from protocols.errors import StanzaError

if TYPE_CHECKING:
    from actors.module import Module
    from protocols.jid import JID
    from protocols.stanza import Stanza


@final
class Passage(NamedTuple):
    """A stanza that would pass a gate.

    Attributes:
        stanza: The stanza; of presence for many, as it is before it is addressed to each of them.
        peer: Who is at the other end: its sender, or whom it is for.
        is_outgoing: Whether it comes from the account, and does not go to it.
        resource: Which of the account's resources it comes from, or would go to; None if that is the account.
    """

    stanza: Stanza
    peer: JID
    is_outgoing: bool
    resource: str | None


Guard = Callable[[Passage], StanzaError | None]
"""Returns, or raises, why a stanza may not pass; None if it may. It neither waits nor changes anything."""

Notes = Mapping[str, Mapping[str, str]]
"""What sessions keep (`presence_effects.KeepNote`), by resource and key."""

_FAILED: Final = StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR)


@final
class NamedGuard(NamedTuple):
    """A guard, and the module whose it is."""

    module: Module
    guard: Guard


@final
class Guards:
    """What is asked about one account's stanzas, in order.

    Attributes:
        is_known: Whether that is known at all; if not, the account's presence actor is to be asked.
    """

    __slots__ = ("_failed", "_guards", "is_known")

    def __init__(
        self,
        guards: Sequence[NamedGuard],
        failed: Callable[[NamedGuard, BaseException], None],
        *,
        is_known: bool = True,
    ) -> None:
        """Take the guards.

        Args:
            guards: In the order in which they are asked.
            failed: Reports one that failed.
            is_known: See `Guards`.
        """
        self._guards = tuple(guards)
        self._failed = failed
        self.is_known = is_known

    def fault(self, passage: Passage) -> StanzaError | None:
        """Why a stanza may not pass; None if it may."""
        if not self.is_known:
            return _FAILED
        for each in self._guards:
            try:
                fault = each.guard(passage)
            except StanzaError as error:
                return error
            except Exception as error:  # noqa: BLE001 - reported, and what it would have said is not guessed
                self._failed(each, error)
                return _FAILED
            if fault is not None:
                return fault
        return None


def _cannot_fail(each: NamedGuard, error: BaseException) -> None:
    raise AssertionError(f"there is no guard: {each}") from error


UNKNOWN: Final = Guards((), _cannot_fail, is_known=False)
"""Those of an account whose document nobody has read yet."""


def shut(_passage: Passage) -> StanzaError:
    """The guard in place of one that could not be made: nothing passes."""
    return _FAILED


def is_exempt(bare_jid: str, peer: JID | None) -> bool:
    """Whether no gate is asked: an account always reaches itself and its server, and they it.

    Whoever locked himself out could not open again.

    Args:
        bare_jid: The account.
        peer: Who is at the other end; None for the server.
    """
    if peer is None or peer.bare == bare_jid:
        return True
    return peer.localpart is None and bare_jid.partition("@")[2] == peer.domainpart


def incoming_fault(
    bare_jid: str, guards: Guards | None, stanza: Stanza, resource: str | None
) -> StanzaError | None:
    """Why a stanza may not reach a resource of an account, or the account itself; None if it may."""
    sender = stanza.sender
    if guards is None or sender is None or is_exempt(bare_jid, sender):
        return None
    return guards.fault(Passage(stanza, sender, is_outgoing=False, resource=resource))


def outgoing_fault(bare_jid: str, guards: Guards | None, stanza: Stanza) -> StanzaError | None:
    """Why a stanza of an account's client may not go out; None if it may."""
    sender, to = stanza.sender, stanza.to
    if guards is None or sender is None or to is None or is_exempt(bare_jid, to):
        return None
    return guards.fault(Passage(stanza, to, is_outgoing=True, resource=sender.resourcepart))
