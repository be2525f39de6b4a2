"""Host names that do not resolve, and invalid certificates."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import trustme

from heksherlite import Setting, main_client
from tests.faults.conftest import NAME, Stored
from tests.faults.program import Log, Program
from tests.faults.proxy import FaultProxy
from tests.waiting import until

FAILED = [("ERROR", "error during heksher update")]


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and the errors that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class Resolver:
    """Resolves one name more than the system does while it is switched on."""

    def __init__(self) -> None:
        self.works = True
        self._real: Any = socket.getaddrinfo

    def getaddrinfo(self, host: Any, *arguments: Any, **options: Any) -> Any:
        known = self.works and host in (NAME, NAME.encode())
        return self._real("127.0.0.1" if known else host, *arguments, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    return resolver


def test_a_name_that_does_not_resolve_any_more(
    program: Program, proxy: FaultProxy, stored: Stored, setting: Setting[int], resolver: Resolver, log: Log
) -> None:
    """If the host name stops resolving, the last values stay until it resolves again."""
    client = program.run(f"http://{NAME}:{proxy.port}")
    assert setting.get(environment="e", user="a") == 1
    resolver.works = False
    proxy.drop_connections()
    stored.change(2)
    until(lambda: client.status.consecutive_failures > 1)
    assert isinstance(client.status.last_error, httpx.ConnectError)
    assert client.status.state == "stale"
    assert setting.get(environment="e", user="a") == 1
    resolver.works = True
    program.wait_until_fresh(client)
    assert setting.get(environment="e", user="a") == 2
    assert log.warnings == FAILED
    assert log.times("heksher update works again") == 1


def test_a_name_that_does_not_resolve_at_start(
    program: Program, proxy: FaultProxy, setting: Setting[int], resolver: Resolver
) -> None:
    """With "require", an unknown host name is an httpx.ConnectError. With "best-effort", it may become known later."""
    resolver.works = False
    url = f"http://{NAME}:{proxy.port}"
    with pytest.raises(httpx.ConnectError):
        program.run(url, startup="require")
    assert main_client.main() is None
    client = program.run(url, startup="best-effort")
    assert client.status.state == "failed"
    assert setting.get(environment="e", user="a") == 0
    resolver.works = True
    program.wait_until_fresh(client)
    until(lambda: setting.get(environment="e", user="a") == 1)


@dataclass
class Certificates:
    """What the program trusts, and what the proxy may show.

    Attributes:
        trust: Trusts one authority.
        good: A certificate by this authority for the right address.
        bad: Others, by what is wrong with them.
    """

    trust: ssl.SSLContext
    good: ssl.SSLContext
    bad: dict[str, ssl.SSLContext]


def shown(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    bad = {
        "wrong name": authority.issue_cert("somebody-else.example"),
        "expired": authority.issue_cert("127.0.0.1", not_before=yesterday - timedelta(days=1), not_after=yesterday),
        "unknown authority": trustme.CA().issue_cert("127.0.0.1"),
    }
    return Certificates(
        trust, shown(authority.issue_cert("127.0.0.1")), {what: shown(leaf) for what, leaf in bad.items()}
    )


@pytest.mark.parametrize("what", ["wrong name", "expired", "unknown authority"])
def test_a_bad_certificate(
    what: str,
    program: Program,
    proxy: FaultProxy,
    stored: Stored,
    setting: Setting[int],
    certificates: Certificates,
    log: Log,
) -> None:
    """A service with an invalid certificate is unreachable until it has a valid one."""
    proxy.tls = certificates.good
    client = program.run(proxy.url, http_client_args={"verify": certificates.trust})
    assert setting.get(environment="e", user="a") == 1
    proxy.tls = certificates.bad[what]
    proxy.drop_connections()
    stored.change(2)
    until(lambda: client.status.consecutive_failures > 1)
    assert isinstance(client.status.last_error, httpx.ConnectError)
    assert any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(client.status.last_error))
    assert setting.get(environment="e", user="a") == 1
    proxy.tls = certificates.good
    program.wait_until_fresh(client)
    assert setting.get(environment="e", user="a") == 2
    assert log.warnings == FAILED
    assert log.times("heksher update works again") == 1


def test_a_bad_certificate_at_start(
    program: Program, proxy: FaultProxy, setting: Setting[int], certificates: Certificates
) -> None:
    """An invalid certificate is an httpx.ConnectError, and leaves no main client."""
    proxy.tls = certificates.bad["expired"]
    with pytest.raises(httpx.ConnectError):
        program.run(proxy.url, startup="require", http_client_args={"verify": certificates.trust})
    assert main_client.main() is None
    assert setting.get(environment="e", user="a") == 0
