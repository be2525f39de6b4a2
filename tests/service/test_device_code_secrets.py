"""A third party that sees a device code can neither collect its token nor delay the program."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service import AccessOptions, embedded
from heksherlite.service.api.device_codes import DeviceCodeSecrets
from heksherlite.service.api.proxy_headers import client_network
from heksherlite.service.domain.device_codes import code_digest
from heksherlite.service.domain.failed_attempts import FailedAttempts
from heksherlite.service.domain.tokens import Scope
from tests.service.applications import approve
from tests.service.browser import Browser
from tests.service.tokens import make_token

ACCESS = AccessOptions(auth="tokens", trusted_proxies=(ip_network("127.0.0.1"),))
MANIFEST = {"identifier": "org.example.shop", "version": "1.0", "scopes": ["read", "declare", "write", "admin"]}
PROGRAM, STRANGER = "10.0.0.1", "10.6.6.6"


class Service:
    def __init__(self, url: str, path: Path, token: str) -> None:
        self.url = url
        self.path = path
        self.token = token

    def post(self, call: str, body: dict[str, Any], address: str = PROGRAM) -> dict[str, Any]:
        response = httpx.post(f"{self.url}/f/{call}/", json=body, headers={"x-forwarded-for": address})
        assert response.status_code == 200, response.text
        content: dict[str, Any] = response.json()
        return content

    def start(self, address: str = PROGRAM) -> tuple[str, str]:
        response = self.post("start", {"manifest": MANIFEST}, address)
        return response["code"], response["device_code"]

    def status(self, code: str, device_code: str | None = None, address: str = PROGRAM) -> str:
        secret = {} if device_code is None else {"device_code": device_code}
        status: str = self.post("challenge", {"code": code, **secret}, address)["status"]
        return status


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    path = tmp_path / "a.db"
    token = make_token(path, "jane", *Scope)
    with embedded(path, access=ACCESS, context_features=["environment"]) as running:
        yield Service(running.url, path, token)


def test_the_code_alone_does_not_collect_the_token(service: Service) -> None:
    """Without the secret, only the address that requested the code can poll it."""
    code, device_code = service.start()
    _, other = service.start()
    approve(service.path, code)
    assert service.status(code, address=STRANGER) == "waiting"
    assert service.status(code, other, STRANGER) == "waiting"
    assert service.status(code, other) == "waiting"
    assert service.status(code, device_code, address="10.0.0.2") == "granted"


def test_an_old_program_collects_from_its_own_address(service: Service) -> None:
    """A program that does not know the secret collects from the address that requested the code, and nowhere else."""
    code, _ = service.start()
    approve(service.path, code)
    assert service.status(code, address=STRANGER) == "waiting"
    assert service.status(code) == "granted"


def test_the_page_warns_of_an_old_program(service: Service) -> None:
    """The page of a code says that its program polls without the secret."""
    (old, _), (new, secret) = service.start(), service.start()
    service.status(old)
    service.status(new, secret)
    with Browser(service.url) as browser:
        browser.log_in(service.token)
        assert "older protocol" in browser.open(f"/f/configure/?device_code={old}").text
        assert "older protocol" not in browser.open(f"/f/configure/?device_code={new}").text


@pytest.mark.thorough
def test_strangers_do_not_keep_the_right_program_waiting(service: Service) -> None:
    """Guesses from many addresses, polls without the secret, and guesses at its own address do not delay a program."""
    code, device_code = service.start()
    approve(service.path, code)
    for number in range(60):
        service.status(f"guess{number}", address=f"10.6.6.{number}")
        service.status(code, address=f"10.6.6.{number}")
        service.status(f"guess{number}")
    assert service.status(code, device_code) == "granted"


def test_unknown_codes_do_not_shut_out_an_operator_at_the_same_address(service: Service) -> None:
    """Programs that guess codes, and operators who mistype them, have separate allowances."""
    code, _ = service.start()
    for number in range(10):
        service.status(f"guess{number}", address="127.0.0.1")
    with Browser(service.url) as browser:
        browser.log_in(service.token)
        assert browser.open(f"/f/configure/?device_code={code}").status == 200


def test_codes_that_clients_choose_are_refused_by_default(service: Service) -> None:
    """The page of such a code says how to accept it, and offers no form."""
    with Browser(service.url) as browser:
        browser.log_in(service.token)
        page = browser.open("/f/configure/?device_code=ab12cd&grant=device_code&identifier=org.old&version=1")
        assert (page.status, "--client-codes" in page.text) == (404, True)
    assert service.status("ab12cd") == "waiting"


def test_only_read_is_selected_beforehand(service: Service) -> None:
    """An operator who approves without a look grants nothing but read."""
    code, device_code = service.start()
    with Browser(service.url) as browser:
        browser.log_in(service.token)
        form = browser.open(f"/f/configure/?device_code={code}").form("/f/configure/")
        assert set(form.offered["scope"]) == {"read", "declare", "write", "admin"}
        browser.send(form, decision="approve")
    token = service.post("challenge", {"code": code, "device_code": device_code})["token"]
    assert service.post("claim", {"token": token})["config"]["oauth2"]["scopes"] == ["read"]


def test_opening_a_page_writes_nothing(service: Service) -> None:
    """A page of another site that contains the URL of a code as an image changes nothing."""
    code, device_code = service.start()
    with Browser(service.url) as browser:
        browser.log_in(service.token)
        before = service.path.read_bytes(), service.path.with_name("a.db-wal").read_bytes()
        assert browser.open(f"/f/configure/?device_code={code}").status == 200
        assert (service.path.read_bytes(), service.path.with_name("a.db-wal").read_bytes()) == before
    assert service.status(code, device_code) == "waiting"


def test_entering_a_code_is_pending(service: Service) -> None:
    """A program learns that a person has entered its code."""
    code, device_code = service.start()
    with Browser(service.url) as browser:
        browser.log_in(service.token)
        browser.send(browser.open("/f/device").form("/f/device"), code=code)
    assert service.status(code, device_code) == "pending"


def test_secrets_depend_on_the_key_the_code_and_the_time() -> None:
    """A secret is invalid for another service, another code or a later use of the same code."""

    def secrets(key: str) -> DeviceCodeSecrets:
        return DeviceCodeSecrets(lambda: key, FailedAttempts())

    one, two = code_digest("BCDFGHJK"), code_digest("BCDFGHJM")
    made = [
        secrets("a").secret_of(one, 1),
        secrets("b").secret_of(one, 1),
        secrets("a").secret_of(two, 1),
        secrets("a").secret_of(one, 2),
    ]
    assert len(set(made)) == 4
    assert secrets("a").secret_of(one, 1) == made[0]
    assert {len(secret) for secret in made} == {43}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.9"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_addresses_are_limited_by_network(address: str, network: str) -> None:
    """All addresses of an IPv6 /64 network have one allowance."""
    assert client_network(address) == network


def test_an_ipv6_network_has_one_allowance(service: Service) -> None:
    """A client that changes its IPv6 address within its network does not evade the limit on invalid tokens."""
    statuses = [
        httpx.get(
            f"{service.url}/api/v1/settings",
            headers={"authorization": "Bearer x", "x-forwarded-for": f"2001:db8::{number:x}"},
        ).status_code
        for number in range(1, 20)
    ]
    assert statuses[-1] == 429
    elsewhere = {"authorization": "Bearer x", "x-forwarded-for": "2001:db8:0:1::1"}
    assert httpx.get(f"{service.url}/api/v1/settings", headers=elsewhere).status_code == 401
