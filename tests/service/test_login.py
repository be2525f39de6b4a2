"""Operators log in with a token, and stay logged in on every replica for a limited time."""

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from heksherlite.service import AccessOptions, embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.browser import Browser, Page
from tests.service.in_process import Application, with_application
from tests.service.routes import all_calls
from tests.service.stores import following, run_sql
from tests.service.tokens import WITH_TOKENS, make_token, revoke_token
from tests.waiting import until_async

COOKIE = "heksherlite_session"
PERSON = "X-Forwarded-Email"
BEHIND_PROXY = AccessOptions(
    auth="tokens",
    trust_user_header=PERSON,
    trusted_proxies=(ip_network("127.0.0.1"),),
    operators=frozenset({"jane@example.com"}),
)
LOGIN = "/f/login"
WRONG = "wrong"


class Guarded:
    """A service that requires tokens, with the token of an operator."""

    def __init__(self, url: str, path: Path, token: str) -> None:
        self.url = url
        self.path = path
        self.token = token


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    path = tmp_path_factory.mktemp("login") / "a.db"
    token = make_token(path, "operator", Scope.ADMIN)
    access = AccessOptions(auth="tokens", trusted_proxies=(ip_network("127.0.0.1"),))
    with embedded(path, access=access) as service:
        yield Guarded(service.url, path, token)


@pytest.fixture
def browser(guarded: Guarded) -> Iterator[Browser]:
    with Browser(guarded.url) as browser:
        yield browser


def is_login(page: Page) -> bool:
    return page.headings == ["Log in"]


def test_an_operator_logs_in_and_out(guarded: Guarded, browser: Browser) -> None:
    """A valid token opens the requested page. After logging out, the cookie is invalid."""
    asked = browser.open("/f/device")
    assert is_login(asked)
    page = browser.send(asked.form(LOGIN), token=f" {guarded.token}\n")
    assert (page.status, httpx.URL(page.url).path) == (200, "/f/device")
    assert "operator" in page.text
    assert httpx.URL(browser.open(LOGIN).url).path == "/f/sessions"
    cookie = browser.http.cookies[COOKIE]
    assert is_login(browser.send(page.form("/f/logout")))
    browser.http.cookies.set(COOKIE, cookie)
    assert is_login(browser.open("/f/device"))


def test_the_cookie_of_a_session_is_a_new_one(guarded: Guarded, browser: Browser) -> None:
    """The login replaces the cookie, so that an earlier cookie is not that of the session."""
    browser.open(LOGIN)
    before = browser.http.cookies[COOKIE]
    browser.log_in(guarded.token)
    assert browser.http.cookies[COOKIE] != before
    with Browser(guarded.url) as other:
        other.http.cookies.set(COOKIE, before)
        assert is_login(other.open("/f/device"))


@pytest.mark.parametrize(
    ("secret", "message", "status"),
    [
        ("nonsense", "Malformed token; expected hkl_", 401),
        ("", "Malformed token; expected hkl_", 401),
        ("hkl_00000000_" + "a" * 43, "The token is unknown", 401),
        ("é\u202e😀", "Malformed token; expected hkl_", 401),
        ("x" * 10_000, "Malformed token; expected hkl_", 401),
    ],
)
def test_invalid_tokens_do_not_log_in(guarded: Guarded, secret: str, message: str, status: int) -> None:
    """The page reports the error without the token, and keeps the requested page."""
    with Browser(guarded.url, {"X-Forwarded-For": f"10.0.0.{len(secret) % 250}"}) as browser:
        page = browser.send(browser.open("/f/device").form(LOGIN), token=secret)
        assert (page.status, is_login(page)) == (status, True)
        assert message in page.text
        assert not secret or secret not in page.response.text
        assert page.form(LOGIN).value("next") == "device"
        assert is_login(browser.open("/f/device"))


def test_pages_for_operators_need_an_admin_token_without_prefix(guarded: Guarded) -> None:
    """Every token logs in, but decisions about applications concern everything: the page says who lacks what."""
    writer = make_token(guarded.path, "writer", Scope.READ, Scope.WRITE, Scope.DECLARE)
    limited = make_token(guarded.path, "limited", Scope.ADMIN, setting_prefix="backend.")
    with embedded(guarded.path, access=WITH_TOKENS) as service:
        for token, problem in (
            (writer, "for people who may administer the service; writer may read settings, declare"),
            (limited, "concerns all settings; limited is limited to settings whose names begin with 'backend.'"),
        ):
            with Browser(service.url) as browser:
                page = browser.log_in(token)
                assert (page.status, page.headings) == (403, ["Request failed"])
                assert problem in page.text


def test_a_token_that_was_made_just_now_logs_in(guarded: Guarded, browser: Browser) -> None:
    """A new token can log in at once on every replica."""
    token = make_token(guarded.path, "new", Scope.ADMIN)
    assert not is_login(browser.log_in(token))


def test_a_token_of_an_application_does_not_log_in(guarded: Guarded, browser: Browser) -> None:
    """An application with the scope admin cannot log in."""
    browser.log_in(guarded.token)
    manifest = {"identifier": "org.example.app", "version": "1", "scopes": ["admin"]}
    code = browser.http.post("/f/start/", json={"manifest": manifest}).json()["code"]
    asked = browser.open(f"/f/configure/?device_code={code}")
    browser.send(asked.form("/f/configure/"), decision="approve", scope="admin")
    claim = browser.http.post("/f/challenge/", json={"code": code}).json()
    config = browser.http.post("/f/claim/", json={"token": claim["token"]}).json()["config"]
    with Browser(guarded.url) as application:
        page = application.log_in(config["heksher"]["token"])
        assert (page.status, is_login(page)) == (403, True)
        assert "belongs to an application" in page.text


def test_without_database_pages_say_so(tmp_path: Path) -> None:
    """While the database is unavailable, nobody can log in, and the page says when to try again."""
    path, away = tmp_path / "in_process.db", tmp_path / "away.db"
    token = make_token(path, "jane", Scope.ADMIN)

    async def look(made: Application) -> None:
        login = Page(await made.http.get(LOGIN)).form(LOGIN)
        entered = dict(login.filled_in({"token": token}))
        async with following(made.store):
            path.rename(away)
            await until_async(lambda: not made.store.available)
            page = Page(await made.http.post(LOGIN, data=entered))
            assert (page.status, page.headings) == (503, ["Request failed"])
            assert "The database is not available" in page.text
            assert page.response.headers["retry-after"] == "5"
            away.rename(path)
            await until_async(lambda: made.store.available)
        assert (await made.http.post(LOGIN, data=entered)).status_code == 303

    with_application(tmp_path, look, access=WITH_TOKENS)


def test_wrong_tokens_are_slowed_down(guarded: Guarded) -> None:
    """After ten invalid tokens, an address must wait. A valid token still logs in."""
    with Browser(guarded.url, {"X-Forwarded-For": "192.0.2.7"}) as browser:
        login = browser.open(LOGIN).form(LOGIN)
        for _ in range(10):
            assert browser.send(login, token=WRONG).status in {401, 429}
        page = browser.send(login, token=WRONG)
        assert (page.status, is_login(page)) == (429, True)
        assert int(page.response.headers["retry-after"]) >= 1
        assert not is_login(browser.send(page.form(LOGIN), token=guarded.token))


def test_a_session_ends_with_its_token(guarded: Guarded) -> None:
    """Revoking the token ends its sessions at once."""
    token = make_token(guarded.path, "leaving", Scope.ADMIN)
    with embedded(guarded.path, access=WITH_TOKENS) as service, Browser(service.url) as leaving:
        assert not is_login(leaving.log_in(token))
        revoke_token(guarded.path, "leaving")
        assert is_login(leaving.open("/f/device"))


@pytest.mark.parametrize("what", ["session", "token"])
def test_a_session_ends_in_time(new_database: Callable[[], str], what: str) -> None:
    """A session ends after its lifetime, or with its token."""
    database = new_database()
    with embedded(database, access=WITH_TOKENS) as service, Browser(service.url) as browser:
        assert service.first_token is not None
        before = time.time()
        assert not is_login(browser.log_in(service.first_token))
        ((expires_at,),) = run_sql(database, "SELECT expires_at FROM sessions")
        lifetime = WITH_TOKENS.session_lifetime
        assert int(before) + lifetime <= expires_at <= time.time() + lifetime
        table = {"session": "sessions", "token": "tokens"}[what]
        moved = "UPDATE heksherlite_state SET revision = revision + 1, access_revision = revision + 1"
        run_sql(database, f"UPDATE {table} SET expires_at = 1", moved)  # noqa: S608 - of the test's own
        assert is_login(browser.open("/f/device"))


def test_a_session_is_known_to_every_replica(new_database: Callable[[], str]) -> None:
    """A login and a logout on one replica are effective on all."""
    database = new_database()
    with (
        embedded(database, access=WITH_TOKENS) as one,
        embedded(database, access=WITH_TOKENS) as other,
        Browser(one.url) as browser,
    ):
        assert one.first_token is not None
        browser.log_in(one.first_token)
        there = browser.open(f"{other.url}/f/device")
        assert not is_login(there)
        browser.send(there.form("/f/logout"))
        assert is_login(browser.open("/f/device"))


def test_the_database_holds_nothing_to_log_in_with(new_database: Callable[[], str]) -> None:
    """The database contains no cookies."""
    database = new_database()
    with embedded(database, access=WITH_TOKENS) as service, Browser(service.url) as browser:
        assert service.first_token is not None
        browser.log_in(service.first_token)
        ((digest,),) = run_sql(database, "SELECT digest FROM sessions")
        assert browser.http.cookies[COOKIE] not in digest
        browser.http.cookies.set(COOKIE, digest)
        assert is_login(browser.open("/f/device"))


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "configure/../../api/v1/query",
        "../api/v1/query",
        "../console/../api/v1/query",
        "../console/%2e%2E/f/logout",
        "../consoles",
        "../console/\\evil.example",
        "device\r\nSet-Cookie: a=b",
        "device?\r\nX: y",
        "device?\nx",
        "javascript:alert(1)",
        "device:80",
        "login",
        "",
    ],
)
def test_the_login_leads_to_own_pages_only(guarded: Guarded, browser: Browser, elsewhere: str) -> None:
    """The login redirects to pages of this service only, and no header can be injected."""
    browser.http.follow_redirects = False
    login = Page(browser.http.get(LOGIN, params={"next": elsewhere})).form(LOGIN)
    assert login.value("next") == "sessions"
    page = browser.send(login, token=guarded.token, next=elsewhere)
    assert (page.status, page.response.headers["location"]) == (303, "./sessions")
    assert [name for name in page.response.headers if name == "x"] == []
    assert len(page.response.headers.get_list("set-cookie")) == 1


def test_the_login_leads_back_with_the_query(guarded: Guarded, browser: Browser) -> None:
    """The login redirects to the requested page with its query."""
    query = "device?a=%26b%3D%22%3Cx%3E&c=%C3%A9"
    page = browser.send(browser.open(f"/f/{query}").form(LOGIN), token=guarded.token)
    assert page.url == f"{guarded.url}/f/{query}"


class TestForms:
    """Forms are only accepted from pages of this service."""

    @pytest.mark.parametrize("token", ["", "0" * 64, "é", "x" * 10_000])
    def test_without_the_token_of_the_form(self, guarded: Guarded, browser: Browser, token: str) -> None:
        """A form without its hidden field, or with an invented one, is refused."""
        page = browser.send(browser.open(LOGIN).form(LOGIN), token=guarded.token, form_token=token)
        assert page.status == 403
        assert is_login(browser.open("/f/device"))

    def test_with_the_token_of_another_session(self, guarded: Guarded, browser: Browser) -> None:
        """The hidden field of another browser is refused."""
        browser.log_in(guarded.token)
        with Browser(guarded.url) as attacker:
            stolen = attacker.open(LOGIN).form(LOGIN).value("form_token")
        page = browser.send(browser.open("/f/device").form("/f/logout"), form_token=stolen)
        assert page.status == 403
        assert not is_login(browser.open("/f/device"))

    def test_without_cookie(self, guarded: Guarded, browser: Browser) -> None:
        """A browser without cookies gets an explanation."""
        login = browser.open(LOGIN).form(LOGIN)
        browser.http.cookies.clear()
        page = browser.send(login, token=guarded.token)
        assert page.status == 403
        assert "cookie" in page.text

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": "http://["},
        ],
    )
    def test_from_another_site(self, guarded: Guarded, browser: Browser, headers: dict[str, str]) -> None:
        """A request from another site is refused, even with a valid hidden field."""
        page = browser.send(browser.open(LOGIN).form(LOGIN), headers=headers, token=guarded.token)
        assert page.status == 403
        assert "another site" in page.text

    @pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {}, {"Origin": "own"}])
    def test_from_the_same_site(self, guarded: Guarded, browser: Browser, headers: dict[str, str]) -> None:
        """Requests from this site are accepted with the headers of old and new browsers."""
        headers = {name: guarded.url if value == "own" else value for name, value in headers.items()}
        assert not is_login(browser.send(browser.open(LOGIN).form(LOGIN), headers=headers, token=guarded.token))

    def test_behind_a_proxy(self, guarded: Guarded, browser: Browser) -> None:
        """Behind a trusted proxy, the origin is that of the browser."""
        headers = {"Origin": "http://settings.example", "X-Forwarded-Host": "settings.example"}
        assert not is_login(browser.send(browser.open(LOGIN).form(LOGIN), headers=headers, token=guarded.token))

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"{}", "application/json", 415),
            (b"form_token=%ff", "application/x-www-form-urlencoded", 400),
            (b"\xff", "application/x-www-form-urlencoded", 400),
            (b"&".join([b"a=b"] * 11_000), "application/x-www-form-urlencoded", 400),
            (b"", "application/x-www-form-urlencoded", 403),
        ],
    )
    def test_malformed_forms(self, browser: Browser, content: bytes, kind: str, status: int) -> None:
        """Malformed bodies and other content types are refused with a page."""
        browser.open(LOGIN)
        page = Page(browser.http.post(LOGIN, content=content, headers={"Content-Type": kind}))
        assert (page.status, page.headings) == (status, ["Request failed"])


class TestCookies:
    """The cookie is only sent to this service, and not readable by scripts."""

    def test_over_http(self, guarded: Guarded) -> None:
        """Without TLS, the cookie is HttpOnly and SameSite."""
        cookie = httpx.get(guarded.url + LOGIN).headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie

    def test_over_https(self, guarded: Guarded) -> None:
        """Behind a trusted proxy with TLS, the cookie is Secure and has the __Host- prefix."""
        with httpx.Client(base_url=guarded.url, headers={"X-Forwarded-Proto": "https"}) as http:
            response = http.get(LOGIN)
            name, _, rest = response.headers["set-cookie"].partition("=")
            assert name == f"__Host-{COOKIE}"
            assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(rest.split("; ")[1:])
            form = Page(response).form(LOGIN)
            cookie = {"Cookie": f"{name}={rest.partition(';')[0]}"}
            data = dict(form.filled_in({"token": guarded.token}))
            response = http.post(LOGIN, data=data, headers=cookie)
            assert response.status_code == 303
            assert response.headers["set-cookie"].startswith(f"__Host-{COOKIE}=")

    def test_from_a_proxy_that_is_not_trusted(self, tmp_path: Path) -> None:
        """The scheme in headers of untrusted proxies is ignored."""
        with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service:
            response = httpx.get(service.url + LOGIN, headers={"X-Forwarded-Proto": "https"})
            assert response.headers["set-cookie"].startswith(f"{COOKIE}=")


class TestOthers:
    """People who need no login."""

    def test_an_operator_whom_the_proxy_names(self, tmp_path: Path) -> None:
        """A listed person needs no token, and other people do."""
        with embedded(tmp_path / "a.db", access=BEHIND_PROXY) as service:
            for person, needs_login in (("jane@example.com", False), ("joe@example.com", True), ("*", True)):
                with Browser(service.url, {PERSON: person}) as browser:
                    page = browser.open("/f/device")
                    assert is_login(page) is needs_login
                    assert needs_login or "jane@example.com" in page.text

    def test_everybody_whom_the_proxy_names(self, tmp_path: Path) -> None:
        """With ``*``, every person that the proxy identifies is an operator."""
        access = AccessOptions(
            auth="tokens",
            trust_user_header=PERSON,
            trusted_proxies=BEHIND_PROXY.trusted_proxies,
            operators=frozenset({"*"}),
        )
        with embedded(tmp_path / "a.db", access=access) as service:
            with Browser(service.url, {PERSON: "joe@example.com"}) as browser:
                assert not is_login(browser.open("/f/device"))
            with Browser(service.url) as browser:
                assert is_login(browser.open("/f/device"))

    def test_everybody_without_tokens(self) -> None:
        """Without tokens, nobody has to log in, and forms are protected all the same."""
        with embedded() as service, Browser(service.url) as browser:
            page = browser.open("/f/device")
            assert (page.status, is_login(page)) == (200, False)
            login = {"token": "x", "form_token": "0" * 64}
            assert browser.http.post(LOGIN, data=login).status_code == 403

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:8888", 200),
            ("[::1]:8888", 200),
            ("localhost:8888", 200),
            ("a.localhost", 200),
            ("settings.example:8888", 200),
            ("evil.example", 403),
            ("heksher:8888", 200),  # no site can own a name without a dot
            ("a.evillocalhost", 403),
            ("localhost.evil.example", 403),
            ("127.0.0.1.evil.example", 403),
        ],
    )
    def test_everybody_by_a_name_of_the_service(self, host: str, status: int) -> None:
        """A foreign host name opens no page, to prevent DNS rebinding."""
        with embedded(public_url="http://settings.example:8888") as service, Browser(service.url) as browser:
            page = Page(browser.http.get("/f/device", headers={"Host": host}))
            assert page.status == status
            assert status == 200 or f"--public-url http://{host}" in page.text

    def test_operators_without_header_are_a_mistake(self) -> None:
        """Operators without a trusted header are an error."""
        with pytest.raises(ValueError, match="operators require trust_user_header"):
            AccessOptions(auth="tokens", operators=frozenset({"jane@example.com"}))


@pytest.mark.parametrize(
    "call", [call for call in all_calls() if call.required.person], ids=lambda call: f"{call.method} {call.path}"
)
@pytest.mark.parametrize("headers", [{}, {"Cookie": f"{COOKIE}={'a' * 43}"}, {"Cookie": f"{COOKIE}='"}])
def test_pages_of_operators_lead_to_the_login(guarded: Guarded, call: tuple[str, str], headers: dict[str, str]) -> None:
    """Without a login, every page of operators redirects to the login."""
    for content in (None, b"nonsense"):
        response = httpx.request(call[0], guarded.url + call[1], headers=headers, content=content)
        assert response.status_code == 303
        assert response.headers["location"].lstrip("./").removeprefix("f/").startswith("login?next=")
        assert response.content == b""


def test_pages_load_nothing_but_style_sheets_and_the_icon(guarded: Guarded, browser: Browser) -> None:
    """No page loads scripts, frames or foreign images, and the policy forbids them."""
    page = browser.log_in(guarded.token)
    policy = dict(part.split(" ", 1) for part in page.response.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert not {"script", "iframe", "img", "object", "style"} & {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if "style" in attributes]
    icon, sheet, color = [attributes["href"] or "" for tag, attributes in page.tags if tag == "link"]
    for path, kind in ((icon, "image/svg+xml"), (color, "text/css")):
        loaded = browser.http.get(httpx.URL(page.url).join(path))
        assert (loaded.status_code, loaded.headers["content-type"].partition(";")[0]) == (200, kind)
    response = browser.http.get(httpx.URL(page.url).join(sheet))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
    assert "immutable" in response.headers["cache-control"]
    assert page.response.headers["cache-control"] == "no-store"
