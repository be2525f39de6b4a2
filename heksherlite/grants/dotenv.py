"""Facts from a file of environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from heksherlite.errors import GrantError
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.layers import Layer, LayeredFacts
from heksherlite.grants.nested_names import parse_variables
from heksherlite.grants.outcomes import read_in_thread
from heksherlite.grants.parse_error import ParseError
from heksherlite.grants.text_files import read_text
from heksherlite.grants.watches import FileWatch, file_state


@dataclass(frozen=True, slots=True)
class DotenvGrant:
    """Facts from a ``.env`` file, whose variables are read as those of :class:`EnvGrant`.

    The environment of the process is not changed. ``${NAME}`` and ``${NAME:-default}`` stand for another variable of
    the file above, or of the environment. References of a :class:`ReferencesGrant`, which contain a dot, are kept.
    Requires ``heksherlite[dotenv]``.

    Args:
        path: The path of the file.
        prepend: The prefix of the variable names, as in :class:`EnvGrant`.
        delimiter: The separator of the keys in a name.
        required: Whether it is an error if the file does not exist. With ``False``, a missing file has no facts. A file
            that cannot be read or is malformed is an error in any case.

    Raises:
        ValueError: If the delimiter is empty.
    """

    path: str | os.PathLike[str] = ".env"
    prepend: str = "FAKTS_"
    delimiter: str = "__"
    required: bool = True

    def __post_init__(self) -> None:
        if not self.delimiter:
            raise ValueError("the delimiter of a DotenvGrant must not be empty")

    async def aload(self, request: LoadRequest) -> LayeredFacts:  # noqa: ARG002 - files are always current
        """Return the current content of the file.

        Raises:
            GrantError: If it cannot be read or is malformed, a variable does not exist, or names contradict each other.
        """
        return await read_in_thread(self._load)

    def _load(self) -> LayeredFacts:
        place = Path(self.path).absolute()
        watches = (FileWatch(place, file_state(place)),)  # before it is read, so that no change is missed
        try:
            variables = parse_dotenv(read_text(place), os.environ)
            facts, names = parse_variables(variables, self.prepend, self.delimiter, "variable")
        except FileNotFoundError as error:
            if not self.required:
                return LayeredFacts([Layer(source=f"{place} (it does not exist)", facts={}, watches=watches)])
            raise GrantError(f"{place}: {error.strerror}") from None
        except OSError as error:
            raise GrantError(f"{place}: {error.strerror or error}") from None
        except (ParseError, GrantError) as error:
            raise GrantError(f"{place}: {error}") from None
        places = {keys: f"{place}, {name}" for keys, name in names.items()}
        return LayeredFacts([Layer(source=str(place), facts=facts, places=places, watches=watches)])


def parse_dotenv(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables in a text.

    Args:
        text: The text.
        environment: Further variables to which it may refer.

    Raises:
        ParseError: If it is malformed, or refers to a variable that does not exist.
        GrantError: If python-dotenv is not installed.
    """
    try:
        from dotenv.parser import parse_stream  # noqa: PLC0415 - requires an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "dotenv":
            raise
        message = "a .env file needs python-dotenv, which is not installed: pip install 'heksherlite[dotenv]'"
        raise GrantError(message) from None
    variables: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        # The text of a binding begins with the empty lines above it.
        above = binding.original.string[: -len(binding.original.string.lstrip()) or None]
        line = binding.original.line + above.count("\n")
        if binding.error or (binding.key is not None and binding.value is None):
            raise ParseError("expected NAME=value", line, 1)
        if binding.key is not None:
            try:
                variables[binding.key] = _substitute(binding.value or "", {**environment, **variables})
            except KeyError as error:
                raise ParseError(f"{binding.key} refers to {error.args[0]}, which is not set above", line, 1) from None
    return variables


def _substitute(value: str, variables: Mapping[str, str]) -> str:
    """Return a value in which references to variables are replaced.

    Raises:
        KeyError: If a variable does not exist.
    """
    from dotenv.variables import Variable, parse_variables  # noqa: PLC0415 - requires an extra

    parts: list[str] = []
    for atom in parse_variables(value):
        if isinstance(atom, Variable) and "." in atom.name:
            parts.append(f"${{{atom.name}}}")
        elif isinstance(atom, Variable) and atom.name not in variables and atom.default is None:
            raise KeyError(atom.name)
        else:
            parts.append(atom.resolve(variables))
    return "".join(parts)
