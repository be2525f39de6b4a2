"""What somebody may not do is not offered, and refused all the same; nobody else can send a form in their name."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.console.shop import FEATURES, change, open_shop, rule
from tests.service.api import Api
from tests.service.browser import Browser
from tests.service.routes import all_calls
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

WRITES = [call for call in all_calls() if call.method == "POST" and call.path.startswith("/console/")]

EVIL = "<img src=x onerror=alert(1)>'\"&lt;<script>evil()</script>"


class Shop(NamedTuple):
    """A service with tokens for each role."""

    api: Api
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    path = tmp_path_factory.mktemp("roles") / "a.db"
    roles = {
        "viewer": (Scope.READ,),
        "proposer": (Scope.READ, Scope.PROPOSE),
        "editor": (Scope.READ, Scope.WRITE),
        "boss": EVERY_SCOPE,
    }
    tokens = {name: make_token(path, name, *scopes) for name, scopes in roles.items()}
    tokens["limited"] = make_token(path, "limited", *EVERY_SCOPE, setting_prefix="checkout.")
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=tokens["boss"])
        with api.http:
            open_shop(api)
            yield Shop(api, tokens)


class People(dict[str, Browser]):
    """A browser for each role, in which the person logs in when a test first needs it."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop

    def __missing__(self, role: str) -> Browser:
        browser = self[role] = Browser(self._shop.api.url)
        browser.log_in(self._shop.tokens[role], "/console/")
        return browser


@pytest.fixture
def people(shop: Shop) -> Iterator[People]:
    """Return the browsers of the people."""
    people = People(shop)
    yield people
    for browser in people.values():
        browser.http.close()


def token_of(browser: Browser) -> str:
    """Return the token that each form of a browser contains."""
    page = browser.open("/console/")
    return next(form.value("form_token") for form in page.forms if form.chosen("form_token"))


@pytest.mark.parametrize("call", WRITES, ids=lambda call: call.path)
def test_forms_of_others_are_refused(people: People, call: tuple[str, str]) -> None:
    """A form without the token of this browser, or from another site, does nothing."""
    operator = people["boss"].http
    path = call[1].format(name="cache_ttl", revision=1, number=1, key="k", id="a")
    for data in ({"form_token": ""}, {"form_token": "0" * 64}):
        assert operator.post(path, data=data, follow_redirects=False).status_code == 403
    token = {"form_token": token_of(people["boss"])}
    response = operator.post(path, data=token, headers={"origin": "https://evil.example"}, follow_redirects=False)
    assert response.status_code == 403


@pytest.mark.parametrize(
    "call",
    [each for each in WRITES if not each.path.endswith(("/theme", "/compare/file", "/compare/file/plan"))],
    ids=lambda call: call.path,
)
def test_viewers_change_nothing(shop: Shop, people: People, call: tuple[str, str]) -> None:
    """Whatever a viewer sends is refused."""
    before = shop.api.get("settings", include_additional_data=True).json()
    viewer = people["viewer"]
    path = call[1].format(name="cache_ttl", revision=1, number=1, key="k", id="a")
    response = viewer.http.post(path, data={"form_token": token_of(viewer), "reason": "x"}, follow_redirects=False)
    assert response.status_code == 403
    assert shop.api.get("settings", include_additional_data=True).json() == before


def test_what_one_may_not_do_is_not_offered(people: People) -> None:
    """Viewers have no draft and no buttons that change something."""
    page = people["viewer"].open("/console/settings/cache_ttl")
    assert "Add a rule" not in page.text
    assert "Draft" not in page.text
    assert [
        form.action for form in page.forms if form.method == "post" and not form.action.endswith(("/theme", "/logout"))
    ] == []
    assert "Undo" not in people["viewer"].open("/console/history/9").text
    assert "Add a rule" in people["proposer"].open("/console/settings/cache_ttl").text
    assert "Protect this setting" not in people["editor"].open("/console/settings/cache_ttl").text


def test_viewers_do_not_see_people(people: People) -> None:
    """Who made a change is for those who may know it."""
    assert "boss" not in people["viewer"].open("/console/history").text
    assert "boss" in people["boss"].open("/console/history").text
    assert "boss" not in people["viewer"].open("/console/").text


def test_a_proposer_proposes_and_an_editor_approves(shop: Shop, people: People) -> None:
    """The proposer's draft is not saved, whatever is sent; the author of a proposal does not approve it."""
    proposer, editor = people["proposer"], people["editor"]
    form = proposer.open("/console/settings/cache_ttl/default")
    page = proposer.send(form.form("/console/settings/cache_ttl/default"), value="7")
    assert "You can propose the change" in page.text
    sent = replace(page.form("/console/draft/propose"))
    sent.action = sent.action.replace("propose", "save")
    refused = proposer.send(sent, reason="mine")
    assert "You may not change values yourself. You can propose the change to somebody who may." in refused.text
    assert "scope" not in refused.text
    assert "operator_default_value" not in shop.api.setting() or shop.api.setting()["operator_default_value"] is None
    page = proposer.send(page.form("/console/draft/propose"), reason="cheaper")
    assert "cheaper" in page.text
    number = page.url.rpartition("/")[2]
    own = next(replace(each) for each in page.forms if each.action.endswith("/comments"))
    own.action = own.action.replace("comments", "approve")
    assert proposer.send(own).status == 403
    assert f"{number}: cheaper" in proposer.open("/console/proposals?mine=1").text.replace(" :", ":")
    assert "None of your proposals waits for a decision" in editor.open("/console/proposals?mine=1").text
    assert "cheaper" in editor.open("/console/proposals").text
    page = editor.open(f"/console/proposals/{number}")
    form_of_editor = page.form(f"/console/proposals/{number}/comments")
    form_of_editor.action = form_of_editor.action.replace("comments", "approve")
    assert "applied" in editor.send(form_of_editor).text
    assert shop.api.setting()["operator_default_value"] == 7


def test_a_limited_person_sees_only_their_settings(shop: Shop, people: People) -> None:
    """Neither the table, a page, the suggestions nor the draft show other settings, and the history is closed."""
    change(shop.api, "a customer of others", rule("x@example.com", "mail.sender", environment="hidden-place"))
    limited = people["limited"]
    html = limited.http.get("/console/").text
    assert "checkout.methods" in html
    assert "cache_ttl" not in html
    assert "hidden-place" not in html
    assert limited.open("/console/settings/cache_ttl").status == 403
    assert limited.open("/console/history").status == 403
    assert "cache_ttl" not in limited.http.get("/console/explain?c.environment=dev").text
    assert "cache_ttl" not in limited.http.get("/console/compare?feature=environment&left=staging&right=prod").text
    foreign = '{"operations": [{"op": "set_default", "setting": "cache_ttl", "value": 3}]}'
    page = limited.send(limited.open("/console/draft").form("/console/draft/import"), json=foreign)
    assert page.status in {200, 403}
    assert "60" not in page.text.partition("Edits")[2].partition("Do it elsewhere")[0]
    assert shop.api.setting()["default_value"] != 3


@pytest.mark.parametrize("role", ["viewer", "boss", "limited"])
def test_whatever_is_stored_is_text(shop: Shop, people: People, role: str) -> None:
    """Markup in values, reasons, descriptions, metadata, comments and queries is shown as it is, and runs nothing."""
    name = f"checkout.evil_{role}"
    shop.api.declare(
        name, type="Mapping<str>", default_value={EVIL: EVIL}, metadata={"description": EVIL, "owner": EVIL}
    )
    revision = change(shop.api, EVIL, rule({EVIL: "other" + EVIL}, name, user="ann"))
    operation = {"op": "set_default", "setting": name, "value": {"a": EVIL}}
    number = shop.api.call("POST", "proposals", {"operations": [operation], "reason": EVIL}).json()["proposal_id"]
    shop.api.call("POST", f"proposals/{number}/comments", {"text": EVIL})
    paths = [
        "",
        f"settings/{name}",
        f"settings/{name}/default",
        f"settings/{name}/edit?rule={shop.api.rule_ids(name)[0]}",
        "draft",
        "history",
        f"history/{revision}",
        f"explain?settings={name}&c.user=ann&d.user=eve",
        f"proposals/{number}",
        "proposals",
        "compare?feature=user&left=ann&right=eve",
    ]
    for path in paths:
        for suffix in (
            "",
            ("&" if "?" in path else "?") + httpx.QueryParams({"q": EVIL, "reason": EVIL, "rules": "evil"}).__str__(),
        ):
            response = people[role].http.get(f"/console/{path}{suffix}")
            html = response.text
            assert response.status_code in {200, 403, 404}, (path, html)
            assert "<img" not in html
            assert "evil()</script>" not in html
            assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")


def test_every_page_is_closed_without_login(shop: Shop) -> None:
    """A person who is not logged in sees the login, and then the page that was asked for."""
    with Browser(shop.api.url) as browser:
        page = browser.open("/console/settings/cache_ttl?c.environment=dev")
        assert page.headings[0] == "Log in"
        page = browser.send(page.form("/f/login"), token=shop.tokens["viewer"])
        assert page.url.endswith("/console/settings/cache_ttl?c.environment=dev")
        assert "cache_ttl" in page.headings


def test_the_pages_for_approvals_have_the_menu(people: People) -> None:
    """Whoever approves an application finds back to the console by the same menu; before the login, there is none."""
    boss = people["boss"]
    page = boss.open("/f/device")
    links = [str(each.get("href")) for tag, each in page.tags if tag == "a" and each.get("href") != "#main"]
    assert {"../console/", "../console/draft", "../console/access"} <= set(links)
    assert {boss.http.get(httpx.URL(page.url).join(link)).status_code for link in links} == {200}
    viewer = people["viewer"].open("/f/sessions")
    assert {"../console/draft", "../console/access"}.isdisjoint([each.get("href") for _, each in viewer.tags])
    with Browser(str(boss.http.base_url)) as stranger:
        assert "Settings" not in stranger.open("/f/login").text
