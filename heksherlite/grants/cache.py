"""Facts that are kept on disk."""

import json
import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Final

import anyio.to_thread

from heksherlite.atomic_file import write_atomically
from heksherlite.grants.facts import Facts, problem_of
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load

logger = logging.getLogger(__name__)

DEFAULT_FILE: Final = ".fakts_cache.json"
"""Where facts are kept unless told otherwise: in the program's folder."""

_FORMAT: Final = "heksherlite-facts"
_VERSION: Final = 1
_LARGEST: Final = 64 * 2**20
"""How many bytes a file may have."""

_LATEST: Final = 2**37
"""The seconds since 1970 that a file's time is below."""

_FUTURE: Final = 60
"""How many seconds a file may be newer than now: clocks are set."""


@dataclass(frozen=True, slots=True, repr=False)
class CachedFacts:
    """What is in a cache file.

    Attributes:
        facts: The facts.
        hash: What the program said that they depend on.
        created_at: When they were loaded, in seconds since 1970.
        source: Which grant gave them.
    """

    facts: Facts
    hash: str
    created_at: float
    source: str

    def __repr__(self) -> str:
        return f"<CachedFacts of {self.source}>"


class CacheGrant:
    """The facts of another grant, kept on disk: the next program that starts has them without asking.

    The file is the user's alone: it is written with mode 0600, and one that another user owns or may write to is not
    used. It is replaced as a whole. One that cannot be used, or not be written, costs a warning in the log.

    Args:
        grant: Where the facts come from if they are not in the file, or a refresh is forced.
        cache_file: The file. Its folder has to exist.
        hash: Something that the facts depend on, such as the program's version: others are not used.
        expires_in: After how many seconds they are not used any more; ``None`` for never.
        skip_cache: Whether not to read the file. It is written all the same.
    """

    def __init__(
        self,
        grant: GrantLike,
        *,
        cache_file: str | os.PathLike[str] = DEFAULT_FILE,
        hash: str = "",
        expires_in: float | None = None,
        skip_cache: bool = False,
    ) -> None:
        self._grant = as_grant(grant)
        # Absolute, so that it stays where it is if the program changes its folder.
        self._path = Path(cache_file).absolute()
        self._hash = hash
        self._expires_in = expires_in
        self._skip_cache = skip_cache

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts in the file, or else those of the other grant.

        Raises:
            GrantError: If the file cannot be used and the other grant fails.
        """
        if not self._skip_cache and not request.force_refresh:
            cached = await anyio.to_thread.run_sync(self._usable)
            if cached is not None:
                return cached.facts
        facts = await load(self._grant, request)
        await anyio.to_thread.run_sync(self._keep, CachedFacts(facts, self._hash, time(), repr(self._grant)))
        return facts

    def _usable(self) -> CachedFacts | None:
        try:
            cached = read_cache(self._path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            extra = {"path": str(self._path), "reason": reason_of(error)}
            logger.warning("facts in cache file cannot be used", extra=extra)
            return None
        age = time() - cached.created_at
        is_young = age >= -_FUTURE and (self._expires_in is None or age < self._expires_in)
        return cached if is_young and cached.hash == self._hash else None

    def _keep(self, cached: CachedFacts) -> None:
        try:
            write_cache(self._path, cached)
        except (OSError, TypeError, ValueError) as error:
            extra = {"path": str(self._path), "reason": reason_of(error)}
            logger.warning("facts cannot be kept in cache file", extra=extra)

    def __repr__(self) -> str:
        return f"CacheGrant({self._grant!r}, cache_file={str(self._path)!r})"


def read_cache(path: Path) -> CachedFacts:
    """Return what a cache file has. Blocks.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not the user's alone, or not a cache file.
    """
    try:
        return _decoded(_content(path))
    except RecursionError:
        raise ValueError("it has too many levels") from None


def write_cache(path: Path, cached: CachedFacts) -> None:
    """Replace a cache file as a whole, for the user alone. Blocks.

    Raises:
        OSError: If that is not possible.
        TypeError: If there are values that come back as others or not at all, such as dates.
    """
    # A link is replaced, and not what it leads to, which somebody else may have chosen.
    write_atomically(path, [_encoded(cached)], mode=0o600)


def reason_of(error: Exception) -> str:
    """Return why a file cannot be read or written, without its path."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _content(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        raise ValueError("it is a symbolic link")
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        if hasattr(os, "geteuid"):
            if status.st_uid != os.geteuid():
                raise ValueError("it belongs to another user")
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ValueError("other users may write to it")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST:,} bytes")
    return content


def _decoded(content: bytes) -> CachedFacts:
    try:
        data = json.loads(content)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ValueError("it was written by another program")
    if data.get("version") != _VERSION:
        raise ValueError(f"it is of another version, {data.get('version')!r}")
    facts: Any = data.get("facts")
    created_at = data.get("created_at")
    if problem := problem_of(facts):
        raise ValueError(problem)
    if not isinstance(created_at, int | float) or not 0 <= created_at < _LATEST:
        raise ValueError("created_at is not a time")
    return CachedFacts(facts, str(data.get("hash", "")), created_at, str(data.get("source", "")))


def _encoded(cached: CachedFacts) -> bytes:
    data = {
        "format": _FORMAT,
        "version": _VERSION,
        "created_at": cached.created_at,
        "hash": cached.hash,
        "source": cached.source,
        "facts": cached.facts,
    }
    return json.dumps(data, indent=2).encode()
