"""PostgreSQL over TCP, with and without TLS, by a relay in front of a server that has neither."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from heksherlite.errors import ServiceStartError
from heksherlite.service.domain import context_features
from heksherlite.service.errors import DatabaseUnavailableError
from tests.service.postgresql import PostgresqlServer
from tests.service.stores import following, opened
from tests.waiting import until_async

_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class Relay:
    """Passes connections on to the socket of a server.

    Args:
        socket: The socket.
        tls: What to encrypt the connections with, if with anything.

    Attributes:
        port: Where it listens on this machine.
    """

    def __init__(self, socket: Path, tls: ssl.SSLContext | None) -> None:
        self.port = 0
        self._socket = socket
        self._tls = tls
        self._scopes: set[anyio.CancelScope] = set()

    def cut(self) -> None:
        """End all connections."""
        for scope in self._scopes:
            scope.cancel()

    async def pass_on(self, client: ByteStream) -> None:
        async with client:
            if self._tls is not None:
                assert await client.receive(len(_SSL_REQUEST)) == _SSL_REQUEST
                await client.send(b"S")
                try:
                    client = await TLSStream.wrap(client, server_side=True, ssl_context=self._tls)
                except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
                    return  # the client does not like our certificate
            async with await anyio.connect_unix(self._socket) as server, anyio.create_task_group() as tasks:
                self._scopes.add(tasks.cancel_scope)
                tasks.start_soon(_pump, client, server, tasks.cancel_scope)
                tasks.start_soon(_pump, server, client, tasks.cancel_scope)
            self._scopes.discard(tasks.cancel_scope)


async def _pump(source: ByteStream, target: ByteStream, scope: anyio.CancelScope) -> None:
    with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
        async for data in source:
            await target.send(data)
    scope.cancel()


@asynccontextmanager
async def relaying(socket: Path, tls: ssl.SSLContext | None) -> AsyncIterator[Relay]:
    relay = Relay(socket, tls)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    relay.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - this is not Django
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, relay.pass_on)
        yield relay
        tasks.cancel_scope.cancel()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Return the certificate of the authority, beside that of the relay."""
    certificates = trustme.CA()
    certificates.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "relay.pem")
    certificates.cert_pem.write_to_path(tmp_path / "authority.pem")
    return tmp_path / "authority.pem"


def tls_of(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.with_name("relay.pem"))
    return context


def socket_and_database(url: str) -> tuple[Path, str]:
    parts = urlsplit(url)
    (folder,) = parse_qs(parts.query)["host"]
    return Path(folder, ".s.PGSQL.5432"), parts.path


@pytest.mark.parametrize("encrypted", [False, True])
def test_replicas_over_tcp(postgresql_server: PostgresqlServer, authority: Path, *, encrypted: bool) -> None:
    """Replicas are notified of each other's writes, and recover after all connections were closed."""
    socket, database = socket_and_database(postgresql_server.new_database())
    options = f"sslmode=verify-full&sslrootcert={authority}" if encrypted else "sslmode=disable"

    async def run() -> None:
        async with relaying(socket, tls_of(authority) if encrypted else None) as relay:
            url = f"postgresql://postgres@127.0.0.1:{relay.port}{database}?{options}"
            async with opened(url) as one, opened(url) as two, following(one), following(two):
                await one.write(partial(context_features.add, name="first"))
                await until_async(lambda: two.catalog.context_features == ("first",))
                relay.cut()
                for _ in range(1_000):
                    with suppress(DatabaseUnavailableError):
                        await two.write(partial(context_features.add, name="second"))
                        break
                    await asyncio.sleep(0.01)
                await until_async(lambda: one.catalog.context_features == ("first", "second"))

    asyncio.run(run())


def test_an_untrusted_server_certificate(postgresql_server: PostgresqlServer, authority: Path) -> None:
    """With sslmode=verify-full, an untrusted certificate is an error."""
    socket, database = socket_and_database(postgresql_server.new_database())
    other = authority.with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(other)

    async def run() -> None:
        async with relaying(socket, tls_of(authority)) as relay:
            url = f"postgresql://postgres:hunter2@127.0.0.1:{relay.port}{database}?sslmode=verify-full&sslrootcert={other}"
            with pytest.raises(ServiceStartError, match="certificate verify failed") as caught:
                async with opened(url):
                    pass
            assert "hunter2" not in str(caught.value)

    asyncio.run(run())
