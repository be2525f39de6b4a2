"""What a person may do who is logged in, who is logged in, and how sessions end."""

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from fastapi import APIRouter, Request

from heksherlite.cli.commands import heksherlite
from heksherlite.service import AccessOptions, embedded
from heksherlite.service import app as application
from heksherlite.service.api import health
from heksherlite.service.api.context import CallerRights
from heksherlite.service.api.routes import requires_person
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.pages.page_route import PageRoute
from tests.service.browser import Browser, Page
from tests.service.stores import run_sql
from tests.service.tokens import WITH_TOKENS, make_token

PERSON = "X-Forwarded-Email"
SESSIONS = "/f/sessions"
ROLES = AccessOptions(
    auth="tokens",
    trust_user_header=PERSON,
    trusted_proxies=(ip_network("127.0.0.1"),),
    operators=frozenset({"olga@example.com"}),
    editors=frozenset({"ed@example.com", "eve@example.com"}),
    viewers=frozenset({"*"}),
    setting_prefixes={"eve@example.com": "backend."},
)


@pytest.fixture(scope="module")
def probed() -> Iterator[None]:
    """Serve a page that shows what the person may do, as a page of the console would."""
    router = APIRouter(prefix="/console", include_in_schema=False, route_class=PageRoute)

    @router.get("/probe/{setting}")
    @requires_person(Scope.WRITE, Scope.PROPOSE)
    async def probe(setting: str, request: Request, rights: CallerRights) -> dict[str, object]:
        identity = request.state.identity
        return {
            "setting": setting,
            "name": identity.name,
            "scopes": sorted(rights.scopes or ()),
            "setting_prefix": rights.setting_prefix,
        }

    with pytest.MonkeyPatch.context() as patch:
        health_router = APIRouter()
        health_router.include_router(health.router)
        health_router.include_router(router)
        patch.setattr(health, "router", health_router)
        patch.setattr(application, "_routes", application._routes.__wrapped__)  # built anew
        yield


@pytest.fixture(scope="module")
def service(
    probed: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Path]]:
    path = tmp_path_factory.mktemp("sessions") / "a.db"
    make_token(path, "anybody", Scope.READ)
    with embedded(path, access=ROLES) as running:
        yield running.url, path


def is_login(page: Page) -> bool:
    return page.headings == ["Log in"]


@pytest.mark.parametrize(
    ("person", "scopes", "prefix"),
    [
        ("olga@example.com", sorted(Scope), ""),
        ("ed@example.com", ["propose", "read", "write"], ""),
        ("eve@example.com", ["propose", "read", "write"], "backend."),
    ],
)
def test_a_proxy_names_people_whose_access_is_listed(
    service: tuple[str, Path], person: str, scopes: list[str], prefix: str
) -> None:
    """An operator may do everything, an editor reads and writes, within a prefix where one is given."""
    response = httpx.get(f"{service[0]}/console/probe/x", headers={PERSON: person})
    assert response.json() == {"setting": "x", "name": person, "scopes": scopes, "setting_prefix": prefix}


def test_a_viewer_may_not_do_more(service: tuple[str, Path]) -> None:
    """A page that needs more says what is missing; the same person gets it by logging in with a token."""
    url, path = service
    token = make_token(path, "proposer", Scope.PROPOSE, setting_prefix="till.")
    with Browser(url, {PERSON: "vic@example.com"}) as browser:
        page = browser.open("/console/probe/x")
        assert (page.status, page.headings) == (403, ["Request failed"])
        assert "for people who may propose changes or change values; vic@example.com may read settings" in page.text
        browser.log_in(token, "/f/login")
        response = browser.http.get("/console/probe/x")
        assert response.json() == {
            "setting": "x",
            "name": "vic@example.com",
            "scopes": ["propose"],
            "setting_prefix": "till.",
        }
        browser.send(browser.open(SESSIONS).form("/f/logout"))
        assert browser.open("/console/probe/x").status == 403


def test_a_session_has_the_scopes_and_the_prefix_of_its_token(service: tuple[str, Path]) -> None:
    """The login leads back to the page that was asked for, which does what the token allows, and nothing else."""
    url, path = service
    token = make_token(path, "writer", Scope.READ, Scope.WRITE, setting_prefix="shop.")
    with Browser(url) as browser:
        asked = browser.open("/console/probe/a%20b?x=1")
        assert is_login(asked)
        assert asked.form("/f/login").value("next") == "../console/probe/a%20b?x=1"
        page = browser.send(asked.form("/f/login"), token=token)
        assert page.url == f"{url}/console/probe/a%20b?x=1"
        assert page.response.json() == {
            "setting": "a b",
            "name": "writer",
            "scopes": ["read", "write"],
            "setting_prefix": "shop.",
        }
        shown = browser.open(SESSIONS)
        assert "writer" in shown.text
        assert "shop." in shown.text


def test_people_see_and_end_their_own_sessions_only(new_database: Callable[[], str]) -> None:
    """An operator sees everybody and logs anybody out, on every replica; others reach only their own sessions."""
    database = new_database()
    with embedded(database, access=WITH_TOKENS) as one, embedded(database, access=WITH_TOKENS) as other:
        assert one.first_token is not None
        api = httpx.Client(base_url=one.url, headers={"Authorization": f"Bearer {one.first_token}"})
        tokens = [
            api.post("/api/v1/tokens", json={"name": name, "scopes": ["read"]}).json()["token"] for name in ("a", "b")
        ]
        with Browser(one.url) as operator, Browser(one.url) as a, Browser(other.url) as b:
            operator.log_in(one.first_token)
            a.log_in(tokens[0])
            b.log_in(tokens[1])
            listed = operator.open(SESSIONS)
            ids = {form.value("session") for form in listed.forms if form.action.endswith(SESSIONS)}
            assert len(ids) == 3
            own = a.open(SESSIONS)
            (form,) = [form for form in own.forms if form.action.endswith(SESSIONS)]
            for session in ids - {form.value("session")}:
                a.send(form, session=session)
            assert not is_login(operator.open(SESSIONS))
            own = b.open(SESSIONS)
            assert not is_login(own)
            (of_b,) = [form.value("session") for form in own.forms if form.action.endswith(SESSIONS)]
            (form,) = [form for form in listed.forms if form.chosen("session") == [of_b]]
            operator.send(form)
            assert is_login(b.open(SESSIONS))
            ended = [each for each in api.get("/api/v1/audit").json()["audit"] if each["action"] == "logout"]
            assert [(each["actor"]["name"], each["subject"]) for each in ended] == [("admin", tokens[1][:12])]
            assert not is_login(a.open(SESSIONS))
        api.close()


def test_an_idle_session_ends(new_database: Callable[[], str]) -> None:
    """Use keeps a session alive; without use it ends after the time-out, and is no longer listed."""
    database = new_database()
    access = AccessOptions(auth="tokens", session_idle_timeout=1000)
    with embedded(database, access=access) as service, Browser(service.url) as browser:
        assert service.first_token is not None
        browser.log_in(service.first_token)
        run_sql(database, f"UPDATE sessions SET last_used_at = {int(time.time()) - 900}")  # noqa: S608 - a number
        assert not is_login(browser.open(SESSIONS))
        ((last_used_at,),) = run_sql(database, "SELECT last_used_at FROM sessions")
        assert last_used_at >= time.time() - 100
        run_sql(database, f"UPDATE sessions SET last_used_at = {int(time.time()) - 1000}")  # noqa: S608 - a number
        assert is_login(browser.open(SESSIONS))
        with Browser(service.url) as again:
            again.log_in(service.first_token)
            assert len([form for form in again.open(SESSIONS).forms if form.action.endswith(SESSIONS)]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"editors": frozenset({"x"})}, "editors require trust_user_header"),
        ({"viewers": frozenset({"x"})}, "viewers require trust_user_header"),
        ({"setting_prefixes": {"x": "a."}}, "'x' has a setting prefix, and is neither an editor nor a viewer"),
        ({"session_idle_timeout": 0}, "must be at least 1 s"),
    ],
)
def test_contradicting_options_are_refused(options: dict[str, object], message: str) -> None:
    """Lists that could have no effect are an error at the start, in words."""
    with pytest.raises(ValueError, match=message):
        AccessOptions(auth="tokens", **options)  # type: ignore[arg-type]


def test_an_operator_with_a_prefix_is_refused() -> None:
    """Operators may access everything, so the command line refuses to pretend otherwise."""
    arguments = ["serve", "--trust-user-header", PERSON, "--trusted-proxies", "127.0.0.1"]
    arguments += ["--operator", "jane", "--person-prefix", "jane", "a."]
    result = CliRunner().invoke(heksherlite, arguments)
    assert result.exit_code == 2
    assert "the operator 'jane' has a setting prefix; operators may access all settings" in result.output
