"""Every route requires its scope."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from heksherlite.service import app as application
from heksherlite.service import embedded
from heksherlite.service.api.routes import ServiceRoute, require_scopes, requires
from heksherlite.service.domain.tokens import Scope
from tests.service.api import FEATURES
from tests.service.routes import Call, all_calls
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

CALLS = all_calls()
GUARDED = [call for call in CALLS if not call.required.is_public and not call.required.person]


class Guarded:
    """A service that requires tokens, with tokens of different scopes."""

    def __init__(self, url: str, tokens: dict[str, str], http: httpx.Client) -> None:
        self.url = url
        self.tokens = tokens
        self.http = http

    def status(self, call: Call, token: str | None = None, *, content: bytes | None = None) -> httpx.Response:
        path = call.path.format(
            name="environment",
            rule_id=1,
            revision=1,
            proposal_id=1,
            key="k",
            code="BCDFGHJK",
            kind="token",
            declarer_id="a",
        )
        headers = {} if token is None else {"Authorization": f"Bearer {self.tokens[token]}"}
        # Without waiting for the end, which a stream does not have.
        with self.http.stream(call.method, self.url + path, headers=headers, content=content) as response:
            if response.status_code >= 400:
                response.read()
            return response


def refused_scopes(call: Call) -> list[Scope]:
    """Return the scopes that do not authorize a call."""
    return [scope for scope in EVERY_SCOPE if scope != call.required.scope and scope not in call.required.alternatives]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    path = tmp_path_factory.mktemp("scopes") / "a.db"
    tokens = {}
    for scope in EVERY_SCOPE:
        tokens[f"only {scope}"] = make_token(path, f"only.{scope}", scope)
    for call in GUARDED:
        refused = refused_scopes(call)
        name = f"only {', '.join(refused)}"
        if name not in tokens:
            tokens[name] = make_token(path, f"only.{'.'.join(refused)}", *refused)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        assert service.first_token is None
        with httpx.Client() as http:
            yield Guarded(service.url, tokens, http)


def label(call: Call) -> str:
    return f"{call.method} {call.path}"


def test_the_walk_finds_the_routes() -> None:
    """All routes are found, nested ones included. Only health, login and the routes of grants are open."""
    labels = set(map(label, CALLS))
    assert {"GET /docs", "GET /openapi.json", "GET /api/v1/query", "GET /api/v1/stream"} <= labels
    assert {"DELETE /api/v1/rules/{rule_id}/metadata/{key}", "PUT /api/v1/settings/{name}/metadata"} <= labels
    calls = ("claim", "retrieve", "redeem", "start", "challenge")
    grants = {f"POST /f/{call}{slash}" for call in calls for slash in ("", "/")}
    login = {
        "GET /f/login",
        "POST /f/login",
        "GET /f/stream/",
        "GET /f/style.css",
        "GET /ofrep/v1/stream",
        "GET /f/oidc/login",
        "GET /f/oidc/callback",
        "GET /docs/{name}",
    }
    open_calls = {label(call) for call in CALLS if call.required.is_public}
    others = {"GET /api/health", "GET /api/ready", "GET /.well-known/fakts", "POST /o/token", "POST /o/token/"} | {
        "GET /.well-known/oauth-authorization-server",
        "POST /o/device_authorization",
        "POST /o/revoke",
        "POST /o/introspect",
    }
    console = {
        "GET /",
        "GET /console",
        "GET /console/static/{version}/{name}",
        "GET /console/color.css",
        "GET /console/icon.svg",
    }
    assert open_calls == others | grants | login | console


@pytest.mark.parametrize("call", GUARDED, ids=label)
@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_without_token_it_is_401(guarded: Guarded, call: Call, content: bytes | None) -> None:
    """A request without a token is refused before anything else is checked, and the response names the scope."""
    response = guarded.status(call, content=content)
    assert response.status_code == 401
    assert response.json()["needed_scope"] == call.required.scope
    assert str(call.required.scope) in response.json()["detail"]
    assert response.headers["www-authenticate"] == f'Bearer realm="heksherlite", scope="{call.required.scope}"'


@pytest.mark.parametrize("call", GUARDED, ids=label)
@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_with_all_other_scopes_it_is_403(guarded: Guarded, call: Call, content: bytes | None) -> None:
    """No other scope authorizes a request, and the response names the missing one."""
    response = guarded.status(call, f"only {', '.join(refused_scopes(call))}", content=content)
    assert response.status_code == 403
    assert response.json()["needed_scope"] == call.required.scope
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


@pytest.mark.parametrize("call", GUARDED, ids=label)
def test_with_the_scope_it_is_authorized(guarded: Guarded, call: Call) -> None:
    """The required scope, or one of its alternatives, authorizes a request."""
    for scope in {call.required.scope, *call.required.alternatives}:
        assert guarded.status(call, f"only {scope}").status_code not in {401, 403, 429}


def test_health_is_open(guarded: Guarded) -> None:
    """Health needs no token, and ignores an invalid one."""
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        assert httpx.get(guarded.url + "/api/health", headers=headers).status_code == 200


def test_unknown_routes(guarded: Guarded) -> None:
    """Other paths and methods are 404 and 405, with and without a token."""
    assert httpx.get(guarded.url + "/api/v1/nothing").status_code == 404
    assert httpx.delete(guarded.url + "/api/v1/query").status_code == 405


def test_a_route_without_scope_cannot_be_made() -> None:
    """A function without a required scope is refused where its route is declared."""
    router = APIRouter(route_class=ServiceRoute)

    async def forgetful() -> None: ...

    with pytest.raises(TypeError, match=r"forgetful serves /forgotten .* @requires or @public"):
        router.get("/forgotten")(forgetful)


@pytest.mark.parametrize("where", ["app", "router", "nested router", "mount", "plain"])
def test_a_route_of_another_kind_keeps_the_service_from_starting(where: str) -> None:
    """A route that cannot declare a scope is an error at the start, wherever it is."""

    async def forgetful() -> None: ...

    app, outer, inner = FastAPI(openapi_url=None), APIRouter(), APIRouter()
    good = APIRouter(route_class=ServiceRoute)
    good.get("/good")(requires(Scope.READ)(forgetful))
    app.include_router(good)
    require_scopes(app.routes)
    if where == "mount":
        app.routes.append(Mount("/forgotten", PlainTextResponse("x")))
    elif where == "plain":
        app.routes.append(Route("/forgotten", lambda _: PlainTextResponse("x")))
    else:
        {"app": app.router, "router": outer, "nested router": inner}[where].get("/forgotten")(forgetful)
        outer.include_router(inner)
        app.include_router(outer)
    with pytest.raises(TypeError, match="has no required scope"):
        require_scopes(app.routes)


def test_a_start_with_a_forgotten_route_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The service makes that check before it serves anything."""
    from heksherlite.service.api import health  # noqa: PLC0415

    forgotten = APIRouter()
    forgotten.get("/forgotten")(lambda: None)
    monkeypatch.setattr(health, "router", forgotten)
    monkeypatch.setattr(application, "_routes", application._routes.__wrapped__)  # built anew
    with pytest.raises(TypeError, match="has no required scope"), embedded(tmp_path / "a.db"):
        pass
