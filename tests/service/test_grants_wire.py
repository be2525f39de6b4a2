"""Which responses applications receive that request their configuration."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service import AccessOptions, embedded
from heksherlite.service.domain.applications import Approval
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.groups import Groups
from tests.service.api import FEATURES
from tests.service.applications import BY_JANE, READER, SHOP, approve, deny, in_access_store, invite, register, revoke

MANIFEST = {**SHOP.parts()}
TRUSTING = AccessOptions(auth="tokens", trusted_proxies=(ip_network("127.0.0.1"),), client_codes=True)


class Endpoint:
    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30)

    def post(self, call: str, body: Any, *, address: str = "10.0.0.1") -> httpx.Response:
        return self.http.post(f"/f/{call}/", json=body, headers={"X-Forwarded-For": address})

    def ask(self, call: str, body: Any, *, address: str = "10.0.0.1") -> dict[str, Any]:
        response = self.post(call, body, address=address)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        members: dict[str, Any] = response.json()
        return members

    def start(self) -> str:
        code: str = self.ask("start", {"manifest": MANIFEST})["code"]
        return code

    def challenge(self, code: str, *, address: str = "10.0.0.1") -> str:
        status: str = self.ask("challenge", {"code": code}, address=address)["status"]
        return status

    def config(self, token: str) -> dict[str, Any]:
        response = self.ask("claim", {"token": token})
        assert response["status"] == "granted", response
        config: dict[str, Any] = response["config"]
        return config


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    path = tmp_path / "a.db"
    with embedded(path, context_features=FEATURES, access=TRUSTING) as service:
        endpoint = Endpoint(path, service.url)
        with endpoint.http:
            yield endpoint


def test_a_code_from_start_to_end(endpoint: Endpoint) -> None:
    """A code is waiting, pending, granted with a token, and expired after its single use."""
    code = endpoint.start()
    assert len(code) == 8
    assert code.isalnum()
    assert not set(code) & set("01IOL")
    assert endpoint.challenge(code) == "waiting"
    application = approve(endpoint.path, code)
    response = endpoint.ask("challenge", {"code": code})
    assert response["status"] == "granted"
    assert endpoint.challenge(code) == "expired"
    config = endpoint.config(response["token"])
    assert config == endpoint.config(response["token"])
    heksher, oauth2 = config["heksher"], config["oauth2"]
    assert heksher.pop("token").startswith(f"hkl_{application.id}_")
    assert heksher == {
        "service_url": endpoint.url,
        "context_features": FEATURES,
        "defaults": {},
        "track": dict.fromkeys(FEATURES, "*"),
    }
    assert len(oauth2.pop("client_secret")) == 43
    assert oauth2 == {
        "base_url": f"{endpoint.url}/o/",
        "token_url": f"{endpoint.url}/o/token",
        "client_id": application.id,
        "scopes": ["declare", "read"],
    }


def test_an_opened_code_is_pending_and_a_denied_one_is_denied(endpoint: Endpoint) -> None:
    """The application receives whether its page was opened, and the decision."""

    async def look(access: AccessStore) -> None:
        from heksherlite.service.storage.device_codes import DeviceCodes  # noqa: PLC0415

        await DeviceCodes(access).open(code, None, None, 0)

    code = endpoint.start()
    in_access_store(endpoint.path, look)
    assert endpoint.challenge(code) == "pending"
    deny(endpoint.path, code)
    assert endpoint.challenge(code) == "denied"


def test_a_code_that_the_client_chose(endpoint: Endpoint) -> None:
    """The code is waiting before its page is opened. The URL of the page contains the manifest."""
    assert endpoint.challenge("a1b2c3") == "waiting"
    approve(endpoint.path, "a1b2c3", manifest=SHOP)
    assert endpoint.challenge("a1b2c3") == "granted"


def test_the_approval_is_in_the_configuration(endpoint: Endpoint) -> None:
    """The configuration has the defaults, tracking, groups and secrets. A group can extend and override it."""
    path = endpoint.path

    async def set_groups(access: AccessStore) -> None:
        groups = Groups(access)
        await groups.put_secret("db-password", "hunter2", BY_JANE)
        password = {"$secret": "db-password"}
        await groups.put(Group("db", {"host": "db.local", "users": [{"name": "a", "password": password}]}), BY_JANE)
        await groups.put(Group("heksher", {"update_interval": 5}), BY_JANE)

    in_access_store(path, set_groups)
    approval = Approval(
        scopes=frozenset({Scope.READ}),
        defaults={"environment": "prod"},
        track={"user": ["jane", "john"]},
        groups=("db", "heksher"),
    )
    config = endpoint.config(endpoint.ask("redeem", {"manifest": MANIFEST, "token": invite(path, approval)})["token"])
    assert config["db"] == {"host": "db.local", "users": [{"name": "a", "password": "hunter2"}]}
    assert config["heksher"]["defaults"] == {"environment": "prod"}
    assert config["heksher"]["track"] == {"environment": ["prod"], "user": ["jane", "john"], "theme": "*"}
    assert config["heksher"]["update_interval"] == 5
    assert config["oauth2"]["scopes"] == ["read"]


def test_one_time_tokens(endpoint: Endpoint) -> None:
    """A one-time token is exchanged for a token once, by the invited application."""
    body = {"manifest": MANIFEST, "token": invite(endpoint.path)}
    assert endpoint.ask("redeem", {**body, "manifest": {**MANIFEST, "identifier": "other"}})["status"] == "error"
    assert endpoint.config(endpoint.ask("redeem", body)["token"])
    again = endpoint.ask("redeem", body)
    assert again["status"] == "error"
    assert body["token"] not in again["message"]


def test_public_applications(endpoint: Endpoint) -> None:
    """A public application gets its token with each request. If it sends a redirect_uri, it must be registered."""
    body = {"manifest": MANIFEST}
    assert "no public application" in endpoint.ask("retrieve", body)["message"]
    register(endpoint.path, redirect_uri="http://localhost:6767")
    token = endpoint.ask("retrieve", body)["token"]
    assert endpoint.ask("retrieve", {**body, "redirect_uri": "http://localhost:6767"})["token"] == token
    assert "redirect_uri" in endpoint.ask("retrieve", {**body, "redirect_uri": "http://evil"})["message"]
    assert endpoint.config(token)["oauth2"]["scopes"] == ["declare", "read"]


def test_revoking_ends_a_claim(endpoint: Endpoint) -> None:
    """The token of a revoked application claims nothing and reads no settings."""
    token = endpoint.ask("redeem", {"manifest": MANIFEST, "token": invite(endpoint.path)})["token"]
    settings = {"Authorization": f"Bearer {endpoint.config(token)['heksher']['token']}"}
    assert endpoint.http.get("/api/v1/query", headers=settings).status_code == 200
    revoke(endpoint.path)
    assert endpoint.ask("claim", {"token": token}) == {
        "status": "error",
        "message": "the token is unknown, was revoked or has expired",
    }


def test_a_new_token_counts_in_every_service_at_once(tmp_path: Path) -> None:
    """A replica accepts a token of another replica at once, and no malformed one."""
    path = tmp_path / "a.db"
    with embedded(path, access=TRUSTING) as one, embedded(path, access=TRUSTING) as other:
        endpoint = Endpoint(path, one.url)
        with endpoint.http, httpx.Client(base_url=other.url, timeout=30) as elsewhere:
            for _ in range(3):
                token = endpoint.ask("redeem", {"manifest": MANIFEST, "token": invite(path)})["token"]
                config = endpoint.config(token)
                bearer = {"Authorization": f"Bearer {config['heksher']['token']}"}
                assert elsewhere.get("/api/v1/query", headers=bearer).status_code == 200
            assert elsewhere.get("/api/v1/query", headers={"Authorization": "Bearer hka_x"}).status_code == 401
            unknown = {"Authorization": f"Bearer hkl_00000000_{'A' * 43}"}
            assert elsewhere.get("/api/v1/query", headers=unknown).status_code == 401


def test_polling_too_fast(endpoint: Endpoint) -> None:
    """A client that polls too fast is told to wait, and does not get the state of the code."""
    code = endpoint.start()
    approve(endpoint.path, code)
    endpoint.ask("challenge", {"code": "OTHER"})
    response = endpoint.post("challenge", {"code": "ANOTHER"})
    while "retry-after" not in response.headers:
        response = endpoint.post("challenge", {"code": "ANOTHER"})
        assert response.json() == {"status": "waiting"}
    assert int(response.headers["retry-after"]) >= 1
    assert endpoint.challenge(code) == "granted"


def test_guessing_codes(endpoint: Endpoint) -> None:
    """After five unknown codes, an address gets no state of a valid code. Other addresses are not affected."""
    code = endpoint.start()
    approve(endpoint.path, code)
    for guess in "abcde":
        assert endpoint.challenge(guess, address="10.6.6.6") == "waiting"
    blocked = endpoint.post("challenge", {"code": code}, address="10.6.6.6")
    assert blocked.json() == {"status": "waiting"}
    assert int(blocked.headers["retry-after"]) > 1
    assert endpoint.challenge(code) == "granted"


def test_guessing_codes_from_many_addresses(endpoint: Endpoint) -> None:
    """After fifty unknown codes, only the address that requested the code gets its state."""
    code = endpoint.start()
    approve(endpoint.path, code)
    for guess in range(50):
        endpoint.challenge(f"guess{guess}", address=f"10.6.6.{guess}")
    assert endpoint.challenge(code, address="10.7.7.7") == "waiting"
    assert endpoint.challenge(code) == "granted"


def test_many_codes_from_one_address(endpoint: Endpoint) -> None:
    """The number of codes that an address can request at once is limited."""
    responses = [endpoint.post("start", {"manifest": MANIFEST}) for _ in range(50)]
    assert {response.json()["status"] for response in responses} == {"granted", "error"}
    assert {"retry-after" in response.headers for response in responses if response.json()["status"] == "error"} == {
        True
    }
    assert endpoint.ask("start", {"manifest": MANIFEST}, address="10.0.0.2")["status"] == "granted"


HOSTILE: list[Any] = [
    {},
    [],
    "x",
    None,
    {"token": None, "code": None, "manifest": None},
    {"token": ["x"], "code": {"a": 1}, "manifest": []},
    {"token": "x" * 10_000, "code": "x" * 10_000, "manifest": {**MANIFEST, "identifier": "x" * 10_000}},
    {"token": "x" * 10_000, "code": "", "manifest": {**MANIFEST, "scopes": ["x"] * 1_000}},
    {"token": 1, "code": 1, "manifest": {**MANIFEST, "scopes": "read"}},
    {"token": {}, "code": {}, "manifest": {**MANIFEST, "identifier": "\x1b[2J"}},
    {"token": {}, "code": {}, "manifest": {**MANIFEST, "version": "1\n2"}},
    {"token": {}, "code": {}, "manifest": {**MANIFEST, "image": "x" * 3_000}},
    {"token": {}, "code": {}, "manifest": {**MANIFEST, "identifier": ""}},
]


@pytest.mark.parametrize("call", ["claim", "retrieve", "redeem", "start", "challenge"])
def test_hostile_bodies(endpoint: Endpoint, call: str) -> None:
    """A malformed request is 422 with the location of the error, and nothing is stored."""
    for body in HOSTILE:
        response = endpoint.post(call, body)
        assert response.status_code == 422, (body, response.text)
        assert response.json()["detail"][0]["loc"]
        assert len(response.content) < 2_000
    for content in (b"", b"\xff", b'{"token": NaN}', b'{"token": "\\ud800", "code": "\\ud800", "manifest": {}}'):
        assert endpoint.http.post(f"/f/{call}/", content=content).status_code == 422
    assert endpoint.http.post(f"/f/{call}/", content=b" " * (2**20 + 1)).status_code == 413


def test_well_formed_nonsense_is_unknown(endpoint: Endpoint) -> None:
    """A well-formed but invalid secret is unknown, and no server error."""
    for number, text in enumerate(
        ("ß", "\0", "hkc_00000000_" + "A" * 43, "hki_00000000_" + "A" * 43, "a-b", "' OR 1=1")
    ):
        assert endpoint.ask("claim", {"token": text})["status"] == "error"
        assert endpoint.ask("redeem", {"token": text, "manifest": MANIFEST})["status"] == "error"
        assert endpoint.ask("challenge", {"code": text}, address=f"10.0.1.{number}")["status"] == "waiting"


@pytest.mark.parametrize(
    ("headers", "base_url"),
    [
        ({"Host": "settings.internal:8888"}, "http://settings.internal:8888/f/"),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "settings.example.com"}, "https://settings.example.com/f/"),
        ({"X-Forwarded-Proto": "https", "Host": "[::1]:80"}, "https://[::1]:80/f/"),
    ],
)
def test_the_address_is_that_of_the_client(endpoint: Endpoint, headers: dict[str, str], base_url: str) -> None:
    """The well-known response has the host and scheme of the client, according to trusted proxies."""
    response = endpoint.http.get("/.well-known/fakts", headers=headers).json()
    assert response["name"] == "heksherlite"
    assert response["base_url"] == base_url
    assert response["claim_url"] == f"{response['base_url']}claim/"
    assert response["retrieve_url"] == f"{response['base_url']}retrieve/"


@pytest.mark.parametrize("headers", [{"X-Forwarded-Host": "a/b?c=@evil"}, {"Host": "evil/path"}])
def test_an_address_that_is_no_host_is_refused(endpoint: Endpoint, headers: dict[str, str]) -> None:
    """A malformed host name is refused, whoever sends it."""
    response = endpoint.http.get("/.well-known/fakts", headers=headers)
    assert response.status_code == 400
    assert "is malformed" in response.json()["detail"]
    assert "base_url" not in response.json()


def test_forwarded_addresses_of_strangers_do_not_count(tmp_path: Path) -> None:
    """Without trusted proxies, forwarded addresses are ignored, and the public URL is returned."""
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}
    with embedded(tmp_path / "a.db") as service:
        response = httpx.get(f"{service.url}/.well-known/fakts", headers=forged).json()
        assert response["base_url"] == f"{service.url}/f/"
    with embedded(tmp_path / "a.db", public_url="https://settings.example.com/a") as service:
        response = httpx.get(f"{service.url}/.well-known/fakts", headers=forged).json()
        assert response["base_url"] == "https://settings.example.com/a/f/"


@pytest.mark.parametrize("url", ["settings.example.com", "ftp://a", "https://a/", "https://u:p@a", "https://a?b", ""])
def test_a_malformed_public_url(url: str) -> None:
    """A malformed public URL is an error at the start."""
    with pytest.raises(ValueError, match=r"the public URL .* is invalid"):
        embedded(public_url=url)


def test_applications_without_tokens(tmp_path: Path) -> None:
    """A service without tokens approves applications too. Their tokens are checked once tokens are required."""
    path = tmp_path / "a.db"
    with embedded(path, context_features=FEATURES) as service:
        endpoint = Endpoint(path, service.url)
        with endpoint.http:
            token = endpoint.ask("redeem", {"manifest": MANIFEST, "token": invite(path, replace(READER))})["token"]
            bearer = {"Authorization": f"Bearer {endpoint.config(token)['heksher']['token']}"}
            assert endpoint.http.get("/api/v1/query", headers=bearer).status_code == 200
    with embedded(path, access=AccessOptions(auth="tokens")) as service:
        assert httpx.get(f"{service.url}/api/v1/query").status_code == 401
        assert httpx.get(f"{service.url}/api/v1/query", headers=bearer).status_code == 200
