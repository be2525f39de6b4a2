"""Groups from flat names, such as those of environment variables. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts
from heksherlite.grants.layers import KeyPath
from heksherlite.grants.spelling import LooseKey


def nest(entries: Iterable[tuple[str, KeyPath, Any]], kind: str, form: str) -> tuple[Facts, dict[KeyPath, str]]:
    """Return the facts of values with flat names, and the name of each value.

    Args:
        entries: The name, the keys in it, and the value.
        kind: What has the names, such as ``environment variable``, for errors.
        form: The expected form of a name, for errors.

    Raises:
        GrantError: If a name is malformed, or two names contradict each other. The message names them.
    """
    facts: Facts = {}
    names: dict[KeyPath, str] = {}
    for name, keys, value in sorted(entries, key=lambda entry: (len(entry[1]), entry[0])):
        if not all(keys):
            raise GrantError(f"{kind} {name} has an empty key; the expected form is {form}")
        if keys in names:
            raise GrantError(f"{kind}s {names[keys]} and {name} both set {'.'.join(keys)}")
        group = facts
        for depth, key in enumerate(keys[:-1], 1):
            if other := names.get(keys[:depth]):
                raise GrantError(f"{kind} {other} makes {'.'.join(keys[:depth])} a value, and {name} makes it a group")
            group = group.setdefault(key, {})
        group[keys[-1]] = value
        names[keys] = name
    return facts, names


def parse_variables(
    variables: Mapping[str, str], prepend: str, delimiter: str, kind: str = "environment variable"
) -> tuple[Facts, dict[KeyPath, str]]:
    """Return the facts in variables, and the name of the variable of each value.

    Without a prefix, most variables belong to other programs. Then names that are malformed, or contradict each other,
    are no error: groups override values, and names in upper case override others.

    Args:
        variables: The variables.
        prepend: The prefix of their names.
        delimiter: The separator of the keys in a name.
        kind: What they are, for errors.

    Raises:
        GrantError: If a name is malformed, or two names contradict each other. The message names them.
    """
    if not prepend:
        return _parse_foreign(variables, delimiter)
    own = {name: _keys(name.removeprefix(prepend), delimiter) for name in variables if name.startswith(prepend)}
    form = f"{prepend}GROUP{delimiter}KEY"
    return nest(((name, keys, variables[name]) for name, keys in own.items()), kind, form)


def _parse_foreign(variables: Mapping[str, str], delimiter: str) -> tuple[Facts, dict[KeyPath, str]]:
    facts: Facts = {}
    names: dict[KeyPath, str] = {}
    # The most nested keys first, so that a value does not replace a group; upper case before lower case.
    for name in sorted(variables, key=lambda name: (-name.count(delimiter), name)):
        keys = _keys(name, delimiter)
        if not all(keys):
            continue
        group = facts
        for key in keys[:-1]:
            group = group.setdefault(key, {})
        if keys[-1] not in group:
            group[keys[-1]] = variables[name]
            names[keys] = name
    return facts, names


def _keys(name: str, delimiter: str) -> KeyPath:
    return tuple(map(LooseKey, name.lower().split(delimiter)))
