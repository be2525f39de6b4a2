"""Facts cached on disk."""

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Any, Final

import anyio.to_thread

from heksherlite.atomic_file import read_private_file, write_private_file
from heksherlite.errors import GrantError
from heksherlite.grants.expiry import CredentialExpiry
from heksherlite.grants.facts import Facts, find_problem
from heksherlite.grants.grant import GrantLike, LoadRequest, as_grant, load
from heksherlite.grants.layers import KeyPath, Layer, LayeredFacts
from heksherlite.grants.watches import RetryWatch, Watch

logger = logging.getLogger(__name__)

DEFAULT_FILE: Final = ".fakts_cache.json"
"""The default cache file, in the working directory."""

_FORMAT: Final = "heksherlite-facts"
_VERSION: Final = 1
_MAX_SIZE: Final = 64 * 2**20
"""The maximum size of a cache file in bytes."""

_RETRY_SECONDS: Final = 60.0
"""The time after which a loader that follows changes asks a grant again that failed."""

_MAX_TIME: Final = 2**37
"""The upper limit of a timestamp, in seconds since 1970."""

_CLOCK_TOLERANCE: Final = 60
"""The number of seconds by which a cache file may be newer than the clock, because clocks are adjusted."""


@dataclass(frozen=True, slots=True, repr=False)
class CachedFacts:
    """The content of a cache file.

    Attributes:
        facts: The facts.
        hash: The ``hash`` of the :class:`CacheGrant`.
        created_at: When the facts were loaded, in seconds since 1970.
        source: A description of the grant that loaded them.
        secrets: The key paths of the values that must not be displayed.
        expiry: The end of the credentials by which the facts were claimed, if it is known.
        token_key: The endpoint and the identifier under which ``heksherlite login`` has kept the token.
    """

    facts: Facts
    hash: str
    created_at: float
    source: str
    secrets: frozenset[KeyPath] = frozenset()
    expiry: CredentialExpiry | None = None
    token_key: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"<CachedFacts of {self.source}>"

    def layered(self, source: str, *watches: Watch) -> LayeredFacts:
        """Return the facts as those of a source."""
        layer = Layer(
            source=source,
            facts=self.facts,
            secrets=self.secrets,
            watches=watches,
            as_of=self.created_at,
            expiry=self.expiry,
        )
        return LayeredFacts([layer])


def cached_facts(facts: LayeredFacts, source: str, hash_: str = "") -> CachedFacts:
    """Return facts as they are cached now.

    Args:
        facts: The facts.
        source: A description of the grant that loaded them.
        hash_: The ``hash`` of the :class:`CacheGrant`.
    """
    secrets = frozenset(keys for layer in facts.layers for keys in layer.secrets)
    return CachedFacts(dict(facts), hash_, time(), source, secrets, next(iter(facts.expiries), None))


class CacheGrant:
    """The facts of another grant, cached on disk for later starts of the program.

    The file is private to the user: its mode is 0600. A file that another user owns, or can read or write, is not used.
    It is replaced atomically. If the file cannot be used or written, a warning is logged.

    Args:
        grant: The grant that loads the facts if the file has none, or if a refresh is forced.
        cache_file: The path of the file. Its directory must exist.
        hash: A text that the facts depend on, such as the version of the program. Facts with another hash are not used.
        expires_in: The maximum age of cached facts in seconds, or ``None`` for no limit.
        skip_cache: Whether to ignore the existing file. New facts are still written to it.
        stale_if_error: The maximum age in seconds of facts that are used, with a warning, if the other grant fails, or
            ``None`` to use none. They are not used if an endpoint refused, for example because a token was revoked, or
            if a refresh is forced. With ``expires_in=0``, each start asks the other grant first.
    """

    def __init__(
        self,
        grant: GrantLike,
        *,
        cache_file: str | os.PathLike[str] = DEFAULT_FILE,
        hash: str = "",
        expires_in: float | None = None,
        skip_cache: bool = False,
        stale_if_error: float | None = None,
    ) -> None:
        self._grant = as_grant(grant)
        # Absolute, so that it stays the same if the program changes its working directory.
        self._path = Path(cache_file).absolute()
        self._hash = hash
        self._expires_in = expires_in
        self._skip_cache = skip_cache
        self._stale_if_error = stale_if_error

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts in the file, or those of the other grant if the file cannot be used.

        Raises:
            GrantError: If the file cannot be used and the other grant fails.
        """
        usable = None
        if not self._skip_cache and not request.force_refresh:
            usable = await anyio.to_thread.run_sync(self._read_usable)
            if usable is not None and self._mismatch(usable, self._expires_in) is None:
                return self._facts_of(usable)
        try:
            facts = await load(self._grant, request)
        except GrantError as error:
            if error.withdrawn:
                await anyio.to_thread.run_sync(self._forget)
            if usable is None or error.refused:
                raise
            extra = {"path": str(self._path), "reason": str(error)}
            logger.warning("grant failed, and cached facts are used: %s: %s", self._path, error, extra=extra)
            return self._facts_of(usable, RetryWatch(_RETRY_SECONDS))
        if not facts.is_pending:
            cached = cached_facts(facts, repr(self._grant), self._hash)
            await anyio.to_thread.run_sync(self._store, cached)
        return facts

    def _facts_of(self, cached: CachedFacts, *watches: Watch) -> LayeredFacts:
        return cached.layered(f"{self._path} (cached facts of {cached.source})", *watches)

    def _forget(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            reason = file_error_reason(error)
            extra = {"path": str(self._path), "reason": reason}
            logger.warning("withdrawn facts cannot be deleted: %s: %s", self._path, reason, extra=extra)

    def _read_usable(self) -> CachedFacts | None:
        """Return the content of the file if it can be used, at least if the other grant fails."""
        try:
            cached = read_cache(self._path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = file_error_reason(error)
            extra = {"path": str(self._path), "reason": reason}
            logger.warning("cached facts cannot be used: %s: %s", self._path, reason, extra=extra)
            return None
        limits = [seconds for seconds in (self._expires_in, self._stale_if_error) if seconds is not None]
        mismatch = self._mismatch(cached, None if self._expires_in is None else max(limits))
        if mismatch is None:
            return cached
        extra = {"path": str(self._path), "reason": mismatch}
        logger.info("cached facts are out of date: %s: %s", self._path, mismatch, extra=extra)
        return None

    def _mismatch(self, cached: CachedFacts, max_age: float | None) -> str | None:
        """Return why cached facts are not used, or ``None`` if they are."""
        if cached.hash != self._hash:
            return "they were cached for another hash"
        age = time() - cached.created_at
        if age < -_CLOCK_TOLERANCE:
            return "they are from the future"
        if max_age is not None and age >= max_age:
            return f"they are {age:.0f} s old, and expire after {max_age:g} s"
        return None

    def _store(self, cached: CachedFacts) -> None:
        try:
            write_cache(self._path, cached)
        except (OSError, TypeError, ValueError) as error:
            reason = file_error_reason(error)
            extra = {"path": str(self._path), "reason": reason}
            logger.warning("facts cannot be cached: %s: %s", self._path, reason, extra=extra)

    def __repr__(self) -> str:
        return f"CacheGrant({self._grant!r}, cache_file={str(self._path)!r})"


def read_cache(path: Path) -> CachedFacts:
    """Return the content of a cache file. Blocks.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not private to the user, or not a cache file.
    """
    try:
        return _decode(read_private_file(path, _MAX_SIZE))
    except RecursionError:
        raise ValueError("it has too many levels") from None


def write_cache(path: Path, cached: CachedFacts) -> None:
    """Replace a cache file atomically with one that is private to the user. Blocks.

    Raises:
        OSError: If it cannot be written.
        TypeError: If the facts contain values that JSON does not have, such as dates.
    """
    write_private_file(path, [_encode(cached)])


def file_error_reason(error: Exception) -> str:
    """Return why a file cannot be read or written, without its path."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _decode(content: bytes) -> CachedFacts:
    try:
        data = json.loads(content)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ValueError("it is not a cache file of heksherlite")
    if data.get("version") != _VERSION:
        raise ValueError(f"unsupported version {data.get('version')!r}")
    facts: Any = data.get("facts")
    created_at = data.get("created_at")
    if problem := find_problem(facts):
        raise ValueError(problem)
    if not isinstance(created_at, int | float) or not 0 <= created_at < _MAX_TIME:
        raise ValueError("created_at is not a timestamp")
    secrets = data.get("secrets", [])
    if not isinstance(secrets, list) or not all(isinstance(keys, list) for keys in secrets):
        raise ValueError("secrets is not a list of key paths")
    return CachedFacts(
        facts,
        str(data.get("hash", "")),
        created_at,
        str(data.get("source", "")),
        frozenset(tuple(map(str, keys)) for keys in secrets),
        _read_expiry(data.get("expiry")),
        _read_token_key(data.get("token_key")),
    )


def _read_token_key(data: Any) -> tuple[str, str] | None:
    if data is None:
        return None
    if not isinstance(data, list) or len(data) != 2 or not all(isinstance(text, str) for text in data):
        raise ValueError("token_key is not an endpoint and an identifier")
    return data[0], data[1]


def _read_expiry(data: Any) -> CredentialExpiry | None:
    """Return the end of credentials, or None if there is none: files of earlier versions have none."""
    if data is None:
        return None
    members = data if isinstance(data, dict) else {}
    at, holder, remedy = members.get("at"), members.get("holder"), members.get("remedy")
    if isinstance(at, int | float) and 0 <= at < _MAX_TIME and isinstance(holder, str):
        return CredentialExpiry(at, holder, None if remedy is None else str(remedy))
    raise ValueError("expiry is not the end of credentials")


def _encode(cached: CachedFacts) -> bytes:
    data = {
        "format": _FORMAT,
        "version": _VERSION,
        "created_at": cached.created_at,
        "hash": cached.hash,
        "source": cached.source,
        "secrets": sorted(cached.secrets),
        "expiry": None if cached.expiry is None else asdict(cached.expiry),
        "token_key": cached.token_key,
        "facts": cached.facts,
    }
    return json.dumps(data, indent=2).encode()
