"""The object that is current in a context, and the one of the whole process."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Entry(Generic[T]):
    """A ``with`` block, and the block that contains it."""

    value: T
    outer: "_Entry[T] | None"

    def without(self, value: T) -> "_Entry[T] | None":
        """Return the entries without a block. Blocks may be left in another order than they were entered."""
        if self.value is value:
            return self.outer
        return _Entry(self.value, self.outer and self.outer.without(value))


class Current(Generic[T]):
    """The innermost ``with`` block around the current code, and the main object outside of all blocks.

    Args:
        name: The name of the context variable.

    Attributes:
        main: The main object of the process, or ``None``.
    """

    def __init__(self, name: str) -> None:
        self._entries: ContextVar[_Entry[T] | None] = ContextVar(name, default=None)
        self.main: T | None = None

    def get(self) -> T | None:
        """Return the current object, or ``None``."""
        entry = self._entries.get()
        return self.main if entry is None else entry.value

    def enter(self, value: T) -> None:
        """Make an object the current one in this context."""
        self._entries.set(_Entry(value, self._entries.get()))

    def leave(self, value: T) -> None:
        """Undo the last `enter` of an object in this context."""
        entry = self._entries.get()
        if entry is not None:
            self._entries.set(entry.without(value))
