"""Grant types of OAuth2 with real authorization servers, tokens on disk, and facts that change."""

import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.errors import DemandError, FactsShapeError, GrantError
from heksherlite.grants import Fakts, HardGrant, LoadRequest
from heksherlite.integrations.oauth2 import OAuth2Auth, OAuth2Login
from heksherlite.service import embedded
from tests.grants.endpoint import Received, Scripted, ScriptedEndpoint
from tests.grants.tracebacks import shown
from tests.integrations.authorization_server import AuthorizationServer, Person, authorization_server
from tests.sdk.conftest import Log
from tests.service.applications import approve, deny
from tests.service.tokens import WITH_TOKENS

pytestmark = pytest.mark.filterwarnings("ignore:(?s).*deprecated")  # of the authorization server

TOKEN = "/o/token/"  # noqa: S105


@pytest.fixture(scope="module")
def server() -> Iterator[AuthorizationServer]:
    """Return an authorization server that all tests share."""
    with authorization_server() as running:
        yield running


def code_auth(server: AuthorizationServer, person: Person, **options: Any) -> OAuth2Auth:
    return OAuth2Auth(
        None,
        "me",
        "hunter2",
        issuer=server.url,
        scopes=["openid"],
        grant_type="authorization-code",
        tell=person.tell,
        open_browser=False,
        **options,
    )


@pytest.mark.anyio
async def test_authorization_code(server: AuthorizationServer) -> None:
    """A person logs in in a browser, once; a new token is requested with the refresh token."""
    person = Person()
    auth = code_auth(server, person)
    token = await auth.aget_token()
    person.join()
    assert "You are logged in" in person.pages[0]
    async with httpx.AsyncClient(auth=auth) as http:
        assert (await http.get(f"{server.url}/userinfo")).json()["sub"] == "john"
    assert await auth.aget_token() == token
    assert await auth.aget_token(renew=True) != token
    assert [form["grant_type"] for form in server.forms[-2:]] == ["authorization_code", "refresh_token"]
    assert len(person.logins) == 1
    assert "state=" not in repr(person.logins)


def test_token_file(server: AuthorizationServer, tmp_path: Path, log: Log) -> None:
    """A later start uses the token in the file, which is private, and another client does not."""
    path = tmp_path / "token.json"
    person = Person()
    token = code_auth(server, person, token_file=path).get_token()
    person.join()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert code_auth(server, person, token_file=path).get_token() == token
    renewed = code_auth(server, person, token_file=path, leeway=10**6).get_token()
    assert renewed != token
    assert len(person.logins) == 1
    other = OAuth2Auth(f"{server.url}/oauth2/token", "other", "hunter2", token_file=path)
    with pytest.raises(DemandError):
        other.get_token()
    path.chmod(0o644)
    code_auth(server, person, token_file=path).get_token()
    person.join()
    assert "other users can read it" in log.of("stored token cannot be used")[0].getMessage()
    assert len(person.logins) == 2


def test_denied_login(server: AuthorizationServer) -> None:
    """A person who denies is an error with the words of the server."""
    person = Person(denies=True)
    with pytest.raises(DemandError, match="access_denied"):
        code_auth(server, person).get_token()
    person.join()
    assert "The login failed" in person.pages[0]


def test_nobody_logs_in(server: AuthorizationServer) -> None:
    """A login that does not happen in time is an error."""

    def ignore(_: OAuth2Login) -> None: ...

    auth = OAuth2Auth(
        None,
        "me",
        issuer=server.url,
        grant_type="authorization_code",
        tell=ignore,
        open_browser=False,
        timeout=0.01,
    )
    with pytest.raises(DemandError, match=r"nobody logged in within 0\.01 s"):
        auth.get_token()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Return the URL and the database of a service that all tests share."""
    path = tmp_path_factory.mktemp("oauth2") / "a.db"
    with embedded(path, access=WITH_TOKENS) as running:
        yield running.url, path


def decide(decision: Callable[[Path, str], object], path: Path, login: OAuth2Login) -> None:
    """Approve or deny in a thread, because the login may be told in an event loop."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(decision, path, login.code or "").result()


@pytest.mark.thorough  # the service asks to wait for two seconds
@pytest.mark.anyio
async def test_device_authorization(service: tuple[str, Path]) -> None:
    """A person approves a code at the included service, which is discovered by its metadata."""
    url, path = service
    logins: list[OAuth2Login] = []

    def tell(login: OAuth2Login) -> None:
        logins.append(login)
        decide(approve, path, login)

    auth = OAuth2Auth(
        None,
        "shop.checkout",
        issuer=url,
        grant_type="device_code",
        scopes=["read", "declare"],
        tell=tell,
        open_browser=False,
    )
    async with httpx.AsyncClient(auth=auth) as http:
        assert (await http.get(f"{url}/api/v1/query")).status_code == 200
    assert logins[0].code is not None
    assert logins[0].code in logins[0].page
    await auth.aget_token(renew=True)
    assert len(logins) == 1


def device_endpoint(endpoint: ScriptedEndpoint, *responses: Scripted) -> OAuth2Auth:
    endpoint.script["/o/device_authorization"] = Scripted(
        {
            "device_code": "secret-device",
            "user_code": "AB-CD",
            "verification_uri": f"{endpoint.url}/device",
            "expires_in": 60,
            "interval": 0,
        }
    )
    remaining = iter(responses)
    endpoint.script[TOKEN] = lambda _: next(remaining)
    return OAuth2Auth(
        endpoint.url + TOKEN,
        "me",
        grant_type="device-code",
        device_authorization_url=f"{endpoint.url}/o/device_authorization",
        tell=lambda _: None,
        open_browser=False,
    )


@pytest.mark.anyio
async def test_polls_for_a_device(endpoint: ScriptedEndpoint) -> None:
    """A public client polls while the person has not decided, and identifies itself in the form."""
    pending = Scripted({"error": "authorization_pending"}, 400)
    auth = device_endpoint(endpoint, pending, pending, Scripted({"access_token": "access"}))
    assert await auth.aget_token() == "access"
    (begun,) = [request for request in endpoint.received if request.path == "/o/device_authorization"]
    assert begun.form["client_id"] == "me"
    polls = [request.form for request in endpoint.received if request.path == TOKEN]
    grant_type = "urn:ietf:params:oauth:grant-type:device_code"
    assert polls == [{"grant_type": grant_type, "device_code": "secret-device", "client_id": "me"}] * 3


@pytest.mark.parametrize(
    ("code", "reason"),
    [("access_denied", "access was denied"), ("expired_token", "the code has expired"), ("invalid_scope", "secret")],
)
def test_ends_of_a_device_login(code: str, reason: str, endpoint: ScriptedEndpoint) -> None:
    """A denial and whatever else ends a login is an error without secrets."""
    refusal = Scripted({"error": code, "error_description": "is it secret-device?"}, 400)
    with pytest.raises(DemandError, match=reason if reason != "secret" else "invalid_scope") as caught:
        device_endpoint(endpoint, refusal).get_token()
    assert "secret-device" not in shown(caught.value)


@pytest.mark.thorough  # the service asks to wait for two seconds
def test_denied_by_the_service(service: tuple[str, Path]) -> None:
    """A person denies at the included service."""
    url, path = service
    auth = OAuth2Auth(
        None,
        "shop.checkout",
        issuer=url,
        grant_type="device_code",
        tell=lambda login: decide(deny, path, login),
        open_browser=False,
    )
    with pytest.raises(DemandError, match="access was denied"):
        auth.get_token()


class Rotated:
    """Facts whose secret changes."""

    def __init__(self, **group: Any) -> None:
        self.group = group
        self.loads = 0

    async def aload(self, _: LoadRequest) -> dict[str, Any]:
        self.loads += 1
        return {"oauth2": dict(self.group)}


@pytest.mark.parametrize("code", ["invalid_client", "invalid_grant", None])
def test_facts_are_refreshed_once(code: str | None, endpoint: ScriptedEndpoint) -> None:
    """If the server refuses the credentials, the facts are loaded again once, and the request is repeated."""

    def issue(request: Received) -> Scripted:
        if request.form["client_secret"] == "new":  # noqa: S105
            return Scripted({"access_token": "access"})
        return Scripted({"error": code, "error_description": "old?"}, 401) if code else Scripted(status=401)

    endpoint.script[TOKEN] = issue
    grant = Rotated(
        base_url=f"{endpoint.url}/o",
        client_id="me",
        client_secret="old",  # noqa: S106
        token_endpoint_auth_method="client_secret_post",  # noqa: S106
    )
    fakts = Fakts(grant)
    auth = OAuth2Auth.from_fakts(fakts)
    with pytest.raises(DemandError) as caught:
        auth.get_token()
    assert "old" not in str(caught.value)
    assert (grant.loads, len(endpoint.received)) == (2, 2)
    grant.group["client_secret"] = "new"  # noqa: S105
    assert auth.get_token() == "access"
    assert grant.loads == 3


def test_refresh_token_from_facts(endpoint: ScriptedEndpoint) -> None:
    """A refresh token that the server replaces is not used again; one that expired is replaced by new facts."""
    valid = {"first"}

    def issue(request: Received) -> Scripted:
        given = request.form["refresh_token"]
        if given not in valid:
            return Scripted({"error": "invalid_grant"}, 400)
        valid.discard(given)
        valid.add(f"{given}'")
        return Scripted({"access_token": f"access of {given}", "refresh_token": f"{given}'"})

    endpoint.script[TOKEN] = issue
    grant = Rotated(
        base_url=f"{endpoint.url}/o",
        client_id="me",
        refresh_token="first",  # noqa: S106
        grant_type="refresh_token",
    )
    auth = OAuth2Auth.from_fakts(Fakts(grant))
    assert auth.get_token() == "access of first"
    assert auth.get_token(renew=True) == "access of first'"
    valid.clear()
    valid.add("second")
    grant.group["refresh_token"] = "second"  # noqa: S105
    assert auth.get_token(renew=True) == "access of second"
    assert grant.loads == 2


def test_new_facts_are_used_for_the_next_token(endpoint: ScriptedEndpoint) -> None:
    """A changed group is in force for the next token, without a restart."""
    endpoint.script[TOKEN] = lambda request: Scripted({"access_token": request.form["client_id"]})
    grant = Rotated(
        base_url=f"{endpoint.url}/o",
        client_id="one",
        client_secret="x",  # noqa: S106
        token_endpoint_auth_method="client_secret_post",  # noqa: S106
    )
    fakts = Fakts(grant)
    auth = OAuth2Auth.from_fakts(fakts)
    assert auth.get_token() == "one"
    grant.group["client_id"] = "two"
    fakts.refresh()
    assert auth.get_token(renew=True) == "two"


def test_audience_and_parameters(endpoint: ScriptedEndpoint) -> None:
    """The audience, the scopes and further parameters are sent."""
    endpoint.script[TOKEN] = Scripted({"access_token": "access"})
    group = {
        "token_url": endpoint.url + TOKEN,
        "client_id": "me",
        "client_secret": "hunter2",
        "audience": "https://api.example.com",
        "scopes": ["a", "b"],
        "parameters": {"tenant": "5"},
    }
    OAuth2Auth.from_fakts(Fakts(HardGrant({"oauth2": group}))).get_token()
    assert endpoint.received[0].form == {
        "grant_type": "client_credentials",
        "tenant": "5",
        "scope": "a b",
        "audience": "https://api.example.com",
    }


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (Scripted({"issuer": "https://other.example.com"}), "another issuer, 'https://other.example.com'"),
        (Scripted(status=404), "the issuer has no metadata"),
        (Scripted(b"<html>"), "the issuer has no metadata"),
        (Scripted({"issuer": None}), "another issuer"),
    ],
)
def test_malformed_metadata(metadata: Scripted, reason: str, endpoint: ScriptedEndpoint) -> None:
    """Metadata that is missing, malformed or that of another issuer is an error."""
    endpoint.script["/.well-known/oauth-authorization-server/tenant"] = metadata
    auth = OAuth2Auth(None, "me", "hunter2", issuer=f"{endpoint.url}/tenant")
    with pytest.raises(DemandError, match=reason):
        auth.get_token()
    assert TOKEN not in {request.path for request in endpoint.received}


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"grant_type": "password"}, {"grant_type"}),
        ({"grant_type": 5}, {"grant_type"}),
        ({"redirect_uri": "https://example.com/callback"}, {"redirect_uri"}),
        ({"parameters": {"a": 1}, "audience": 5}, {"parameters", "audience"}),
        ({"grant_type": "refresh-token"}, {"refresh_token"}),
        ({"token_url": None, "grant_type": "authorization_code"}, {"token_url", "authorization_url"}),
        ({"token_endpoint_auth_method": "magic"}, {"token_endpoint_auth_method"}),
    ],
)
def test_malformed_groups(change: dict[str, Any], problems: set[str]) -> None:
    """An unknown grant type and whatever else is wrong is an error that lists the keys."""
    group = {"token_url": "https://example.com/token", "client_id": "me", "client_secret": "hunter2", **change}
    with pytest.raises(FactsShapeError) as caught:
        OAuth2Auth.from_fakts(Fakts(HardGrant({"oauth2": group})))
    assert set(caught.value.problems) == problems
    if "grant_type" in problems:
        assert "client_credentials, authorization_code, refresh_token, device_code" in str(caught.value)
    with pytest.raises(ValueError, match="unknown grant type"):
        OAuth2Auth("https://example.com/token", "me", "hunter2", grant_type="implicit")


def test_facts_that_cannot_be_refreshed(endpoint: ScriptedEndpoint) -> None:
    """If the facts cannot be loaded again, that is the error."""
    endpoint.script[TOKEN] = Scripted({"error": "invalid_client"}, 401)
    loads = iter([True, False])

    async def grant(_: LoadRequest) -> dict[str, Any]:
        if not next(loads):
            raise GrantError("the endpoint is away")
        return {"oauth2": {"base_url": f"{endpoint.url}/o", "client_id": "me", "client_secret": "x"}}

    auth = OAuth2Auth.from_fakts(Fakts(grant))
    with pytest.raises(GrantError, match="away"):
        auth.get_token()
