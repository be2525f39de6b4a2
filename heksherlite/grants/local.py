"""Facts from environment variables, and constant facts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, deep_copy
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.layers import Layer, LayeredFacts
from heksherlite.grants.nested_names import parse_variables
from heksherlite.grants.outcomes import outcome_of, raised, read_in_thread
from heksherlite.grants.text_files import read_secret_text
from heksherlite.grants.watches import FileWatch, file_state


@dataclass(frozen=True, slots=True)
class EnvGrant:
    """Facts from environment variables: ``FAKTS_GROUP__KEY=value`` is ``{"group": {"key": "value"}}``.

    Keys are in lower case. Values are strings. In a :class:`ParallelGrant`, a key overrides the key of another layer
    that differs only in case, hyphens and underscores: ``FAKTS_DATABASE__POOL_SIZE`` overrides ``poolSize``.

    Args:
        prepend: The prefix of the variable names. If it is empty, all variables are read, and those with malformed or
            contradictory names are ignored.
        delimiter: The separator of the keys in a name.
        required: Whether it is an error if there is no such variable. A :class:`FailsafeGrant` then tries its next
            grant. Pass ``False`` for a layer of a :class:`ParallelGrant` that may be empty.
        file_suffix: The ending of names whose values are paths of files, such as ``_FILE``: with it,
            ``FAKTS_DATABASE__PASSWORD_FILE=/run/secrets/db`` sets ``database.password`` to the content of the file,
            without the line break at its end. By default, no name is special.
    """

    prepend: str = "FAKTS_"
    delimiter: str = "__"
    required: bool = True
    file_suffix: str = ""

    def __post_init__(self) -> None:
        if not self.delimiter:
            raise ValueError("the delimiter of an EnvGrant must not be empty")

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - the environment is always current
        """Return the facts in the current environment.

        Raises:
            GrantError: If a name is malformed, two names have the same key, a name is both a value and a group, a file
                cannot be read, or there is no variable although one is required.
        """
        if self.file_suffix:
            return await read_in_thread(self._load)
        return raised(outcome_of(self._load))

    def _load(self) -> LayeredFacts:
        variables = dict(os.environ)
        files: dict[str, str] = {}
        watches: list[FileWatch] = []
        if self.file_suffix:
            files = _read_files(variables, self.prepend, self.file_suffix, watches)
        facts, names = parse_variables({**variables, **files}, self.prepend, self.delimiter)
        if self.required and not facts:
            raise GrantError(f"no environment variable starts with {self.prepend!r}")
        suffixes = dict.fromkeys(files, self.file_suffix)
        places = {keys: f"environment variable {name}{suffixes.get(name, '')}" for keys, name in names.items()}
        secrets = frozenset(keys for keys, name in names.items() if name in files)
        source = f"environment variables {self.prepend}*"
        return LayeredFacts([Layer(source=source, facts=facts, places=places, secrets=secrets, watches=tuple(watches))])


@dataclass(frozen=True, slots=True, repr=False)
class HardGrant:
    """Constant facts.

    Args:
        values: The facts.
    """

    values: Mapping[str, Any]

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - constants are always current
        """Return the facts."""
        facts: Facts = deep_copy(self.values)
        return facts

    def __repr__(self) -> str:
        return f"HardGrant(groups={[*self.values]})"


def _read_files(variables: dict[str, str], prepend: str, suffix: str, watches: list[FileWatch]) -> dict[str, str]:
    """Remove the variables that name files, and return the contents as variables without the suffix. Blocks."""
    files: dict[str, str] = {}
    for name in sorted(variables):
        base = name.removesuffix(suffix)
        if not name.startswith(prepend) or base == name:
            continue
        if base in variables:
            raise GrantError(f"environment variables {base} and {name} both set the same value: remove one")
        path = Path(variables.pop(name))
        watches.append(FileWatch(path, file_state(path)))
        try:
            files[base] = read_secret_text(path)
        except ValueError as error:
            raise GrantError(f"environment variable {name}: {error}") from None
    return files
