"""Facts: nested mappings with string keys. Merging, looking up, comparing; no I/O."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from heksherlite.errors import GroupNotFound

Facts = dict[str, Any]
"""What grants give: groups by name."""

_DEEPEST: Final = 100
"""How many levels facts may have."""


def merged(*layers: Mapping[str, Any]) -> Facts:
    """Return the union of some facts: mappings are merged at all levels, and of other values the later one counts."""
    result: Facts = {}
    for layer in layers:
        for key, value in layer.items():
            before = result.get(key)
            if isinstance(before, dict) and isinstance(value, Mapping):
                result[key] = merged(before, value)
            else:
                result[key] = copied(value)
    return result


def copied(value: Any) -> Any:
    """Return the same value in new mappings and lists."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def looked_up(facts: Mapping[str, Any], path: str | None) -> Any:
    """Return the value on a path of keys such as ``group.key``.

    Args:
        facts: Where to look.
        path: The path; ``None`` for all of the facts.

    Raises:
        GroupNotFound: If there is none.
    """
    here: Any = facts
    for key in () if path is None else path.split("."):
        if not isinstance(here, Mapping) or key not in here:
            raise GroupNotFound(path or "", _nearest(facts, path or ""))
        here = here[key]
    return here


def is_at(facts: Mapping[str, Any], path: str | None, value: object) -> bool:
    """Tell whether a path leads to a value."""
    try:
        return bool(looked_up(facts, path) == value)
    except GroupNotFound:
        return False


def problem_of(facts: object) -> str | None:
    """Return why something cannot be facts; ``None`` if it can."""
    if not isinstance(facts, Mapping):
        return f"a mapping was expected, not {kind(facts)}"
    return _problem_in(facts, "", _DEEPEST)


def kind(value: object) -> str:
    """Return what a value is, and not what it says: it may be a secret."""
    if value is None:
        return "nothing"
    return "a mapping" if isinstance(value, Mapping) else f"a value of type {type(value).__name__}"


def _problem_in(value: object, path: str, levels: int) -> str | None:
    if levels == 0:
        return f"it has more than {_DEEPEST} levels"
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"keys must be strings, not {type(key).__name__}: {key!r} below {path or 'the top'}"
            if problem := _problem_in(item, f"{path}.{key}" if path else key, levels - 1):
                return problem
    elif isinstance(value, list | tuple):
        for item in value:
            if problem := _problem_in(item, path, levels - 1):
                return problem
    return None


def _nearest(facts: Mapping[str, Any], path: str) -> list[str]:
    """Return the keys where a path leaves the facts, those like the missing one first."""
    before: list[str] = []
    here: Any = facts
    for key in path.split("."):
        if not isinstance(here, Mapping) or key not in here:
            break
        before.append(key)
        here = here[key]
    if not isinstance(here, Mapping):
        return [".".join(before)]
    keys = [".".join((*before, str(key))) for key in here]
    alike = get_close_matches(path, keys, n=5, cutoff=0.5)
    return alike + sorted(set(keys) - set(alike))
