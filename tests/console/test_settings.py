"""The table of settings and the page of a setting."""

import re
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from heksherlite.service.console.rendering import assets
from heksherlite.service.domain.colors import is_color
from heksherlite.service.options import ServiceOptions
from tests.service.api import Api
from tests.service.browser import Browser, Page


def names_on(page: Page) -> list[str]:
    """Return the names of the settings in the table."""
    return [
        str(each["href"]).partition("?")[0].removeprefix("./settings/")
        for tag, each in page.tags
        if tag == "a" and str(each.get("href", "")).startswith("./settings/")
    ]


@pytest.fixture
def shop(api: Api) -> Api:
    """Declare some settings with rules."""
    api.declare("cache_ttl", metadata={"description": "How long answers are cached."})
    api.declare("shop.page_size")
    api.declare("shop.enabled", type="bool", default_value=True)
    api.declare("mail.sender", type="str", default_value="a@example.com")
    api.add_rule(10, environment="dev")
    api.add_rule(0, environment="dev", user="john")
    api.add_rule(50, "shop.page_size", user="jane")
    return api


def test_the_address_of_the_service_leads_to_the_console(api: Api) -> None:
    """Whoever opens the printed address gets to the console, also below another path."""
    assert api.http.get("/").headers["location"] == "console/"
    assert api.http.get("/console").headers["location"] == "console/"
    assert api.http.get("/console/").status_code == 200


def test_without_settings_the_page_says_how_to_begin(browser: Browser) -> None:
    """An empty table is no answer to the question what to do."""
    assert "There are no settings yet" in browser.open("/console/").text


@pytest.mark.usefixtures("shop")
def test_all_settings_are_listed(browser: Browser) -> None:
    """Settings without a dot come first, then groups by the first part of the name."""
    page = browser.open("/console/")
    assert names_on(page) == ["cache_ttl", "mail.sender", "shop.enabled", "shop.page_size"]
    assert "3 possible values by environment and user otherwise 60" in page.text
    assert page.unlabelled == []


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=cached", ["cache_ttl"]),
        ("q=user%3Djane", ["shop.page_size"]),
        ("q=environment%3Ddev+cache", ["cache_ttl"]),
        ("q=example.com", ["mail.sender"]),
        ("q=nothing-of-the-kind", []),
        ("type=bool", ["shop.enabled"]),
        ("has=no_rules", ["mail.sender", "shop.enabled"]),
        ("has=undeclared", []),
        ("prefix=shop.", ["shop.enabled", "shop.page_size"]),
        ("closed=shop.", ["cache_ttl", "mail.sender"]),
    ],
)
def test_searches_and_filters(browser: Browser, query: str, found: list[str]) -> None:
    """Names, descriptions, conditions and values are searched, and each filter is in the URL."""
    assert names_on(browser.open(f"/console/?{query}")) == found


def test_the_context_shows_what_a_program_gets(shop: Api, browser: Browser) -> None:
    """With the whole context there is one value, and who decides it."""
    winner = max(shop.rule_ids())
    assert (
        f"How long answers are cached. 0 rule {winner} where environment is dev and user is john int"
        in browser.open("/console/?c.environment=dev&c.user=john").text
    )
    page = browser.open("/console/settings/cache_ttl?c.environment=dev")
    assert "10 everywhere, except where user is john" in page.text


def test_tables_are_paged(api: Api, browser: Browser) -> None:
    """A page has fifty settings; the other ones are a click away."""
    for number in range(51):
        api.declare(f"setting_{number:02}")
    assert names_on(browser.open("/console/?page=2")) == ["setting_50"]
    assert len(names_on(browser.open("/console/"))) == 50


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("settings/unknown", 404, "There is no setting 'unknown'"),
        ("?page=0", 400, "'0' is not the number of a page"),
        ("?has=wings", 400, "There is no filter 'wings'"),
        ("?c.user=%3Cb%3E", 400, "cannot be a value of the context feature user"),
    ],
)
def test_errors_are_pages(browser: Browser, path: str, status: int, text: str) -> None:
    """What is wrong is said on a page with a way out."""
    page = browser.open(f"/console/{path}")
    assert (page.status, page.headings) == (status, ["This did not work"])
    assert text in page.text


def test_an_alias_leads_to_the_setting(shop: Api, browser: Browser) -> None:
    """Old links work after a setting was renamed."""
    shop.call("PUT", "settings/mail.sender/name", {"name": "mail.from", "version": "1.1"})
    page = browser.open("/console/settings/mail.sender")
    assert (page.status, page.url.rpartition("/")[2]) == (200, "mail.from")


def test_the_page_of_a_setting_has_its_history(shop: Api, browser: Browser) -> None:
    """The latest changes are on the page, with their reasons."""
    shop.call(
        "PUT", f"rules/{shop.add_rule(1, user='ann')}/value", {"value": 20}, headers={"X-Change-Reason": "slower"}
    )
    text = browser.open("/console/settings/cache_ttl").text
    assert "slower cache_ttl : rule changed where user is ann value: 1 → 20" in text


def test_files_of_the_pages(api: Api) -> None:
    """Style and scripts are small, cached for long, and nothing else is served from there."""
    page = httpx.get(f"{api.url}/console/").text
    files = re.findall(r"static/[0-9a-f]{16}/[a-z]+\.(?:css|js)", page)
    assert len(files) == 2
    for file in files:
        response = httpx.get(f"{api.url}/console/{file}")
        assert response.headers["content-type"].startswith(("text/css", "text/javascript"))
        assert "immutable" in response.headers["cache-control"]
    older = httpx.get(f"{api.url}/console/static/0123/console.js")
    assert older.headers["cache-control"] == "no-cache"
    for path in ("nothing.css", "..%2Frendering.py", "__init__.py"):
        assert httpx.get(f"{api.url}/console/static/0123/{path}").status_code == 404
    script = sum(len(content) for name, content in assets().items() if name.endswith(".js"))
    assert script < 40 * 2**10


@pytest.mark.parametrize("color", ["crimson", "#b3261e", "#fff", "RebeccaPurple"])
def test_colors(color: str) -> None:
    """Names and hexadecimal digits are colors."""
    assert is_color(color)


@pytest.mark.parametrize("color", ["crimsonn", "#12", "red; } body { display: none", "url(x)"])
def test_what_is_no_color_is_refused(color: str) -> None:
    """A browser would silently ignore it, or worse."""
    with pytest.raises(ValueError, match="is not one of CSS"):
        ServiceOptions(color=color)


def test_rules_from_a_repository_are_marked(api: Api, browser: Browser) -> None:
    """The pages of a setting and of a rule say who manages a rule in a repository, and that an edit here is drift."""
    api.declare()
    rule_id = api.add_rule(10, environment="dev")
    other = api.add_rule(20, environment="prod")
    metadata = {"metadata": {"managed_by": "checkout <team>", "applied": "0123"}}
    assert api.call("PUT", f"rules/{rule_id}/metadata", metadata).status_code == 204
    page = browser.open("/console/settings/cache_ttl")
    assert "managed in a repository by checkout <team>" in page.text
    edited = browser.open(f"/console/settings/cache_ttl/edit?rule={rule_id}")
    assert "managed in a repository by checkout <team>" in edited.text
    assert "managed in a repository" not in browser.open(f"/console/settings/cache_ttl/edit?rule={other}").text


def test_a_default_from_a_repository_is_marked(api: Api, browser: Browser) -> None:
    """The pages of a setting and of its default say who manages the default in a repository."""
    api.declare()
    assert "managed in a repository" not in browser.open("/console/settings/cache_ttl/default").text
    default = {"op": "set_default", "setting": "cache_ttl", "value": 5, "metadata": {"managed_by": "checkout"}}
    assert api.call("POST", "changes", {"operations": [default]}).is_success
    assert "managed in a repository by checkout" in browser.open("/console/settings/cache_ttl").text
    edited = browser.open("/console/settings/cache_ttl/default")
    assert "This default is managed in a repository by checkout" in edited.text


@pytest.mark.usefixtures("shop")
def test_a_context_as_in_the_api_fills_the_context_bar(browser: Browser) -> None:
    """The parameter context of the API works in the URL of a page, and keeps the rest of the query."""
    page = browser.open("/console/?q=cache&context=environment:dev,user:john")
    assert dict(httpx.URL(page.url).params) == {"q": "cache", "c.environment": "dev", "c.user": "john"}
    assert (names_on(page), page.form("/console/").value("c.user")) == (["cache_ttl"], "john")
    page = browser.open("/console/settings/cache_ttl?context=environment:dev")
    assert dict(httpx.URL(page.url).params) == {"c.environment": "dev"}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("context=environment", "'environment' is not a context; write each context feature once with its value"),
        ("context=user:a,user:b", "'user:a,user:b' is not a context"),
        ("context=customer:a", "here is no context feature 'customer'; the context features are"),
        ("c.customer=a", "here is no context feature 'customer'; the context features are"),
    ],
)
def test_a_wrong_context_is_named(browser: Browser, query: str, problem: str) -> None:
    """Values are not shown for another context than the one that was asked for."""
    page = browser.open(f"/console/?{query}")
    assert (page.status, problem in page.text) == (400, True), page.text


@pytest.mark.parametrize("path", ["nothing", "settings/cache_ttl/nothing", "static/0/nothing.css"])
def test_a_page_that_does_not_exist_is_a_page(browser: Browser, path: str) -> None:
    """Whoever follows an old link reads a sentence, and finds back."""
    page = browser.open(f"/console/{path}")
    assert (page.status, page.headings) == (404, ["This did not work"])
    assert "There is no such page." in page.text
    links = [str(attributes.get("href")) for tag, attributes in page.tags if tag == "a"]
    assert "/console/" in [urlsplit(urljoin(page.url, link)).path for link in links]
