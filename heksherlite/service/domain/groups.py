"""Configuration groups: values that operators attach to applications, and the secrets that they refer to.

Secrets are stored apart from groups. A group refers to a secret with ``{"$secret": "name"}`` in the place of a value,
so that a group can be shown, exported and recorded in the history without its secrets.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from heksherlite.service.domain.history import Change
from heksherlite.service.domain.json_values import Json, require_encodable
from heksherlite.service.errors import BadRequestError

GROUP_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""The pattern of the names of groups and secrets. A dot would separate keys in paths such as ``group.key``."""

_REFERENCE: Final = "$secret"


@dataclass(frozen=True, slots=True)
class Group:
    """A named group of values.

    Attributes:
        name: The name of the group in the configuration of applications.
        values: The values by key, as JSON with references to secrets.

    Raises:
        ValueError: The name, a value or a reference is malformed.
    """

    name: str
    values: Mapping[str, Json]

    def __post_init__(self) -> None:
        check_name("group", self.name)
        require_encodable(self.values)
        for _ in references(self.values):
            pass

    def change(self, before: "Group | None") -> Change:
        """Return the record of the replacement of another group by this one, for the history."""
        return Change(None, None, None, before and dict(before.values), dict(self.values), "group", self.name)

    def removal(self) -> Change:
        """Return the record of the removal of the group, for the history."""
        return Change(None, None, None, dict(self.values), None, "group", self.name)


def check_name(what: str, name: str) -> None:
    """Check the name of a group or secret.

    Raises:
        ValueError: The name is malformed.
    """
    if GROUP_NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name[:100]!r} is not a name for a {what}: use 1 to 100 letters from a to z, digits, _ and -"
        )


def secret_change(name: str, *, before: bool, after: bool) -> Change:
    """Return the record of a change of a secret, for the history. It does not contain the secret."""
    return Change(None, None, None, {} if before else None, {} if after else None, "secret", name)


def references(value: Json) -> Iterator[str]:
    """Yield the names of the secrets that a value refers to.

    Raises:
        ValueError: A reference is malformed.
    """
    if isinstance(value, Mapping):
        if _REFERENCE in value:
            name = value[_REFERENCE]
            if len(value) > 1 or not isinstance(name, str):
                raise ValueError(f'a reference to a secret is {{"{_REFERENCE}": "name"}} and nothing else')
            check_name("secret", name)
            yield name
        else:
            for item in value.values():
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def secret_paths(value: Json, *keys: str) -> Iterator[tuple[str, ...]]:
    """Yield the keys that lead to the values in a group for which secrets are filled in."""
    if isinstance(value, Mapping) and _REFERENCE not in value:
        for key, item in value.items():
            yield from secret_paths(item, *keys, key)
    elif any(references(value)):
        yield keys


def check_references(group: Group, secrets: Mapping[str, str]) -> None:
    """Check that the secrets that a group refers to exist.

    Raises:
        BadRequestError: A secret does not exist.
    """
    if missing := sorted(set(references(group.values)) - secrets.keys()):
        raise BadRequestError(f"there is no secret {missing[0]!r}; set it first")


def filled_in(value: Json, secrets: Mapping[str, str]) -> Any:
    """Return a value in which the secrets replace the references. All of them must exist."""
    if isinstance(value, Mapping):
        if _REFERENCE in value:
            return secrets[value[_REFERENCE]]
        return {key: filled_in(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, secrets) for item in value]
    return value
