"""What a remote grant keeps between starts of a program: its token, and the facts for when the endpoint is away."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from re import sub
from time import time
from typing import Final, TypeVar

import anyio.to_thread

from heksherlite.errors import RemoteGrantError
from heksherlite.grants.cache import CachedFacts, cached_facts, file_error_reason, read_cache, write_cache
from heksherlite.grants.file_lock import file_lock
from heksherlite.grants.layers import LayeredFacts
from heksherlite.grants.remote.messages import Endpoint
from heksherlite.grants.remote.token_stores import TokenStore, digest, make_private_directory, state_directory
from heksherlite.grants.watches import RetryWatch
from heksherlite.http.urls import is_loopback, shown_url
from heksherlite.secret import Secret

logger = logging.getLogger(__name__)

R = TypeVar("R")

_RETRY_SECONDS: Final = 10.0
"""How soon a program that follows changes asks an endpoint again that was away when it started."""


class KeptTokens:
    """The tokens of an application: in memory, and in a store for the next start.

    Args:
        store: The store, or ``None`` to keep tokens in memory only.
        identifier: The identifier of the application.
    """

    def __init__(self, store: TokenStore | None, identifier: str) -> None:
        self._store = store
        self._identifier = identifier
        self._in_memory: dict[str, Secret] = {}

    async def find(self, endpoint: Endpoint, *, unlike: Secret | None = None) -> Secret | None:
        """Return the token for an endpoint, or ``None``.

        A token in the store is a secret that the program has beforehand. Whoever sends a beacon must not get it, so
        that an endpoint that the program did not choose has to prove its URL by a certificate.

        Args:
            endpoint: The endpoint.
            unlike: A token that the endpoint has rejected.
        """
        url = endpoint.url("claim")
        token = self._in_memory.get(url)
        if token is not None and token != unlike:
            return token
        if self._store is None or not (endpoint.is_pinned or url.startswith("https://") or is_loopback(url)):
            return None
        stored = await self._call(self._store.get, "the kept token cannot be used", url, self._identifier)
        return None if stored == unlike else stored

    async def keep(self, endpoint: Endpoint, token: Secret) -> None:
        """Keep a token."""
        url = endpoint.url("claim")
        self._in_memory[url] = token
        if self._store is not None:
            await self._call(self._store.set, "the token cannot be kept", url, self._identifier, token)

    async def forget(self, endpoint: Endpoint, token: Secret) -> None:
        """Delete a token that the endpoint has rejected, unless another one was kept meanwhile."""
        url = endpoint.url("claim")
        if self._in_memory.get(url) == token:
            del self._in_memory[url]
        if self._store is not None:
            stored = await self._call(self._store.get, "the kept token cannot be used", url, self._identifier)
            if stored == token:
                await self._call(self._store.delete, "the kept token cannot be deleted", url, self._identifier)

    @asynccontextmanager
    async def demanding(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """Let no other process demand a token for the same application and endpoint at the same time."""
        if self._store is None:
            yield
            return
        try:
            path = directory_of(self._store) / f"{digest(endpoint.url('claim'), self._identifier)}.lock"
            await anyio.to_thread.run_sync(make_private_directory, path.parent)
            lock = file_lock(path)
            await lock.__aenter__()
        except OSError as error:
            _warn("the token cannot be locked", f"{self._store!r}: {file_error_reason(error)}")
            yield
            return
        try:
            yield
        finally:
            await lock.__aexit__(None, None, None)

    async def _call(self, function: Callable[..., R], problem: str, *arguments: object) -> R | None:
        try:
            return await anyio.to_thread.run_sync(function, *arguments)
        except Exception as error:  # noqa: BLE001 - stores of the program raise anything
            reason = file_error_reason(error)
            for token in (*arguments, *self._in_memory.values()):
                reason = token.mask(reason) if isinstance(token, Secret) else reason
            _warn(problem, f"{self._store!r}: {reason}")
            return None


class KeptFacts:
    """The last facts of an application, in a file beside its token.

    Args:
        store: The store of the tokens, or ``None`` to keep nothing.
        identifier: The identifier of the application.
        discovery: How the endpoint is found. It determines the file, because the endpoint itself may be unknown.
    """

    def __init__(self, store: TokenStore | None, identifier: str, discovery: object) -> None:
        self._store = store
        self._identifier = identifier
        # The default repr of an object has its address, which differs each time.
        self._discovery = sub(r" at 0x[0-9a-f]+", "", repr(discovery))

    async def keep(self, facts: LayeredFacts) -> None:
        """Keep facts."""
        if self._store is None:
            return
        cached = cached_facts(facts, ", ".join(layer.source for layer in facts.layers))
        try:
            await anyio.to_thread.run_sync(_write, self._path(self._store), cached)
        except (OSError, TypeError, ValueError) as error:
            _warn("the facts cannot be kept", f"{self._store!r}: {file_error_reason(error)}")

    async def instead_of(self, error: RemoteGrantError) -> LayeredFacts | None:
        """Return the kept facts because the endpoint is away, or ``None`` if there are none."""
        if self._store is None:
            return None
        try:
            path = self._path(self._store)
            cached = await anyio.to_thread.run_sync(read_cache, path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as problem:
            _warn("the kept facts cannot be used", f"{self._store!r}: {file_error_reason(problem)}")
            return None
        age = time() - cached.created_at
        logger.warning(
            "endpoint is away, kept facts are used: they are %.0f s old: %s",
            age,
            error,
            extra={"age": age, "path": str(path), "reason": str(error)},
        )
        return cached.layered(f"{cached.source} (kept in {path})", RetryWatch(_RETRY_SECONDS))

    async def forget(self) -> None:
        """Delete the facts, because the endpoint has withdrawn them."""
        if self._store is None:
            return
        try:
            await anyio.to_thread.run_sync(self._path(self._store).unlink, True)
        except OSError as error:
            _warn("the kept facts cannot be deleted", f"{self._store!r}: {file_error_reason(error)}")

    def _path(self, store: TokenStore) -> Path:
        return directory_of(store) / f"{digest(self._discovery, self._identifier)}.facts.json"


def directory_of(store: TokenStore) -> Path:
    """Return the directory of the files beside the tokens of a store."""
    directory = getattr(store, "directory", None)
    return directory if isinstance(directory, Path) else state_directory()


def log_rejection(endpoint: Endpoint, identifier: str, error: RemoteGrantError) -> None:
    """Log that an endpoint has rejected a kept token, for example because an operator has revoked it."""
    logger.warning(
        "kept token was rejected: %s at %s: %s",
        identifier,
        shown_url(endpoint.base_url),
        error.reason,
        extra={"identifier": identifier, "url": error.url, "reason": error.reason},
    )


def _write(path: Path, cached: CachedFacts) -> None:
    make_private_directory(path.parent)
    write_cache(path, cached)


def _warn(problem: str, reason: str) -> None:
    logger.warning("token store failed: %s: %s", problem, reason, extra={"problem": problem, "reason": reason})
