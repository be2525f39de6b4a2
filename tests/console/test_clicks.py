"""How many clicks it takes, counted as links that are followed and buttons that are pressed."""

from urllib.parse import urljoin, urlsplit

from tests.console.shop import change, rule
from tests.service.api import Api
from tests.service.browser import Browser, Page


def follow(browser: Browser, page: Page, path: str) -> Page:
    """Follow the first link of a page to a path."""
    links = [urljoin(page.url, str(each.get("href"))) for tag, each in page.tags if tag == "a"]
    return browser.open(next(link for link in links if urlsplit(link).path == path))


def test_one_click_from_the_table_explains_the_value_of_a_user(api: Api, browser: Browser) -> None:
    """The link in the table keeps the context, so the page of the setting has the explanation."""
    api.declare()
    change(api, "one user", rule(10, environment="dev", user="john"))
    page = browser.open("/console/?c.environment=dev&c.user=john&c.theme=dark")
    page = follow(browser, page, "/console/settings/cache_ttl")
    assert f"10 because of rule {api.rule_ids()[0]} where environment is dev and user is john" in page.text
    assert f"since Revision {api.revision()} by somebody" in page.text
    assert "(just now) : one user Compare" in page.text


def test_four_clicks_make_a_change_with_a_reason_that_can_be_undone(api: Api, browser: Browser) -> None:
    """From the start page: a setting, its form, the draft, and the saved revision, which has the button to undo it."""
    api.declare()
    page = follow(browser, browser.open("/console/"), "/console/settings/cache_ttl")
    page = follow(browser, page, "/console/settings/cache_ttl/edit")
    page = browser.send(page.form("/console/settings/cache_ttl/edit"), {"f.user": "john", "value": "5"})
    page = browser.send(page.form("/console/draft/save"), reason="for john")
    assert "Saved as revision" in page.text
    assert "for john" in page.text
    revision = api.revision()
    page = browser.send(page.form(f"/console/history/{revision}/undo"))
    assert "cache_ttl where user is john : 5 → 60" in page.text
