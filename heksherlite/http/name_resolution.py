"""Name resolution in daemon threads, so that a name server that hangs keeps nothing from ending.

An event loop of asyncio resolves names in the threads of its default executor. When :func:`asyncio.run` returns, and
when the interpreter ends, they wait for these threads, and a resolver may take minutes to give up.
"""

import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any, Final

import anyio
import httpcore
import httpx
from httpcore._backends.auto import AutoBackend

from heksherlite.http.connections import DirectConnections
from heksherlite.http.daemon_threads import run_in_daemon_thread
from heksherlite.http.task_groups import start_soon

_HEAD_START: Final = 0.25
"""The seconds after which the next address is tried as well. RFC 8305 calls them the connection attempt delay."""


def resolve_in_daemon_threads(client: httpx.AsyncClient) -> None:
    """Make the connections of an HTTP client resolve names in daemon threads.

    httpx has no public way to choose the network backend of its transports. Transports of other libraries, and backends
    of other libraries, are left alone.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        pool = getattr(transport, "_pool", None)
        if pool is not None and isinstance(getattr(pool, "_network_backend", None), AutoBackend):
            pool._network_backend = DaemonThreadResolution(DirectConnections())  # noqa: SLF001


class DaemonThreadResolution(httpcore.AsyncNetworkBackend):
    """A network backend that resolves names itself, and connects to the addresses through another backend.

    Args:
        backend: The other backend.
    """

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that responds.

        Raises:
            httpcore.ConnectTimeout: If that takes longer than the time-out, in seconds.
            httpcore.ConnectError: If the name cannot be resolved, or no address responds.
        """
        try:
            with anyio.fail_after(timeout):
                addresses = await _addresses(host, port)
                return await self._connect(addresses, port, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a Unix socket."""
        return await self._backend.connect_unix_socket(path, timeout, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Sleep for some seconds."""
        await anyio.sleep(seconds)

    async def _connect(
        self,
        addresses: Sequence[str],
        port: int,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.AsyncNetworkStream:
        streams: list[httpcore.AsyncNetworkStream] = []
        failures: list[httpcore.NetworkError] = []

        async def attempt(address: str, failed: anyio.Event) -> None:
            try:
                stream = await self._backend.connect_tcp(address, port, None, local_address, socket_options)
            except httpcore.NetworkError as error:
                failures.append(error)
                failed.set()
            else:
                streams.append(stream)
                attempts.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as attempts:
                for address in addresses:
                    failed = anyio.Event()
                    start_soon(attempts, attempt, address, failed)
                    with anyio.move_on_after(_HEAD_START):
                        await failed.wait()
        except BaseException:  # cancelled, perhaps just after a connection was made
            with anyio.CancelScope(shield=True):
                for stream in streams:
                    await stream.aclose()
            raise
        if not streams:
            raise failures[0]
        first, *others = streams
        for other in others:  # it was connected before it could be cancelled
            await other.aclose()
        return first


async def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host in the order of the system, except that those of IPv6 and IPv4 take turns."""
    try:
        ip_address(host)
    except ValueError:
        found = await run_in_daemon_thread(_resolve, host, port)
    else:
        return [host]
    families = list(dict.fromkeys(family for family, _ in found))
    columns = [[address for of_family, address in found if of_family == family] for family in families]
    return [address for address in chain.from_iterable(zip_longest(*columns)) if address is not None]


def _resolve(host: str, port: int) -> list[tuple[int, str]]:
    results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in results))
