"""Which lookup of a setting is in force: for everybody, and within :func:`pinned`.

Between two updates, all settings are in one state, a *generation*. A block of :func:`pinned` belongs to the generation
in which it began. While it lasts, each update hands the lookups that it replaces to that generation, and gives the
changed settings a :class:`PinnedLookup`, which finds out who reads. When the last block of a generation ends, nothing
of it remains, and its settings have plain lookups again.

So a read pays nothing for all of this, within a block or not, unless a block is open that began before the latest
change of the setting. A program without blocks pays nothing at all.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any, Final, Generic, Protocol, TypeVar

from heksherlite.contexts import ContextCompletion
from heksherlite.lookup import DefaultSource, Lookup
from heksherlite.rule_sets import Context

T = TypeVar("T")


class Served(Protocol):
    """A setting."""

    _lookup: Lookup


_NOTHING: Final[Mapping[int, Lookup]] = MappingProxyType({})


class _Generation:
    """The state of all settings between two updates.

    Attributes:
        blocks: How many open blocks belong to it.
        kept: The lookups of its settings that were replaced since, by the id of the setting.
        settings: These settings. They must exist as long as their ids are used.
        kept_states: The states of others that were replaced since.
    """

    __slots__ = ("blocks", "kept", "kept_states", "settings")

    def __init__(self) -> None:
        self.blocks = 0
        self.kept: dict[int, Lookup] = {}
        self.settings: dict[int, Served] = {}
        self.kept_states: dict[PinnedState[Any], Any] = {}


class _Pin:
    """What one block reads. Tasks and threads that inherit its context share it, and so do blocks within the block.

    Attributes:
        blocks: How many blocks share it that are open.
        kept: The lookups that readers find instead of those in force; none once all blocks have ended.
        generation: The generation.
    """

    __slots__ = ("blocks", "generation", "kept")

    def __init__(self) -> None:
        global _open  # noqa: PLW0603 - the blocks of the process
        self.blocks = 0
        with _lock:
            self.generation = _current
            self.kept: Mapping[int, Lookup] = _current.kept
            self.blocks = 1
            _current.blocks += 1
            if _current.blocks == 1:
                _open += (_current,)

    def __del__(self) -> None:
        while self.blocks:  # a block was never left, as in a generator that was abandoned
            self.end()

    def share(self) -> bool:
        """Let one more block share this one, unless all of its blocks have ended. Return whether it does."""
        with _lock:
            if self.blocks:
                self.blocks += 1
            return self.blocks > 0

    def end(self) -> None:
        """End a block. After the last one, whoever still has its context reads what is in force."""
        with _lock:
            self.blocks -= 1
            if self.blocks == 0:
                self.kept = _NOTHING
                self.generation.blocks -= 1
                if self.generation.blocks == 0:
                    _forget([self.generation])


_lock = threading.RLock()
_current = _Generation()
_open: tuple[_Generation, ...] = ()
_pin: ContextVar[_Pin | None] = ContextVar("heksherlite.pinned", default=None)
_current_pin: Final = _pin.get

overlay: Callable[[Any, Lookup], Lookup] | None = None
"""Returns what is read instead of a lookup of a setting. Tests set it."""


class PinnedLookup(Lookup):
    """The lookup of a setting that changed since a block began that is still open.

    Args:
        key: The key of the setting in :attr:`_Generation.kept`.
        newest: The lookup that everybody else reads from.
    """

    __slots__ = ("key", "newest")

    def __init__(self, key: int, newest: Lookup) -> None:
        super().__init__(
            newest.setting_name,
            newest.rules,
            newest.default,
            newest.contexts,
            newest.default_source,
            newest.rejected,
        )
        self.key = key
        self.newest = newest

    def __getitem__(self, key: Any) -> Any:
        """Return the value for the context, from the lookup of the reader's block if it has one."""
        pin = _current_pin()
        if pin is None:
            return self.newest[key]
        return pin.kept.get(self.key, self.newest)[key]

    def served(self) -> Lookup:
        """Return the newest lookup."""
        return self.newest

    def chosen(self, given: Context) -> Lookup:
        """Return the lookup that the reader gets its value from."""
        pin = _current_pin()
        lookup = self.newest if pin is None else pin.kept.get(self.key, self.newest)
        return lookup.chosen(given)

    @property
    def loaded(self) -> bool:
        """Whether rules and default are from a service or a stub."""
        return self.newest.loaded

    def observed(self) -> Lookup:
        """Return the newest lookup, or the one that it observes."""
        return self.newest.observed()

    def with_default(self, default: Any, default_source: DefaultSource) -> Lookup:
        """Return the newest lookup with another default."""
        return self.newest.with_default(default, default_source)

    def with_contexts(self, contexts: ContextCompletion) -> Lookup:
        """Return the newest lookup with another completion of contexts."""
        return self.newest.with_contexts(contexts)


class PinnedState(Generic[T]):
    """The immutable state of something other than a setting. A block of :func:`pinned` reads that of its beginning.

    Args:
        state: The first state.
    """

    __slots__ = ("_newest",)

    def __init__(self, state: T) -> None:
        self._newest = state

    @property
    def newest(self) -> T:
        """The state in force."""
        return self._newest

    def get(self) -> T:
        """Return the state for the reader."""
        newest = self._newest
        pin = _current_pin()
        if pin is None or not pin.blocks:
            return newest
        kept: T = pin.generation.kept_states.get(self, newest)
        return kept

    def replace(self, state: T) -> None:
        """Put another state in force."""
        with _lock:
            for generation in _open:
                generation.kept_states.setdefault(self, self._newest)
            _begin_generation()
            self._newest = state


class Pinned(AbstractContextManager[None]):
    """A block of consistent reads; see :func:`pinned`."""

    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: list[tuple[_Pin, Token[_Pin | None] | None]] = []

    def __enter__(self) -> None:
        """Begin the block."""
        pin = _current_pin()
        if pin is not None and pin.share():
            self._entered.append((pin, None))
        else:
            pin = _Pin()
            self._entered.append((pin, _pin.set(pin)))

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the block."""
        pin, token = self._entered.pop()
        pin.end()
        if token is not None:
            # In another context, as when a generator is finalized, the variable cannot be reset. It has no effect there
            # any more: the block has ended.
            with suppress(ValueError):
                _pin.reset(token)


def pinned() -> AbstractContextManager[None]:
    """Return a context manager whose block reads all settings as they are when it begins, whatever updates follow.

    All reads are of one update, in tasks and threads that inherit the context, too. The rules are pinned, not the
    values: each context still has its own value. A block within another one reads what the outer one reads. When the
    block ends, it ends for everybody, and no memory is held any more.

    Returns:
        The context manager. It can be used again after its block.
    """
    return Pinned()


def share_block() -> Callable[[], None] | None:
    """Let the present block of :func:`pinned` go on for others who have its context, until the result is called."""
    pin = _current_pin()
    return pin.end if pin is not None and pin.share() else None


def updating() -> AbstractContextManager[object]:
    """Return a context manager within which settings change, as a block of :func:`pinned` sees it, at once."""
    return _lock


def put_in_force(setting: Served, lookup: Lookup) -> None:
    """Replace the lookup of a setting.

    Args:
        setting: The setting.
        lookup: The lookup that its client made, or nobody.
    """
    with _lock:
        key = id(setting)
        before = getattr(setting, "_lookup", None)
        if _open and before is not None:
            before = before.served()
            if lookup.rules is before.rules and lookup.default is before.default:
                for generation in _open:
                    if key in generation.kept:
                        generation.kept[key] = generation.kept[key].with_contexts(lookup.contexts)
            else:
                for generation in _open:
                    # First it is kept, and then it is replaced: a reader that finds the new one finds the old one too.
                    generation.settings.setdefault(key, setting)
                    generation.kept.setdefault(key, before)
                _begin_generation()
        _assign(setting, lookup)


def _begin_generation() -> None:
    """Let the blocks that begin from now on see what changed."""
    global _current  # noqa: PLW0603 - the generation of the process
    if _current.blocks:
        _current = _Generation()


def reassign(setting: Served) -> None:
    """Let the overlay decide again about the lookup of a setting."""
    with _lock:
        _assign(setting, setting._lookup.served())  # noqa: SLF001


def _assign(setting: Served, lookup: Lookup) -> None:
    key = id(setting)
    if _open and any(key in generation.kept for generation in _open):
        lookup = PinnedLookup(key, lookup)
    setting._lookup = lookup if overlay is None else overlay(setting, lookup)  # noqa: SLF001


def _forget(generations: list[_Generation]) -> None:
    """Forget generations without blocks, and what their settings had."""
    global _open  # noqa: PLW0603
    _open = tuple([generation for generation in _open if generation not in generations])
    for generation in generations:
        settings = list(generation.settings.values())
        generation.settings.clear()
        generation.kept_states.clear()
        for setting in settings:
            reassign(setting)


def _before_fork() -> None:
    """Let no other thread hold the lock in the child, where that thread does not exist."""
    _lock.acquire()


def _after_fork() -> None:
    _lock.release()


def _after_fork_in_child() -> None:
    """Forget the blocks of other threads and tasks, which do not go on in the child."""
    global _lock, _current, _open  # noqa: PLW0603
    _lock = threading.RLock()
    pin = _current_pin()
    before, _open, _current = _open, (), _Generation()
    if pin is not None and pin.blocks:
        # A generation of its own: the other blocks may still be ended, when their contexts are deleted.
        generation = _Generation()
        generation.blocks, generation.kept, generation.settings = 1, pin.generation.kept, pin.generation.settings
        generation.kept_states = pin.generation.kept_states
        pin.generation.settings = {}
        pin.generation.kept_states = {}
        pin.generation, _open = generation, (generation,)
        if not generation.kept and not generation.kept_states:
            _current = generation
    _forget([generation for generation in before if generation not in _open])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
