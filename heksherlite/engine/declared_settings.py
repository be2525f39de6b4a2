"""The declared settings of a client by name, so that an update need not look at each of them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from heksherlite.setting import Setting


class _Index(NamedTuple):
    """The declared settings at one time.

    Attributes:
        size: How many there were.
        names: Their names, sorted.
        ids: Their ids by their canonical name in the service.
    """

    size: int
    names: tuple[str, ...]
    ids: dict[str, list[int]]


class DeclaredSettings:
    """The declared settings of a client, by weak reference.

    Not for several threads at once, except :meth:`__contains__`.
    """

    __slots__ = ("_by_id", "_canonical_names", "_index")

    def __init__(self) -> None:
        self._by_id: WeakValueDictionary[int, Setting[Any]] = WeakValueDictionary()
        self._canonical_names: dict[str, str] = {}  # only the names that differ
        self._index: _Index | None = None

    def __contains__(self, setting: Setting[Any]) -> bool:
        return id(setting) in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Setting[Any]]:
        """Return the settings in the order in which they were added."""
        return list(self._by_id.values())

    @property
    def names(self) -> Sequence[str]:
        """The names of the settings in their declarations, each once, sorted."""
        return self._indexed().names

    def named(self, canonical_name: str) -> list[Setting[Any]] | None:
        """Return the settings with a canonical name, or ``None`` if there are none."""
        ids = self._indexed().ids.get(canonical_name)
        if ids is None:
            return None
        return [setting for key in ids if (setting := self._by_id.get(key)) is not None]

    def add(self, setting: Setting[Any]) -> None:
        """Add a setting."""
        self._by_id[id(setting)] = setting
        self._index = None

    def remove(self, setting: Setting[Any]) -> bool:
        """Remove a setting, and return whether it was there."""
        self._index = None
        return self._by_id.pop(id(setting), None) is not None

    def clear(self) -> None:
        """Remove all settings."""
        self._by_id.clear()
        self._index = None

    def set_canonical_name(self, name: str, canonical_name: str) -> None:
        """Set how the service calls the settings that are declared under a name."""
        if canonical_name == name:
            self._canonical_names.pop(name, None)
        else:
            self._canonical_names[name] = canonical_name
        self._index = None

    def _indexed(self) -> _Index:
        index = self._index
        # The settings are not kept alive: when one ceases to exist, there is one less.
        if index is None or index.size != len(self._by_id):
            settings = self.all()
            ids: dict[str, list[int]] = defaultdict(list)
            for setting in settings:
                ids[self._canonical_names.get(setting.name, setting.name)].append(id(setting))
            names = tuple(sorted({setting.name for setting in settings}))
            index = self._index = _Index(len(settings), names, dict(ids))
        return index
