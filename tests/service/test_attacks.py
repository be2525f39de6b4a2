"""Attacks that were tried on the service, on each database, directly and through nginx as a trusted proxy."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.options import AccessOptions
from tests.service.api import FEATURES, Api
from tests.service.applications import SHOP
from tests.service.browser import Browser
from tests.service.nginx import NGINX, nginx
from tests.service.tokens import REFUSED, WITH_TOKENS

BEHIND_A_PROXY = replace(
    WITH_TOKENS,
    trusted_proxies=(ip_network("127.0.0.1"),),
    trust_user_header="X-Forwarded-Email",
    operators=frozenset({"jane"}),
)
WAYS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.thorough),
    pytest.param("sqlite, nginx", marks=pytest.mark.thorough),
    pytest.param("postgresql, nginx", marks=pytest.mark.thorough),
]


class Place:
    """A service as an attacker reaches it.

    Attributes:
        url: Where it is.
        admin: A client with every right.
        is_proxied: Whether a proxy is in between.
    """

    def __init__(self, url: str, token: str | None, *, is_proxied: bool) -> None:
        self.url = url
        self.token = token or ""
        self.admin = Api(url, token=token)
        self.is_proxied = is_proxied

    @contextmanager
    def client(self, *scopes: str, prefix: str = "") -> Iterator[Api]:
        """Return a client with a new token."""
        body = {"name": f"t{time.monotonic_ns()}", "scopes": list(scopes), "setting_prefix": prefix}
        client = Api(self.url, token=self.admin.call("POST", "tokens", body).json()["token"])
        with client.http:
            yield client

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Return the response of a route for grants."""
        answer: dict[str, Any] = self.admin.http.post(path, json=body).json()
        return answer


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if "nginx" in kind and NGINX is None:
        pytest.skip("needs nginx: apt-get install nginx")
    return kind


def served(way: str, request: pytest.FixtureRequest, access: AccessOptions) -> Iterator[Place]:
    """Run a service, and nginx in front of it if the way leads through it."""
    folder = request.getfixturevalue("tmp_path_factory").mktemp("attacks")
    database = f"sqlite:///{folder}/a.db"
    if way.startswith("postgresql"):
        database = request.getfixturevalue("postgresql_server").new_database()
    with ExitStack() as stack:
        service = stack.enter_context(embedded(database, access=access, context_features=FEATURES))
        url = stack.enter_context(nginx(folder, service.url)) if "nginx" in way else service.url
        place = Place(url, service.first_token, is_proxied="nginx" in way)
        stack.enter_context(place.admin.http)
        yield place


@pytest.fixture(scope="module")
def place(way: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return a service that requires tokens."""
    yield from served(way, request, BEHIND_A_PROXY if "nginx" in way else WITH_TOKENS)


@pytest.fixture(scope="module")
def open_place(way: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return a service that requires no tokens."""
    proxies = BEHIND_A_PROXY.trusted_proxies if "nginx" in way else ()
    yield from served(way, request, AccessOptions(trusted_proxies=proxies))


def test_a_web_page_reads_and_changes_nothing(open_place: Place) -> None:
    """Neither by a name that it points to this machine, nor by a write that browsers send without asking."""
    http = open_place.admin.http
    rebound = {"host": "attacker.example"}
    assert http.get("/api/v1/settings", headers=rebound).status_code == 403
    assert http.delete("/api/v1/context_features/theme", headers=rebound).status_code == 403
    for headers in ({"origin": "https://attacker.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        written = http.post("/api/v1/context_features", content=b'{"context_feature": "x"}', headers=headers)
        assert written.status_code == 403
    assert open_place.admin.features() == FEATURES


def test_who_sees_a_code_does_not_collect_its_token(place: Place) -> None:
    """The displayed code is not enough, its page changes nothing, and nothing but read is granted without a choice."""
    manifest = {**SHOP.parts(), "scopes": ["read", "write", "admin"]}
    started = place.post("/f/start/", manifest=manifest)
    code, secret = started["code"], started["device_code"]
    with Browser(place.url) as browser:
        browser.log_in(place.token)
        form = browser.open(f"/f/configure/?device_code={code}").form("/f/configure/")
        assert place.post("/f/challenge/", code=code, device_code=secret) == {"status": "waiting"}
        assert form.chosen("scope") == ["read"]
        browser.send(form, decision="approve")
    assert place.post("/f/challenge/", code=code, device_code="guess") == {"status": "waiting"}
    granted = place.post("/f/challenge/", code=code, device_code=secret)
    assert place.post("/f/claim/", token=granted["token"])["config"]["oauth2"]["scopes"] == ["read"]
    assert place.post("/f/challenge/", code=code, device_code=secret)["status"] != "granted"


def test_a_program_does_not_change_the_settings_of_another(place: Place) -> None:
    """A token with the scope declare cannot rename, retype or re-default what others declared."""
    place.admin.declare("bank.limit")
    with place.client("declare", "read") as stranger:
        for fields in (
            {"name": "bank.limit", "default_value": 9, "version": "1.1"},
            {"name": "bank.limit", "type": "str", "default_value": "", "version": "2.0"},
            {"name": "mine", "alias": "bank.limit", "version": "1.1"},
        ):
            assert stranger.declare(**fields).json()["outcome"] in {"outdated", "rejected", "mismatch"}
    assert (place.admin.setting("bank.limit")["default_value"], place.admin.get("settings/mine").status_code) == (
        60,
        404,
    )


def test_a_prefix_keeps_everything_else_from_sight(place: Place) -> None:
    """What does not exist and what is another's get the same answer, by names and by the ids of rules."""
    place.admin.declare("bank.secret")
    foreign = place.admin.add_rule(1, setting="bank.secret", environment="dev")
    with place.client("read", "write", "propose", prefix="shop.") as limited:
        http = limited.http
        for foreign_path, missing_path in (
            (f"/api/v1/rules/{foreign}", "/api/v1/rules/999999"),
            ("/api/v1/settings/bank.secret", "/api/v1/settings/bank.nothing"),
        ):
            texts = [http.get(path).text.replace(str(foreign), "999999") for path in (foreign_path, missing_path)]
            assert texts[0] == texts[1]
        assert "bank" not in http.get("/api/v1/query").text + http.get("/api/v1/export").text
        assert http.get("/api/v1/history").status_code == 403
        operation = {"op": "delete_rule", "rule_id": foreign}
        body = {"operations": [operation], "dry_run": True}
        assert "bank" not in http.post("/api/v1/changes", json=body).text


def test_names_of_people_are_for_those_who_may_see_them(place: Place) -> None:
    """The history shows readers neither authors nor addresses, and an application is told from a token of its name."""
    place.admin.declare("shop.seen")
    with place.client("read") as reader:
        shown = reader.history()
    assert {(each["author"]["name"], each["author"].get("address")) for each in shown} == {(None, None)}
    created = place.admin.call("POST", "applications/register", {"identifier": "admin"}).json()["id"]
    token = place.post("/f/retrieve/", manifest={"identifier": "admin", "version": "1"})["token"]
    place.post("/f/claim/", token=token)
    claims = place.admin.get("audit", action="configuration.claim", actor_id=created).json()["audit"]
    assert claims[0]["actor"]["kind"] == "application"
    missing = place.admin.call("POST", "applications/revoke", {"ids": ["admin"]})
    assert (missing.status_code, "no application with the ID 'admin'" in missing.text) == (404, True)


def test_headers_of_a_client_name_nobody(place: Place) -> None:
    """Neither an address nor a person that a client writes itself is believed, and nobody becomes an operator by it."""
    forged = {"x-forwarded-for": "10.6.6.6", "X-Forwarded-Email": "jane", "X_Forwarded_Email": "jane"}
    page = place.admin.http.get("/console/access", headers={**forged, "authorization": ""})
    assert (page.status_code, "login" in page.headers.get("location", "")) == (303, True)
    place.admin.call("POST", "context_features", {"context_feature": "forged"}, headers=forged)
    record = place.admin.history(limit=1)[0]
    assert (record["author"]["kind"], record["author"]["address"]) == ("token", "127.0.0.1")
    place.admin.call("DELETE", "context_features/forged")


def test_small_requests_get_small_answers(place: Place) -> None:
    """A long type is shortened in messages, and parameters that mean nothing make no new answers."""
    place.admin.declare("shop.long", type="str", default_value="")
    place.admin.add_rules(((f"v{number}", {"user": f"u{number}"}) for number in range(110)), setting="shop.long")
    body = {"type": f"Enum[{','.join(map(str, range(20_000)))}]", "version": "2.0"}
    refused = place.admin.call("PUT", "settings/shop.long/type", body)
    assert (refused.status_code, len(refused.content) < 100_000) == (409, True)
    queries = ("query?settings=shop.long&junk=1", "query?junk=2&settings=shop.long")
    assert len({place.admin.get(query).headers["etag"] for query in queries}) == 1


def test_credentials_end(place: Place) -> None:
    """The first token ends within a day, and replaced or revoked credentials with everything that came from them."""
    (first,) = [each for each in place.admin.get("tokens").json()["tokens"] if each["name"] == "admin"]
    assert first["expires_at"] - first["created_at"] <= 86_400
    approval = {"scopes": ["read"]}
    body = {"identifier": SHOP.identifier, "approval": approval, "expires_at": int(time.time()) + 60}
    invited = place.admin.call("POST", "applications/invite", body).json()
    redeemed = {"manifest": SHOP.parts(), "token": invited["one_time_token"]}
    token = place.post("/f/redeem/", **redeemed)["token"]
    assert place.post("/f/redeem/", **redeemed)["status"] == "error"
    oauth2 = place.post("/f/claim/", token=token)["config"]["oauth2"]
    auth, grant = (oauth2["client_id"], oauth2["client_secret"]), {"grant_type": "client_credentials"}
    access = place.admin.http.post("/o/token", data=grant, auth=auth).json()["access_token"]
    rotated = place.admin.call("POST", "applications/rotate", {"id": invited["id"], "previous_until": 0}).json()
    headers = {"authorization": f"Bearer {access}"}
    assert place.admin.http.get("/api/v1/query", headers=headers).status_code in REFUSED
    assert place.post("/f/claim/", token=token)["status"] == "error"
    assert place.post("/f/claim/", token=rotated["claim_token"])["status"] == "granted"
    assert place.admin.call("POST", "applications/revoke", {"ids": [invited["id"]]}).status_code == 200
    assert place.post("/f/claim/", token=rotated["claim_token"])["status"] == "error"


def test_the_host_of_a_request_redirects_nowhere(place: Place) -> None:
    """A slash too many is 404, a malformed host is refused, and pages lead to relative addresses."""
    http = place.admin.http
    assert http.get("/api/v1/settings/", headers={"host": "attacker.example"}).status_code == 404
    assert http.get("/.well-known/fakts", headers={"host": "a!b.example"}).status_code == 400
    for path in ("/", "/console", "/console/", "/f/login?next=https://attacker.example", "/f/device"):
        location = httpx.get(f"{place.url}{path}", headers={"host": "attacker.example"}).headers.get("location", "")
        assert "://" not in location
        assert not location.startswith("//")
