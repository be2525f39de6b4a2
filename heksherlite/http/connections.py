"""Connections to the service that are made without a task group."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import anyio.abc
import httpcore
from httpcore._backends.anyio import AnyIOStream
from httpcore._backends.auto import AutoBackend


class DirectConnections(AutoBackend):
    """The network backend of httpcore, except that it connects by itself in an event loop of asyncio.

    The task group of :func:`anyio.connect_tcp` prints a warning if the event loop ends in the wrong moment; see
    :mod:`heksherlite.http.task_groups`.
    """

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to an IP address.

        Raises:
            httpcore.ConnectTimeout: If that takes longer than the time-out, in seconds.
            httpcore.ConnectError: If the address cannot be reached.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # trio
            return await super().connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            with anyio.fail_after(timeout):
                connected = await _connect(loop, host, port, local_address, socket_options or ())
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise httpcore.ConnectTimeout(str(error)) from error
            reason = str(error) if error.errno is None else os.strerror(error.errno)
            raise httpcore.ConnectError(reason) from error
        return _Stream(connected)


class _Stream(AnyIOStream):
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
    ) -> httpcore.AsyncNetworkStream:
        """Start TLS. A connection on which that is cancelled is closed, which httpcore does for other failures only."""
        try:
            return await super().start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise


async def _connect(
    loop: asyncio.AbstractEventLoop,
    address: str,
    port: int,
    local_address: str | None,
    socket_options: Iterable[Any],
) -> anyio.abc.SocketStream:
    connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        for option in socket_options:
            connecting.setsockopt(*option)
        if local_address is not None:
            connecting.bind((local_address, 0))
        await loop.sock_connect(connecting, (address, port))
        return await anyio.abc.SocketStream.from_socket(connecting)
    except BaseException:
        connecting.close()
        raise
