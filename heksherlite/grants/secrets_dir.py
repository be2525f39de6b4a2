"""Facts from a directory of secrets, as Docker, Kubernetes and systemd provide it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from heksherlite.errors import GrantError
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.layers import KeyPath, Layer, LayeredFacts
from heksherlite.grants.nested_names import nest
from heksherlite.grants.outcomes import read_in_thread
from heksherlite.grants.spelling import LooseKey
from heksherlite.grants.text_files import read_secret_text
from heksherlite.grants.watches import FileWatch, file_state

_DOCKER: Final = "/run/secrets"
_SYSTEMD: Final = "CREDENTIALS_DIRECTORY"


@dataclass(frozen=True, slots=True)
class SecretsDirGrant:
    """Facts from a directory with one file per value: the file ``database__password`` is ``database.password``.

    Values are strings, without the line break at the end of the file. A subdirectory is a group. Names that begin with
    a dot are ignored. In a :class:`ParallelGrant`, keys override those of other layers as in :class:`EnvGrant`.

    Args:
        path: The path of the directory. The default is that of systemd credentials, ``$CREDENTIALS_DIRECTORY``, if that
            is set, and ``/run/secrets`` otherwise.
        delimiter: The separator of the keys in a name.
        required: Whether it is an error if the directory does not exist. With ``False``, a missing directory has no
            facts. A file that cannot be read is an error in any case.

    Raises:
        ValueError: If the delimiter is empty.
    """

    path: str | os.PathLike[str] | None = None
    delimiter: str = "__"
    required: bool = True

    def __post_init__(self) -> None:
        if not self.delimiter:
            raise ValueError("the delimiter of a SecretsDirGrant must not be empty")

    async def aload(self, request: LoadRequest) -> LayeredFacts:  # noqa: ARG002 - files are always current
        """Return the current content of the files.

        Raises:
            GrantError: If the directory or a file cannot be read, or two names contradict each other.
        """
        return await read_in_thread(self._load)

    def _load(self) -> LayeredFacts:
        place = Path(self.path or os.environ.get(_SYSTEMD) or _DOCKER).absolute()
        watches = [FileWatch(place, file_state(place))]  # before it is read, so that no change is missed
        try:
            entries = list(self._entries(place, (), watches))
        except FileNotFoundError:
            if self.required:
                raise GrantError(f"{place}: there is no such directory of secrets") from None
            return LayeredFacts([Layer(source=f"{place} (it does not exist)", facts={}, watches=tuple(watches))])
        except OSError as error:
            raise GrantError(f"{error.filename or place}: {error.strerror or error}") from None
        except ValueError as error:
            raise GrantError(str(error)) from None
        facts, names = nest(entries, "file", f"GROUP{self.delimiter}KEY")
        layer = Layer(source=str(place), facts=facts, places=names, secrets=frozenset({()}), watches=tuple(watches))
        return LayeredFacts([layer])

    def _entries(self, place: Path, group: KeyPath, watches: list[FileWatch]) -> Iterator[tuple[str, KeyPath, str]]:
        """Yield the path, the keys and the content of each file, and add its watch."""
        for path in place.iterdir():
            if path.name.startswith("."):  # such as the links in a volume of Kubernetes
                continue
            watches.append(FileWatch(path, file_state(path)))
            keys = (*group, *map(LooseKey, path.name.split(self.delimiter)))
            if path.is_dir():
                yield from self._entries(path, keys, watches)
            else:
                yield str(path), keys, read_secret_text(path)
