"""A dictionary that cannot be changed: the value of a mapping setting, which all readers share."""

from typing import Any, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ReadOnlyDict(dict[K, V]):
    """A dictionary whose methods raise :class:`TypeError` instead of changing it.

    Unlike :class:`types.MappingProxyType`, it can be pickled, copied, and serialized as JSON. ``dict(value)`` returns a
    copy that can be changed.
    """

    __slots__ = ()

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("the value of a setting is read-only; change a copy: dict(value)")

    __setitem__ = _refuse
    __delitem__ = _refuse
    __ior__ = _refuse
    clear = _refuse
    pop = _refuse
    popitem = _refuse
    setdefault = _refuse  # pyright: ignore[reportAssignmentType]
    update = _refuse  # pyright: ignore[reportAssignmentType]

    def __copy__(self) -> "ReadOnlyDict[K, V]":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "ReadOnlyDict[K, V]":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)
