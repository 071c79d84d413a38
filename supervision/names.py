"""Names that vanish with their owner: a table from names to references.

It is a plain object that belongs to its owner's slot; all its functions are synchronous, so a claim is one
compare-and-set and nobody ever sees half of one. A name is gone in the tick in which its holder's slot ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from supervision.reply import ActorCrashed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from supervision.exit_reason import ExitReason
    from supervision.ref import Ref
    from supervision.slot import Slot

M = TypeVar("M")


@final
class NameTable(Generic[M]):
    """One slot may hold many names; a name has one holder."""

    __slots__ = ("_holders", "_names")

    def __init__(self) -> None:
        self._holders: dict[Hashable, Ref[M]] = {}
        self._names: dict[Slot[M], dict[Hashable, None]] = {}

    def claim(self, name: Hashable, ref: Ref[M], *, instead_of: Ref[M] | None = None) -> Ref[M] | None:
        """Give `name` to `ref` if nobody else holds it, or only `instead_of` does.

        Returns the holder that stands in the way, or none if `ref` now holds the name. The caller decides
        what to do about a conflict, and may claim again instead of that holder.

        Raises:
            ActorCrashed: the slot of `ref` has ended, so it can hold nothing.
        """
        if not ref.is_alive:
            raise ActorCrashed(f"{ref.path} has ended and cannot be called {name}")
        holder = self._holders.get(name)
        if holder is ref:
            return None
        if holder is not None:
            if holder is not instead_of:
                return holder
            self.release(name, holder)
        self._holders[name] = ref
        self._names_of(ref.slot)[name] = None
        return None

    def release(self, name: Hashable, ref: Ref[M]) -> bool:
        """Give a name up; false if `ref` did not hold it (any more)."""
        if self._holders.get(name) is not ref:
            return False
        del self._holders[name]
        names = self._names[ref.slot]
        del names[name]
        if not names:
            del self._names[ref.slot]
            ref.slot.forget_on_close(self._ended)
        return True

    def lookup(self, name: Hashable) -> Ref[M] | None:
        """Who holds the name."""
        return self._holders.get(name)

    def names(self, ref: Ref[M]) -> tuple[Hashable, ...]:
        """What this reference holds, in the order of the claims."""
        return tuple(self._names.get(ref.slot, ()))

    def __iter__(self) -> Iterator[Hashable]:
        """All names, as they are now."""
        return iter(tuple(self._holders))

    def __len__(self) -> int:
        """How many names are held."""
        return len(self._holders)

    def _names_of(self, slot: Slot[M]) -> dict[Hashable, None]:
        names = self._names.get(slot)
        if names is None:
            names = self._names[slot] = {}
            slot.on_close(self._ended)
        return names

    def _ended(self, slot: Slot[Any], _reason: ExitReason) -> None:
        for name in self._names.pop(slot, ()):
            del self._holders[name]
