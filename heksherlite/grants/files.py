"""Facts from YAML, TOML and JSON files, which are read in a worker thread."""

import os
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any, Final

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts, find_problem
from heksherlite.grants.formats import KeyLines, json_lines, parse_json, parse_toml, parse_yaml, toml_lines, yaml_lines
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.layers import Layer, LayeredFacts
from heksherlite.grants.outcomes import read_in_thread
from heksherlite.grants.parse_error import ParseError
from heksherlite.grants.text_files import read_text
from heksherlite.grants.watches import FileWatch, file_state

_MAX_SIZE_WITH_LINES: Final = 2**18
"""The maximum size of a file, in characters, for which the line of each value is known."""


@dataclass(frozen=True, slots=True)
class YamlGrant:
    """Facts from a YAML file, which must contain a mapping. Requires ``heksherlite[yaml]``.

    Only the safe subset of YAML is supported. Keys must be strings and unique.

    Args:
        path: The path of the file.
        required: Whether it is an error if the file does not exist. With ``False``, a missing file has no facts. A file
            that cannot be read or is malformed is an error in any case.
        filepath: Another name of ``path``, as in the package ``fakts``.

    Raises:
        TypeError: If not exactly one of ``path`` and ``filepath`` is given.
    """

    path: str | os.PathLike[str] = ""
    required: bool = field(default=True, kw_only=True)
    filepath: InitVar[str | os.PathLike[str] | None] = field(default=None, kw_only=True)

    def __post_init__(self, filepath: str | os.PathLike[str] | None) -> None:
        if (self.path == "") == (filepath is None):
            raise TypeError("YamlGrant needs the path of the file, once")
        if filepath is not None:
            object.__setattr__(self, "path", filepath)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - files are always current
        """Return the current content of the file.

        Raises:
            GrantError: If it cannot be read, is malformed, or does not contain a mapping.
        """
        return await read_in_thread(_load, self.path, parse_yaml, yaml_lines, self.required)


@dataclass(frozen=True, slots=True)
class TomlGrant:
    """Facts from a TOML file.

    Args:
        path: The path of the file.
        required: Whether it is an error if the file does not exist. With ``False``, a missing file has no facts. A file
            that cannot be read or is malformed is an error in any case.
    """

    path: str | os.PathLike[str]
    required: bool = field(default=True, kw_only=True)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - files are always current
        """Return the current content of the file.

        Raises:
            GrantError: If it cannot be read or is malformed.
        """
        return await read_in_thread(_load, self.path, parse_toml, toml_lines, self.required)


@dataclass(frozen=True, slots=True)
class JsonGrant:
    """Facts from a JSON file, which must contain an object.

    Args:
        path: The path of the file.
        required: Whether it is an error if the file does not exist. With ``False``, a missing file has no facts. A file
            that cannot be read or is malformed is an error in any case.
    """

    path: str | os.PathLike[str]
    required: bool = field(default=True, kw_only=True)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - files are always current
        """Return the current content of the file.

        Raises:
            GrantError: If it cannot be read, is malformed, or does not contain an object.
        """
        return await read_in_thread(_load, self.path, parse_json, json_lines, self.required)


def _load(
    path: str | os.PathLike[str], parse: Callable[[str], Any], find_lines: Callable[[str], KeyLines], required: bool
) -> LayeredFacts:
    place = Path(path).absolute()
    watches = (FileWatch(place, file_state(place)),)  # before it is read, so that no change is missed
    try:
        text = read_text(place)
        facts = parse(text)
    except FileNotFoundError as error:
        if not required:
            return LayeredFacts([Layer(source=f"{place} (it does not exist)", facts={}, watches=watches)])
        raise GrantError(f"{place}: {error.strerror}") from None
    except (OSError, ParseError, GrantError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise GrantError(f"{place}: {reason}") from None
    except RecursionError:
        raise GrantError(f"{place}: it has too many levels") from None
    if problem := find_problem(facts):
        raise GrantError(f"{place}: {problem}")
    lines = find_lines(text) if len(text) <= _MAX_SIZE_WITH_LINES else {}
    places = {keys: f"{place}, line {line}" for keys, line in lines.items()}
    return LayeredFacts([Layer(source=str(place), facts=facts, places=places, watches=watches)])
