"""The page on which an operator approves or denies an application."""

import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address, ip_network
from itertools import count
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import pytest

from heksherlite.service import AccessOptions, embedded
from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.device_codes import CodeState, DeviceCode
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.device_codes import DeviceCodes
from heksherlite.service.storage.groups import Groups
from tests.service.api import FEATURES, Api
from tests.service.approved_program import program
from tests.service.browser import Browser, Form, Page
from tests.service.tokens import in_database, make_token
from tests.waiting import until

T = TypeVar("T")

CONFIGURE = "/f/configure/"
DEVICE = "/f/device"
MANIFEST = Manifest(identifier="org.example.app", version="1.2", scopes=("read", "declare", "write", "fly"))
QUERY = {"grant": "device_code", "version": "1", "scope": "read a", "identifier": "org.old", "image": "None"}
ADDRESSES = map(ip_address, count(2**24))
ACCESS = AccessOptions(auth="tokens", trusted_proxies=(ip_network("127.0.0.1"),), client_codes=True)


class Desk:
    """An operator with a browser, and applications that request access."""

    def __init__(self, browser: Browser, path: Path, token: str) -> None:
        self.browser = browser
        self.url = str(browser.http.base_url)
        self.token = token
        self._path = path

    def in_storage(self, work: Callable[[AccessStore], Awaitable[T]]) -> T:
        async def run(database: Database) -> T:
            return await work(AccessStore(database))

        return in_database(self._path, run)

    def start(self, manifest: Manifest = MANIFEST, *, lifetime: int = 600) -> str:
        """Request a code as an application does."""
        return self.in_storage(
            lambda access: DeviceCodes(access).start(manifest, "203.0.113.9", time.time(), lifetime=lifetime)
        )

    def find(self, code: str) -> DeviceCode | None:
        """Return the stored code."""
        return self.in_storage(lambda access: DeviceCodes(access).find(code))

    def state(self, code: str) -> CodeState | None:
        """Return the state of a code."""
        known = self.find(code)
        return None if known is None else known.state(time.time())

    def applications(self) -> list[Application]:
        """Return the approved applications."""
        return list(self.in_storage(lambda access: Applications(access).all()))

    def application(self, code: str) -> Application:
        """Return the application that was approved by a code."""
        known = self.find(code)
        assert known is not None
        (application,) = [each for each in self.applications() if each.id == known.application_id]
        return application

    def open(self, code: str, **query: str) -> Page:
        """Open the page of a code."""
        return self.browser.open(f"{CONFIGURE}?{urlencode({'device_code': code, **query})}")

    def form(self, code: str) -> Form:
        """Open the page of a code, and return its form."""
        return self.open(code).form(CONFIGURE)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, str]]:
    path = tmp_path_factory.mktemp("approval") / "a.db"
    token = make_token(path, "jane", *Scope)

    async def prepare(database: Database) -> None:
        groups = Groups(AccessStore(database))
        await groups.put(Group("database", {"host": "db.local", "port": 5432}), BY_SERVICE)
        await groups.put(Group("mail", {"host": "mail.local"}), BY_SERVICE)

    with embedded(path, access=ACCESS, context_features=FEATURES) as running:
        in_database(path, prepare)
        yield running.url, path, token


@pytest.fixture
def desk(service: tuple[str, Path, str]) -> Iterator[Desk]:
    url, path, token = service
    # Each test comes from an address of its own, because wrong codes are counted.
    with Browser(url, {"X-Forwarded-For": str(next(ADDRESSES))}) as browser:
        browser.log_in(token)
        yield Desk(browser, path, token)


def test_the_page_shows_the_request(desk: Desk) -> None:
    """The page shows the identifier, version, scopes in words, address and time, and the code to compare."""
    code = desk.start()
    page = desk.open(code)
    assert page.status == 200
    for text in (code, "org.example.app", "1.2", "203.0.113.9", "ago", "Read all settings", "Change the values"):
        assert text in page.text
    assert "fly" in page.text
    form = page.form(CONFIGURE)
    assert form.offered == {"scope": ["read", "declare", "write"], "group": ["database", "mail"]}
    assert form.chosen("scope") == ["read"]
    assert form.chosen("group") == []
    assert {f"default.{feature}" for feature in FEATURES} <= {name for name, _ in form.values}
    assert "db.local" not in page.response.text
    assert desk.state(code) is CodeState.WAITING


def test_an_operator_approves(desk: Desk) -> None:
    """The application gets the selection, the page says what happens next, and the history has operator and reason."""
    code = desk.start()
    page = desk.browser.send(
        desk.form(code),
        {"default.environment": "prod"},
        decision="approve",
        scope=["read"],
        setting_prefix="shop.",
        group=["database"],
        reason="  new shop ",
    )
    assert (page.status, page.headings) == (200, ["Approved"])
    assert desk.state(code) is CodeState.APPROVED
    application = desk.application(code)
    assert f"heksherlite app revoke {application.id}" in page.text
    approval = application.approval
    assert (approval.scopes, approval.setting_prefix) == (frozenset({Scope.READ}), "shop.")
    assert (approval.defaults, approval.groups) == ({"environment": "prod"}, ("database",))
    api = Api(desk.url, token=desk.token)
    with api.http:
        record = api.history(limit=1)[0]
    assert (record["author"]["name"], record["reason"]) == ("jane", "new shop")


def test_an_operator_denies(desk: Desk) -> None:
    """The application gets nothing, and the page says so."""
    code, before = desk.start(), len(desk.applications())
    page = desk.browser.send(desk.form(code), decision="deny", reason="unknown to us")
    assert (page.status, page.headings) == (200, ["Denied"])
    assert desk.state(code) is CodeState.DENIED
    assert len(desk.applications()) == before


def test_an_application_may_get_no_scope(desk: Desk) -> None:
    """Without any scope, the application gets its configuration only."""
    code = desk.start()
    assert desk.browser.send(desk.form(code), decision="approve", scope=None).headings == ["Approved"]
    assert desk.application(code).approval.scopes == frozenset()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scope": ["read", "admin"]}, "did not request admin"),
        ({"scope": ["fly"]}, "scope 'fly' does not exist"),
        ({"scope": ["<script>"]}, "scope '<script>' does not exist"),
        ({"setting_prefix": "-"}, "No name of a setting begins with '-'"),
        ({"default.user": "a b"}, "'a b' is not a value of a context feature"),
        ({"group": ["nothing"]}, "no configuration group 'nothing'"),
        ({"reason": "x" * 1001}, "A reason is a string of at most"),
        ({"reason": "\0"}, "A reason is a string of at most"),
    ],
)
def test_invalid_input_is_shown_and_kept(desk: Desk, changes: dict[str, str | list[str]], message: str) -> None:
    """The page shows what is wrong and keeps the input. Nothing is decided."""
    code = desk.start()
    page = desk.browser.send(desk.form(code), {"default.theme": "dark", **changes}, decision="approve")
    assert page.status == 400
    assert message in page.text
    assert page.form(CONFIGURE).value("default.theme") == "dark"
    assert desk.state(code) is CodeState.OPENED
    assert desk.browser.send(desk.form(code), decision="approve").headings == ["Approved"]


def test_context_features_are_those_of_the_service(desk: Desk) -> None:
    """A default for an unknown context feature is refused."""
    code = desk.start()
    desk.browser.send(desk.form(code), {"default.planet": "mars"}, decision="approve")
    assert desk.application(code).approval.defaults == {}


@pytest.mark.parametrize("decision", [None, "", "maybe"])
def test_a_form_without_decision_decides_nothing(desk: Desk, decision: str | None) -> None:
    """A form that is submitted with the enter key neither approves nor denies."""
    code = desk.start()
    assert desk.browser.send(desk.form(code), decision=decision).status == 400
    assert desk.state(code) is CodeState.WAITING


@pytest.mark.parametrize("first", ["approve", "deny"])
@pytest.mark.parametrize("second", ["approve", "deny"])
def test_a_form_counts_once(desk: Desk, first: str, second: str) -> None:
    """A second submission, also by another operator, changes nothing and shows the decision."""
    code = desk.start()
    form = desk.form(code)
    before = len(desk.applications())
    done = desk.browser.send(form, decision=first)
    page = desk.browser.send(form, decision=second)
    assert (page.status, page.headings) == (409, done.headings)
    assert "Your decision had no effect" in page.text
    assert desk.open(code).headings == done.headings
    assert len(desk.applications()) == before + (first == "approve")


def test_the_page_requires_a_login(desk: Desk) -> None:
    """Without a login, the page shows nothing about the application, and the code does not count as opened."""
    code = desk.start()
    with Browser(desk.url) as stranger:
        page = stranger.open(f"{CONFIGURE}?device_code={code}")
        assert page.headings == ["Log in"]
        assert "org.example" not in page.response.text
        assert desk.state(code) is CodeState.WAITING
        form = desk.form(code)
        page = stranger.send(form, decision="approve")
        assert page.headings == ["Log in"]
        assert desk.state(code) is CodeState.WAITING
        page = stranger.send(page.form("/f/login"), token=desk.token)
        assert "org.example.app" in page.text


def test_a_form_of_another_session_is_refused(desk: Desk) -> None:
    """A form from the page of another operator is refused."""
    code = desk.start()
    with Browser(desk.url) as other:
        other.log_in(desk.token)
        stolen = other.open(f"{CONFIGURE}?device_code={code}").form(CONFIGURE).value("form_token")
    assert desk.browser.send(desk.form(code), decision="approve", form_token=stolen).status == 403
    assert desk.state(code) is CodeState.WAITING


class TestOtherCodes:
    """Codes that cannot be decided."""

    @pytest.mark.parametrize("code", ["BCDFGHJK", "x" * 1000, "<b>", "a b", "é", "\0", "../..", "%"])
    def test_unknown(self, desk: Desk, code: str) -> None:
        """The page says that the code does not exist, and shows the field for another one."""
        page = desk.open(code)
        assert (page.status, page.headings) == (404, ["Approve an application"])
        assert "This code does not exist" in page.text

    def test_without_code(self, desk: Desk) -> None:
        """Without a code, the page shows the field for one."""
        assert desk.browser.open(CONFIGURE).url == desk.url + DEVICE

    def test_expired(self, desk: Desk) -> None:
        """The page says that the code has expired and that the application must request another one."""
        page = desk.open(desk.start(lifetime=0))
        assert (page.status, page.headings) == (410, ["Expired"])
        assert not [form for form in page.forms if "configure" in form.action]

    def test_expired_while_it_was_read(self, desk: Desk) -> None:
        """A decision after the expiry is refused, and the page says so."""
        code = desk.start(lifetime=2)
        form = desk.form(code)
        until(lambda: desk.state(code) is CodeState.EXPIRED)
        page = desk.browser.send(form, decision="approve")
        assert (page.status, page.headings) == (409, ["Expired"])

    @pytest.mark.parametrize("decision", ["approve", "deny"])
    def test_decided_without_opening_the_page(self, desk: Desk, decision: str) -> None:
        """A decision about a code whose page was never opened leads to the page."""
        seen, unseen = desk.start(), desk.start()
        page = desk.browser.send(desk.form(seen), decision=decision, device_code=unseen)
        assert unseen in page.text
        assert desk.state(unseen) is CodeState.WAITING


class TestClientsCodes:
    """Codes that the client chose, with its manifest in the URL of the page."""

    def test_is_marked(self, desk: Desk) -> None:
        """The page says that the details come from the URL alone, and shows no address."""
        page = desk.open("ab12cd", **QUERY)
        assert page.status == 200
        assert "chose this code itself" in page.text
        assert "Address unknown" in page.text
        assert "None" not in page.text
        assert desk.find("ab12cd") is None
        assert desk.browser.send(page.form(CONFIGURE), decision="approve").headings == ["Approved"]
        known = desk.find("ab12cd")
        assert known is not None
        assert (known.chosen_by, known.manifest.identifier) == ("client", "org.old")

    def test_is_recorded_once(self, desk: Desk) -> None:
        """The decision is about the application that the page shows. Another URL does not change it."""
        shown = desk.open("ab12ce", **QUERY)
        evil = {**QUERY, "identifier": "org.evil", "scope": "read admin"}
        desk.open("ab12ce", **evil)
        desk.browser.send(shown.form(CONFIGURE), decision="approve")
        assert desk.application("ab12ce").manifest.identifier == "org.old"
        page = desk.open("ab12ce", **evil)
        assert page.headings == ["Approved"]
        assert "org.evil" not in page.text

    def test_cannot_replace_a_code_of_the_service(self, desk: Desk) -> None:
        """The manifest in a URL does not replace the manifest with which an application requested its code."""
        code = desk.start()
        page = desk.open(code, **QUERY)
        assert "org.example.app" in page.text
        assert "org.old" not in page.text

    @pytest.mark.parametrize(
        "changes",
        [
            {"identifier": "x" * 201},
            {"identifier": "a\u202eb"},
            {"version": "a\r\nb"},
            {"image": "h" * 2001},
            {"scope": " ".join(map(str, range(51)))},
        ],
    )
    def test_malformed(self, desk: Desk, changes: dict[str, str]) -> None:
        """A manifest that is too long or cannot be displayed is refused with the reason, and not recorded."""
        page = desk.open("ab12cf", **{**QUERY, **changes})
        assert (page.status, page.headings) == (400, ["Request failed"])
        assert desk.find("ab12cf") is None


def test_pages_are_accessible(desk: Desk) -> None:
    """Each page has a language, a title, one main heading, and a label for every field."""
    code = desk.start()
    with Browser(desk.url) as stranger:
        login = stranger.open("/f/login")
    asked = desk.open(code)
    refused = desk.browser.send(asked.form(CONFIGURE), {"default.user": "a b"}, decision="approve")
    unknown = desk.open("BCDFGHJK")
    decided = desk.browser.send(asked.form(CONFIGURE), decision="approve")
    problem = desk.browser.send(asked.form(CONFIGURE))
    for page in (login, asked, refused, unknown, decided, problem):
        assert ("html", {"lang": "en", "data-theme": "auto"}) in page.tags
        tags = [tag for tag, _ in page.tags]
        assert (tags.count("title"), tags.count("h1"), tags.count("main")) == (1, 1, 1)
        assert page.unlabelled == []
    for page in (refused, unknown, problem):
        assert "alert" in {attributes.get("role") for _, attributes in page.tags}


def test_markup_of_applications_is_text(desk: Desk) -> None:
    """Markup in anything that an application sends is displayed as text, and no image is loaded."""
    evil = """"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"""
    manifest = Manifest(
        identifier=evil, version=evil, scopes=("read", evil.replace(" ", "")), image=f"https://x/{evil}"
    )
    code = desk.start(manifest)
    for page in (
        desk.open(code),
        desk.browser.send(desk.form(code), decision="approve", setting_prefix=evil),
        desk.browser.send(desk.form(code), decision="approve"),
    ):
        assert not {"script", "img"} & {tag for tag, _ in page.tags}
        assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
        assert evil in page.text


def test_long_texts_are_shown_whole(desk: Desk) -> None:
    """The longest valid identifier is displayed in full."""
    long = "a" * 200
    assert long in desk.open(desk.start(Manifest(identifier=long))).text


def test_approved_applications_with_the_same_identifier_are_counted(desk: Desk) -> None:
    """The page says how many applications with this identifier are approved already."""
    manifest = Manifest(identifier="org.example.twice")
    first = desk.start(manifest)
    assert "already approved" not in desk.open(first).text
    desk.browser.send(desk.form(first), decision="approve")
    assert "1 application with this identifier is already approved" in desk.open(desk.start(manifest)).text


class TestDevicePage:
    """The page on which a person enters a code."""

    def enter(self, desk: Desk, code: str) -> Page:
        return desk.browser.send(desk.browser.open(DEVICE).form(DEVICE), code=code)

    @pytest.mark.parametrize(
        "written",
        [
            "{}",
            " {} ",
            "{0[0]}{0[1]}{0[2]}{0[3]}-{0[4]}{0[5]}{0[6]}{0[7]}",
            "{0[0]}{0[1]} {0[2]}{0[3]}{0[4]}{0[5]}{0[6]}{0[7]}",
        ],
    )
    def test_leads_to_the_application(self, desk: Desk, written: str) -> None:
        """A code leads to its page, regardless of case and spaces."""
        code = desk.start()
        for text in (written.format(code), written.format(code.lower())):
            page = self.enter(desk, text)
            assert page.url.startswith(desk.url + CONFIGURE)
            assert "org.example.app" in page.text
            assert code in page.text

    @pytest.mark.parametrize("code", ["BCDFGHJK", "", "<script>alert(1)</script>", "x" * 500, "\r\nX: y", "?a=b"])
    def test_unknown_codes(self, desk: Desk, code: str) -> None:
        """The page says that the code is unknown, and shows the field again."""
        page = self.enter(desk, code)
        assert page.status == 404
        assert "This code does not exist" in page.text
        assert page.form(DEVICE)
        assert "script" not in {tag for tag, _ in page.tags}

    def test_guesses_are_slowed_down(self, desk: Desk) -> None:
        """After five unknown codes, an address must wait on both pages, even with a valid code."""
        code = desk.start()
        for number in range(5):
            assert self.enter(desk, f"WRONG{number}").status == 404
        for page in (self.enter(desk, "WRONG5"), desk.open("WRONG6"), self.enter(desk, code)):
            assert page.status == 429
            assert 0 < int(page.response.headers["retry-after"]) <= 60
        assert desk.state(code) is CodeState.WAITING

    def test_requires_the_token_of_the_form(self, desk: Desk) -> None:
        """Other sites cannot try codes in the name of an operator."""
        form = desk.browser.open(DEVICE).form(DEVICE)
        assert desk.browser.send(form, code="BCDFGHJK", form_token="").status == 403


@pytest.mark.thorough
def test_the_example_is_approved(desk: Desk, tmp_path: Path) -> None:
    """A program that knows one address is approved, and reads settings in the selected context."""
    api = Api(desk.url, token=desk.token)
    with api.http, program(desk.url, tmp_path) as asking:
        page = desk.browser.open(asking.line_with(CONFIGURE))
        assert "shop.checkout" in page.text
        desk.browser.send(
            page.form(CONFIGURE), {"default.environment": "prod"}, decision="approve", scope=["read", "declare"]
        )
        assert asking.output() == "page_size of john: 20\n"
        api.add_rule(50, "checkout.page_size", environment="prod")
        with program(desk.url, tmp_path) as again:
            assert again.output() == "page_size of john: 50\n"
