"""Facts: nested mappings with string keys. Merging, lookup and validation; no I/O."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from heksherlite.errors import GroupNotFound

Facts = dict[str, Any]
"""The result of a grant: groups by name."""

MISSING: Final = object()
"""The result of `value_at` if there is no value."""

_MAX_DEPTH: Final = 100
"""The maximum number of levels of facts."""


def merge(*layers: Mapping[str, Any]) -> Facts:
    """Return the union of several facts. Mappings are merged at all levels; later values override earlier ones."""
    result: Facts = {}
    for layer in layers:
        for key, value in layer.items():
            before = result.get(key)
            if isinstance(before, dict) and isinstance(value, Mapping):
                result[key] = merge(before, value)
            else:
                result[key] = deep_copy(value)
    return result


def deep_copy(value: Any) -> Any:
    """Return a copy of a value, with new mappings and lists at all levels."""
    if isinstance(value, Mapping):
        return {key: deep_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [deep_copy(item) for item in value]
    return value


def look_up(facts: Mapping[str, Any], path: str | None) -> Any:
    """Return the value at a path such as ``group.key``. Keys may contain dots themselves.

    Args:
        facts: The facts.
        path: The path, or ``None`` for all facts.

    Raises:
        GroupNotFound: If nothing exists at the path.
    """
    if path is None:
        return facts
    keys = find_keys(facts, path)
    if keys is None:
        raise GroupNotFound(path, _nearest_keys(facts, path))
    return value_at(facts, keys)


def find_keys(facts: Mapping[str, Any], path: str) -> tuple[str, ...] | None:
    """Return the keys that lead to the value at a path, or ``None`` if there is no value.

    A key that itself contains dots is found too.
    """
    return _find_keys(facts, path.split("."))


def _find_keys(here: object, parts: list[str]) -> tuple[str, ...] | None:
    if not parts:
        return ()
    if isinstance(here, Mapping):
        for length in range(1, len(parts) + 1):
            key = ".".join(parts[:length])
            if key in here and (below := _find_keys(here[key], parts[length:])) is not None:
                return (key, *below)
    return None


def value_at(facts: object, keys: Iterable[str]) -> Any:
    """Return the value that keys lead to, or ``MISSING``."""
    for key in keys:
        if not isinstance(facts, Mapping) or key not in facts:
            return MISSING
        facts = facts[key]
    return facts


def has_value(facts: Mapping[str, Any], path: str | None, value: object) -> bool:
    """Return whether a path has a value."""
    try:
        return bool(look_up(facts, path) == value)
    except GroupNotFound:
        return False


def find_problem(facts: object) -> str | None:
    """Return why a value is not facts, or ``None`` if it is."""
    if not isinstance(facts, Mapping):
        return f"expected a mapping, not {describe_type(facts)}"
    return _find_problem(facts, "", _MAX_DEPTH)


def describe_type(value: object) -> str:
    """Return a description of the type of a value, without the value itself, which may be secret."""
    if value is None:
        return "nothing"
    return "a mapping" if isinstance(value, Mapping) else f"a value of type {type(value).__name__}"


def _find_problem(value: object, path: str, levels: int) -> str | None:
    if levels == 0:
        return f"it has more than {_MAX_DEPTH} levels"
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"keys must be strings, not {type(key).__name__}: {key!r} below {path or 'the top'}"
            if problem := _find_problem(item, f"{path}.{key}" if path else key, levels - 1):
                return problem
    elif isinstance(value, list | tuple):
        for item in value:
            if problem := _find_problem(item, path, levels - 1):
                return problem
    return None


def _nearest_keys(facts: Mapping[str, Any], path: str) -> list[str]:
    """Return the existing keys at the level where a path fails, the most similar ones first."""
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
