"""Copies of httpx transports for forked processes, which must not use the connections of their parent."""

from copy import copy
from typing import Any, Final

import httpx

_IN_MEMORY: Final = (httpx.MockTransport, httpx.ASGITransport, httpx.WSGITransport)
"""The transports without connections."""

_CONTAINERS: Final = (httpx.BaseTransport, httpx.AsyncBaseTransport, httpx.Client, httpx.AsyncClient)
"""The classes whose instances may contain transports."""


def without_connections(transport: Any) -> Any:
    """Return a copy of a transport that has the same options and no connections.

    Transports of httpx are copied, and transports that contain them.

    Args:
        transport: The transport, or ``None``.

    Raises:
        TypeError: If the connections of the transport are unknown, so that the copy might share them.
    """
    if transport is None or isinstance(transport, _IN_MEMORY):
        return transport
    duplicate, has_pool = _copy(transport)
    if not has_pool:
        raise TypeError(
            f"{type(transport).__qualname__} may share connections with the parent process, because it contains no "
            "transport of httpx: create the client after the fork"
        )
    return duplicate


def _copy(value: Any) -> tuple[Any, bool]:
    """Return a copy of a value, and whether it contains a connection pool or needs none."""
    if isinstance(value, _IN_MEMORY):
        return value, True
    if _is_pool(value):
        pool = copy(value)
        pool._connections = []  # noqa: SLF001 - httpcore has no public way
        pool._requests = []  # noqa: SLF001
        pool._optional_thread_lock = type(value._optional_thread_lock)()  # noqa: SLF001 - another thread may hold it
        return pool, True
    if isinstance(value, _CONTAINERS):
        duplicate = copy(value)
        has_pool = False
        for name, part in vars(duplicate).items():
            part_copy, part_has_pool = _copy(part)
            vars(duplicate)[name] = part_copy
            has_pool = has_pool or part_has_pool
        return duplicate, has_pool
    if type(value) in (list, tuple):
        copies = [_copy(part) for part in value]
        return type(value)(part for part, _ in copies), any(has_pool for _, has_pool in copies)
    if type(value) is dict:
        parts = {key: _copy(part) for key, part in value.items()}
        return {key: part for key, (part, _) in parts.items()}, any(has_pool for _, has_pool in parts.values())
    return value, False


def _is_pool(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "httpcore" and all(
        hasattr(value, name) for name in ("_connections", "_requests", "_optional_thread_lock")
    )
