"""Facts from files: YAML, TOML, JSON. They are read in a worker thread."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, problem_of
from heksherlite.grants.formats import parse_json, parse_toml, parse_yaml
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.malformed import Malformed

_LARGEST: Final = 16 * 2**20
"""How many bytes a file may have."""


@dataclass(frozen=True, slots=True)
class YamlGrant:
    """Facts from a YAML file, which must hold a mapping. Needs ``heksherlite[yaml]``.

    It is read by the safe loader; keys must be strings, and each may be there once.

    Args:
        path: The file.
    """

    path: str | os.PathLike[str]

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - a file is always fresh
        """Return what the file says now.

        Raises:
            GrantError: If it cannot be read, is malformed, or does not hold a mapping.
        """
        return await anyio.to_thread.run_sync(_load, self.path, parse_yaml)


@dataclass(frozen=True, slots=True)
class TomlGrant:
    """Facts from a TOML file.

    Args:
        path: The file.
    """

    path: str | os.PathLike[str]

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - a file is always fresh
        """Return what the file says now.

        Raises:
            GrantError: If it cannot be read or is malformed.
        """
        return await anyio.to_thread.run_sync(_load, self.path, parse_toml)


@dataclass(frozen=True, slots=True)
class JsonGrant:
    """Facts from a JSON file, which must hold an object.

    Args:
        path: The file.
    """

    path: str | os.PathLike[str]

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - a file is always fresh
        """Return what the file says now.

        Raises:
            GrantError: If it cannot be read, is malformed, or does not hold an object.
        """
        return await anyio.to_thread.run_sync(_load, self.path, parse_json)


def _load(path: str | os.PathLike[str], parse: Callable[[str], Any]) -> Facts:
    place = Path(path).absolute()
    try:
        facts = parse(_text(place))
    except (OSError, Malformed, GrantError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise GrantError(f"{place}: {reason}") from None
    except RecursionError:
        raise GrantError(f"{place}: it has too many levels") from None
    if problem := problem_of(facts):
        raise GrantError(f"{place}: {problem}")
    return dict(facts)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise Malformed(f"it is larger than {_LARGEST:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise Malformed("it is not UTF-8", before.count(b"\n") + 1, column) from None
