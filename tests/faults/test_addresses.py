"""Names that do not resolve, and certificates that do not hold: real ones."""

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
from tests.faults.conftest import Stored
from tests.faults.program import Log, Program
from tests.faults.proxy import FaultProxy
from tests.waiting import until

NAME = "settings.invalid"
FAILED = [("ERROR", "error during heksher update")]


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class Resolver:
    """Resolves one more name than the system does, while it is switched on."""

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
    """When the service's name is not known any more, the last values hold until it is again."""
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
    assert log.alarms == FAILED
    assert log.times("heksher update works again") == 1


def test_a_name_that_does_not_resolve_at_start(
    program: Program, proxy: FaultProxy, setting: Setting[int], resolver: Resolver
) -> None:
    """A name that is not known is an httpx.ConnectError with "require", and for "best-effort" may become known."""
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
    """A service whose certificate does not hold counts as unreachable, until it has a good one again."""
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
    assert log.alarms == FAILED
    assert log.times("heksher update works again") == 1


def test_a_bad_certificate_at_start(
    program: Program, proxy: FaultProxy, setting: Setting[int], certificates: Certificates
) -> None:
    """A certificate that does not hold is an httpx.ConnectError, and no main client."""
    proxy.tls = certificates.bad["expired"]
    with pytest.raises(httpx.ConnectError):
        program.run(proxy.url, startup="require", http_client_args={"verify": certificates.trust})
    assert main_client.main() is None
    assert setting.get(environment="e", user="a") == 0
