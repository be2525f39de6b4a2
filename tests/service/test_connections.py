"""Connections: how long they are kept, how many are accepted, and where a service listens."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from heksherlite.errors import ServiceStartError
from heksherlite.service.connections import inherited_listener, listen, listen_unix
from heksherlite.service.options import ServiceOptions
from heksherlite.service.server import ServiceThread
from heksherlite.service.storage.urls import open_database

REQUEST = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
STREAM = b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def running(folder: Path, options: ServiceOptions, listener: socket.socket | None = None) -> Iterator[ServiceThread]:
    service = ServiceThread(open_database(folder / "a.db"), listener or listen("127.0.0.1", 0), options)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def connect(service: ServiceThread, *, source: str = "127.0.0.1") -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0))


def receive(connection: socket.socket) -> bytes:
    """Receive until the end of the headers, or of the connection."""
    received = b""
    while b"\r\n\r\n" not in received and (part := connection.recv(1000)):
        received += part
    return received


def test_idle_connections_are_kept_as_long_as_configured(tmp_path: Path) -> None:
    """A connection is closed after the configured time without requests, and not before."""
    with running(tmp_path, ServiceOptions(keep_alive=2)) as service, connect(service) as connection:
        connection.sendall(REQUEST)
        assert b" 200 " in receive(connection)
        began = time.monotonic()
        while connection.recv(1000):
            continue
        assert time.monotonic() - began >= 1.5


def test_idle_connections_are_kept_longer_than_load_balancers_do_by_default() -> None:
    """The default exceeds the 60 s of common load balancers."""
    assert ServiceOptions().keep_alive == 75


def test_a_slow_head_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not complete the headers of a request is disconnected."""
    monkeypatch.setattr("heksherlite.service.connections._HEAD_SECONDS", 0.2)
    with running(tmp_path, ServiceOptions()) as service, connect(service) as connection:
        connection.sendall(b"GET /api/health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert connection.recv(1000) == b""


def test_a_slow_head_after_a_response_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit for headers applies to each request of a connection. Fast requests are not affected."""
    monkeypatch.setattr("heksherlite.service.connections._HEAD_SECONDS", 0.2)
    with running(tmp_path, ServiceOptions()) as service, connect(service) as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            assert b" 200 " in receive(connection)
        connection.sendall(b"GET ")
        while connection.recv(1000):
            continue


def test_a_draining_service_is_not_ready_and_still_responds(tmp_path: Path) -> None:
    """While a service drains, readiness is 503 and all other requests succeed."""
    with running(tmp_path, ServiceOptions(drain=2)) as service, httpx.Client(base_url=service.url) as http:
        service._ready.result()()
        readiness = http.get("/api/ready")
        while readiness.status_code == 200:
            readiness = http.get("/api/ready")
        assert readiness.status_code == 503
        assert readiness.json()["reasons"] == ["the service is stopping"]
        assert http.get("/api/v1/query").status_code == 200


def test_streams_are_refused_when_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams over the limit get 503 with Retry-After, and other requests succeed."""
    monkeypatch.setattr("heksherlite.service.server.max_connections", lambda: 20)
    with running(tmp_path, ServiceOptions()) as service:
        streams, heads = [], []
        for number in range(19):
            streams.append(connect(service, source=f"127.0.0.{1 + number // 10}"))  # one client has no room for all
            streams[-1].sendall(STREAM)
            heads.append(receive(streams[-1]))
        assert all(b" 200 " in head for head in heads[:18])
        assert b" 503 " in heads[18]
        assert b"retry-after: 5" in heads[18]
        assert httpx.get(service.url + "/api/health").status_code == 200
        for stream in streams:
            stream.close()


def test_connections_are_refused_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection over the limit gets 503 at once, and another is accepted when one ends."""
    monkeypatch.setattr("heksherlite.service.server.max_connections", lambda: 3)
    with running(tmp_path, ServiceOptions()) as service:
        kept = [connect(service) for _ in range(3)]
        for connection in kept:
            connection.sendall(REQUEST)
            assert b" 200 " in receive(connection)
        with connect(service) as refused:
            assert b" 503 " in receive(refused)
        kept.pop().close()
        for _ in range(1000):
            with connect(service) as connection:
                connection.sendall(REQUEST)
                if b" 200 " in receive(connection):
                    break
        else:
            pytest.fail("no connection was accepted any more")
        for connection in kept:
            connection.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix domain sockets")
def test_a_unix_socket(tmp_path: Path) -> None:
    """A service listens on a Unix domain socket. It replaces an abandoned socket, and not one that is in use."""
    path = tmp_path / "socket"
    for _ in range(2):
        with running(tmp_path, ServiceOptions(), listen_unix(path)) as service:
            assert service.url == f"unix:{path}"
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as http:
                assert http.get("http://heksher/api/v1/query").status_code == 200
            with pytest.raises(ServiceStartError, match="Unix socket"):
                listen_unix(path)


def test_the_root_path(tmp_path: Path) -> None:
    """Behind a proxy that removes a path from URLs, the service uses it in the URLs that it returns."""
    with running(tmp_path, ServiceOptions(root_path="/heksher")) as service:
        assert httpx.get(service.url + "/api/v1/query").status_code == 200
        schema = httpx.get(service.url + "/openapi.json").json()
        assert schema["servers"] == [{"url": f"{service.url}/heksher"}]
        assert httpx.get(service.url + "/.well-known/fakts").json()["base_url"] == f"{service.url}/heksher/f/"
        assert 'src="docs/start.js"' in httpx.get(service.url + "/docs").text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root_path": "heksher"}, "root path"),
        ({"root_path": "/heksher/"}, "root path"),
        ({"keep_alive": 0}, "keep_alive"),
        ({"drain": -1}, "drain"),
        ({"public_url": "settings.example.com"}, "public URL"),
    ],
)
def test_invalid_options(options: dict[str, object], message: str) -> None:
    """An invalid option raises an error that names it."""
    with pytest.raises(ValueError, match=message):
        ServiceOptions(**options)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="sockets are inherited on POSIX only")
def test_socket_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that systemd starts uses the socket that it was passed."""
    monkeypatch.setenv("LISTEN_PID", "1")
    assert inherited_listener() is None
    code = (
        "import os\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "from heksherlite.service.connections import inherited_listener, url_of\n"
        "print(url_of(inherited_listener()))\n"
    )
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        child = subprocess.run(
            [sys.executable, "-c", f"import os; os.dup2({listener.fileno()}, 3)\n{code}"],
            env={**os.environ, "LISTEN_FDS": "1"},
            pass_fds=[listener.fileno()],
            capture_output=True,
            text=True,
            check=True,
        )
        assert child.stdout.strip() == url
