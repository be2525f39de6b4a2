"""A proxy between a client and a service that has the faults of real networks. The fault can change at any time."""

import select
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from types import TracebackType
from typing import ClassVar, Self, TypeAlias
from urllib.parse import urlsplit

_HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding"})
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing is a reset."""


@dataclass(frozen=True)
class Response:
    """An HTTP response. Its Content-Length is right unless the headers contain another one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        """The status line and the headers, with the empty line after them."""
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        if self.status == 304 or "Transfer-Encoding" in headers:
            del headers["Content-Length"]
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


class Exchange:
    """A request that arrived at the proxy, and ways to treat it.

    Attributes:
        method: The HTTP method.
        target: The path and the query.
        headers: The headers, by their names in lower case.
        number: How many requests came over this connection, with this one.
    """

    def __init__(self, proxy: "FaultProxy", connection: socket.socket, number: int, head: bytes) -> None:
        self._proxy = proxy
        self._connection = connection
        self._switched = proxy.switched
        request_line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = request_line.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.number = number
        self.body = b""

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    def ask_service(self) -> Response:
        """Return the response of the real service. The names of its headers are in lower case."""
        parts = urlsplit(self._proxy.service_url)
        service = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            headers = {name: value for name, value in self.headers.items() if name not in _HOP_BY_HOP}
            service.request(self.method, self.target, self.body or None, headers)
            response = service.getresponse()
            received = ((name.lower(), value) for name, value in response.getheaders())
            kept = {name: value for name, value in received if name not in _HOP_BY_HOP}
            return Response(response.status, response.read(), kept)
        finally:
            service.close()

    def pass_on(self) -> None:
        """Send the response of the service; a stream until the fault changes."""
        if self.headers.get("accept") == "text/event-stream":
            self._relay()
        else:
            self.respond(self.ask_service())

    def _relay(self) -> None:
        parts = urlsplit(self._proxy.service_url)
        headers = {**self.headers, "connection": "close"}
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        with socket.create_connection((parts.hostname, parts.port)) as service:
            service.sendall("\r\n".join([*lines, "", ""]).encode())
            while not self._switched.is_set():
                readable, _, _ = select.select([service, self._connection], [], [], 0.01)
                if self._connection in readable:  # the client goes, for it has nothing to say
                    break
                if service in readable:
                    if not (data := service.recv(1 << 16)):
                        break
                    self.send(data)
        self.hang_up()

    def respond(self, response: Response) -> None:
        """Send a whole response."""
        self.send(response.head + response.body)

    def send(self, data: bytes) -> None:
        """Send some bytes."""
        self._connection.sendall(data)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the fault changes, and return whether it did."""
        return self._switched.wait(seconds)

    def hang_up(self) -> None:
        """Close the connection properly."""
        self._connection.close()

    def reset(self) -> None:
        """Close the connection with a reset."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._connection.close()


Fault: TypeAlias = Callable[[Exchange], object]
"""What to do with a request instead of passing it on."""


def refuses_connections(_: Exchange) -> None:
    """Stop listening; a value for :attr:`FaultProxy.fault`."""


class FaultProxy:
    """Passes requests on to a service, unless it is to do something else. Each connection has a thread.

    Args:
        service_url: Where the service is.
        tls: What connections are encrypted with.

    Attributes:
        service_url: The same; may change.
        tls: The same; may change, for new connections.
        passed: How many requests were passed on.
        faulted: How many met a fault.
        switched: Is set when the fault changes, and is another one then.
    """

    def __init__(self, service_url: str, tls: ssl.SSLContext | None = None) -> None:
        self.service_url = service_url
        self.tls = tls
        self.passed = 0
        self.faulted = 0
        self.switched = threading.Event()
        self._fault: Fault | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port, which stays the same while the proxy does not listen."""
        return self._port

    @property
    def url(self) -> str:
        """The URL of the proxy."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    @property
    def fault(self) -> Fault | None:
        """What the proxy does with requests; None for passing them on."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault
        switched, self.switched = self.switched, threading.Event()
        switched.set()
        if fault is refuses_connections:
            self._stop()
            self.drop_connections()
        else:
            self._listen()

    def drop_connections(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # closed already
                    continue

    def serve(self, connection: socket.socket) -> None:
        """Handle the requests of one connection."""
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._open.add(connection)
            received = b""
            number = 0
            while True:
                while b"\r\n\r\n" not in received:
                    received += (more := connection.recv(1 << 16))
                    if not more:
                        return
                head, _, received = received.partition(b"\r\n\r\n")
                number += 1
                exchange = Exchange(self, connection, number, head)
                length = int(exchange.headers.get("content-length", 0))
                while len(received) < length:
                    received += connection.recv(1 << 16)
                exchange.body, received = received[:length], received[length:]
                self._treat(exchange)
        except OSError:  # the client went away, or the connection was closed on purpose
            return
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _treat(self, exchange: Exchange) -> None:
        fault = self._fault
        if fault is None:
            exchange.pass_on()
            self.passed += 1
        else:
            fault(exchange)
            self.faulted += 1

    def _listen(self) -> None:
        if self._server is not None:
            return
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", self._port), handler)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.005},
            name="process_request_thread of the proxy",
            daemon=True,
        )
        self._thread.start()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            server.server_close()
            self._thread.join()

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.fault = refuses_connections


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 50


class _Handler(socketserver.BaseRequestHandler):
    proxy: ClassVar[FaultProxy]

    def handle(self) -> None:
        self.proxy.serve(self.request)


@contextmanager
def switched(proxy: FaultProxy, fault: Fault) -> Iterator[None]:
    """Have a fault while the block runs."""
    proxy.fault = fault
    try:
        yield
    finally:
        proxy.fault = None
