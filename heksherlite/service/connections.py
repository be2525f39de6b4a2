"""Connections: the sockets on which a service listens, their protocol, and the number that a process can have."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from heksherlite.errors import ServiceStartError
from heksherlite.service.options import AccessOptions

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

_logger = logging.getLogger(__name__)

_UNREAD_MILLISECONDS: Final = 60_000
"""How long a connection is kept whose client does not read what was sent."""

_HEAD_SECONDS: Final = 10.0
"""The maximal time between the first byte of a request and the end of its headers, in seconds."""

_RESERVED_FILES: Final = 128
"""File descriptors that are not used for streams, but for other requests, the database and the log."""

_UNLIMITED: Final = 2**20

_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-type: text/plain\r\ncontent-length: 20\r\n\r\ntoo many connections"
)


def listen(host: str, port: int, access: AccessOptions = AccessOptions()) -> socket.socket:  # noqa: B008 - immutable
    """Bind an address to listen on.

    Args:
        host: The address.
        port: The port; 0 picks a free one.
        access: Who may use the service.

    Raises:
        ServiceStartError: The address cannot be bound, or other machines can reach it and every request would be
            authorized.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol given, asyncio disables Nagle's algorithm, which would cost 40 ms per response.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Accepted connections inherit it. Without it, a client that has stopped reading is kept forever.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ServiceStartError(f"cannot listen on {host}, port {port}: {error}") from error
    return _require_private(listener, host, access)


def listen_unix(path: str | os.PathLike[str]) -> socket.socket:
    """Bind a Unix domain socket to listen on.

    Args:
        path: The path of the socket. A socket that a service has left there is replaced.

    Raises:
        ServiceStartError: The socket cannot be created, or a service listens on it.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if Path(path).is_socket() and not _is_served(path):
            Path(path).unlink()
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise ServiceStartError(f"cannot listen on the Unix socket {os.fspath(path)}: {error}") from error
    return listener


def inherited_listener(access: AccessOptions = AccessOptions()) -> socket.socket | None:  # noqa: B008 - immutable
    """Return the socket that systemd passed to this process (socket activation), or None.

    Args:
        access: Who may use the service.

    Raises:
        ServiceStartError: There is more than one socket, or other machines can reach it and every request would be
            authorized.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise ServiceStartError("socket activation requires exactly one socket")
    listener = socket.socket(fileno=3)
    if listener.family == socket.AF_UNIX:
        return listener
    return _require_private(listener, listener.getsockname()[0], access)


def share_port(listener: socket.socket) -> bool:
    """Let several sockets of this user listen on the address of a socket, and return whether that is possible.

    The kernel then spreads new connections evenly. The processes that accept connections from one socket get very
    different numbers of them.

    Args:
        listener: A bound socket. It keeps the address, and must not listen itself.
    """
    if sys.platform != "linux" or listener.family == socket.AF_UNIX or _is_listening(listener):
        return False
    # Only after it was bound: otherwise, another service of this user could bind the address as well.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return True


def another_listener(listener: socket.socket) -> socket.socket:
    """Bind another socket to the address of one whose port is shared.

    Args:
        listener: The socket that was passed to `share_port`. It is closed in this process.
    """
    with listener:
        another = socket.socket(listener.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        another.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
        another.bind(listener.getsockname())
    return another


def url_of(listener: socket.socket) -> str:
    """Return the URL of a service that listens on a socket."""
    if listener.family == getattr(socket, "AF_UNIX", None):
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def raise_file_limit() -> None:
    """Raise the number of files that this process may open to the maximum, because each connection takes one."""
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_connections() -> int:
    """Return the number of connections that this process can have, with file descriptors left for other purposes."""
    if resource is None:
        return 400  # of the 512 files of the C runtime
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _UNLIMITED
    return max(1, soft - min(_RESERVED_FILES, soft // 4))


class ConnectionProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # which one depends on what is installed
    """A connection that limits the time of a request's headers, and is refused if there are too many.

    Args:
        limit: The maximal number of connections.
        arguments: The arguments of uvicorn's protocol.
    """

    connections: set[Any]
    cycle: Any
    transport: asyncio.Transport

    def __init__(self, *, limit: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.access_log = False  # uvicorn would log requests as soon as any parent of its logger has a handler
        self._limit = limit
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Accept or refuse the connection."""
        super().connection_made(transport)
        if len(self.connections) > self._limit:
            transport.write(_BUSY)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Handle received bytes, and limit the time until the headers are complete."""
        super().data_received(data)
        if not self._is_idle():
            self._cancel_head_timer()
        elif self._head_timer is None:  # most heads arrive in one piece, and need no timer
            self._head_timer = asyncio.get_running_loop().call_later(_HEAD_SECONDS, self._end_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the timer."""
        self._cancel_head_timer()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _end_slow_head(self) -> None:
        self._head_timer = None
        if self._is_idle():
            self.transport.close()

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _is_listening(listener: socket.socket) -> bool:
    return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _is_served(path: str | os.PathLike[str]) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(os.fspath(path)) == 0


def _require_private(listener: socket.socket, host: str, access: AccessOptions) -> socket.socket:
    if access.auth == "none" and not access.insecure and not ip_address(listener.getsockname()[0]).is_loopback:
        listener.close()
        raise ServiceStartError(
            f"other machines can reach {host}, and every request would be authorized; require tokens (--auth tokens),"
            " or accept the risk (--insecure)"
        )
    return listener


def connection_protocol(limit: Callable[[], int]) -> Callable[..., asyncio.Protocol]:
    """Return the factory of connections for uvicorn."""

    def create(**arguments: Any) -> asyncio.Protocol:
        protocol: asyncio.Protocol = ConnectionProtocol(limit=limit(), **arguments)
        return protocol

    return create
