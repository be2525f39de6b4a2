"""Faults of a JSON value, each with its path: ``$.hosts[2]: must have at least 1 characters``."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

Path = tuple[str | int, ...]

_LISTED: Final = 10
"""The maximum number of faults that a message lists."""


class Fault(NamedTuple):
    """A fault.

    Attributes:
        path: The steps from the value to the part that is wrong.
        text: What is wrong.
        is_unknown_key: Whether the part would not be there if its key were dropped.
    """

    path: Path
    text: str
    is_unknown_key: bool = False

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.text}"

    def below(self, step: str | int) -> "Fault":
        """Return the fault as the value sees it that has this part at a step."""
        return self._replace(path=(step, *self.path))


class ValueFaultsError(TypeError):
    """A value has faults.

    Args:
        faults: The faults.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        super().__init__("; ".join(map(str, faults[:_LISTED])) + more)
        self.faults = list(faults)


def faults_of(error: Exception) -> list[Fault]:
    """Return the faults that an exception describes."""
    if isinstance(error, ValueFaultsError):
        return error.faults
    return [Fault((), str(error) or repr(error))]


def path_text(path: Sequence[Any]) -> str:
    """Return a path as messages show it."""
    return "$" + "".join(_step(step) for step in path)


def without_keys(value: Any, paths: Sequence[Path]) -> Any:
    """Return a copy of a JSON value without some keys."""
    inner: dict[str | int, list[Path]] = {}
    for path in paths:
        inner.setdefault(path[0], []).append(path[1:])
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if () not in inner.get(key, [])}
        return {key: without_keys(item, inner[key]) if key in inner else item for key, item in kept.items()}
    return [without_keys(item, inner[index]) if index in inner else item for index, item in enumerate(value)]


def _step(step: str | int) -> str:
    if isinstance(step, str) and step.isidentifier():
        return f".{step}"
    return f"[{json.dumps(step, ensure_ascii=False)}]"
