"""Changes of other people on pages that are open, in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.pages import addresses, make_examples
from tests.console.shop import change, open_shop, rule
from tests.console.test_stories import Shop
from tests.service.visits import Visit

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def shop(empty_database: str) -> Iterator[Shop]:
    with Shop(empty_database) as shop:
        open_shop(shop.api)
        yield shop


def open_live(visit: Visit, path: str) -> None:
    """Open a page, and wait until it hears of changes."""
    with visit.page.expect_response(lambda response: "/console/events" in response.url):
        visit.open(path)
    visit.page.evaluate("window.isSamePage = true")


def place(visit: Visit, selector: str) -> object:
    """Return where an element is in the window."""
    return visit.page.evaluate(
        "s => { const r = document.querySelector(s).getBoundingClientRect(); return [r.x, r.y] }", selector
    )


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_every_page_tells_of_a_change(chromium: Any, shop: Shop, size: str) -> None:
    """With who, what and why, without a reload, and without moving what the reader looks at or types."""
    pages = addresses(make_examples(shop.api))
    # The page of a setting tells of the changes of this setting only.
    paths = [max(paths, key=lambda path: "cache_ttl" in path) for route, paths in pages.items() if "/f/" not in route]
    visit = shop.visit(chromium, "operator", size, "light")
    for number, path in enumerate(paths, 1000):
        open_live(visit, path)
        visit.page.evaluate("window.scrollTo(0, 200)")
        before = [place(visit, selector) for selector in ("h1", "main > :last-child", "footer")]
        was = shop.value("cache_ttl", environment="prod", user="ann")
        change(shop.api, f"reason {number}", rule(number, environment="prod"))
        visit.page.get_by_text(
            f"operator changed cache_ttl where environment is prod from {was} to {number}: “reason {number}”."
        ).wait_for()
        assert [place(visit, selector) for selector in ("h1", "main > :last-child", "footer")] == before, path
        assert visit.page.evaluate("window.isSamePage"), path
    visit.check()


def test_values_are_replaced_where_they_are(chromium: Any, shop: Shop) -> None:
    """The row of the table, the answer and the row of the rule have the new value, and only they."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    open_live(visit, "/console/?c.environment=prod&c.user=ann")
    visit.fill("Search", "cache")
    visit.page.wait_for_url("**=cache*")
    change(shop.api, "first", rule(71, environment="prod"))
    row = visit.page.locator("tr[data-fresh=cache_ttl]")
    row.get_by_text("71", exact=True).wait_for()
    assert "changed" in str(row.get_attribute("class"))
    assert visit.page.locator("tr[data-fresh].changed").count() == 1
    assert visit.page.get_by_label("Search", exact=True).input_value() == "cache"

    open_live(visit, "/console/settings/cache_ttl?c.environment=prod&c.user=ann")
    change(shop.api, "second", rule(72, environment="prod"))
    visit.page.locator("p.answer").get_by_text("72", exact=True).wait_for()
    visit.page.locator("tr.wins").get_by_text("72", exact=True).wait_for()
    visit.picture("live-values")
    assert visit.page.evaluate("window.isSamePage")
    visit.check()


def test_pages_are_fetched_for_the_values_that_they_show(chromium: Any, shop: Shop) -> None:
    """A change of a setting that is not on the page is told, and nothing is fetched."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    open_live(visit, "/console/?prefix=checkout.")
    fetched: list[str] = []
    visit.page.on("request", lambda request: fetched.append(request.url) if request.resource_type == "fetch" else None)
    change(shop.api, "elsewhere", rule(74, environment="prod"))
    visit.page.get_by_text("“elsewhere”").wait_for()
    for number in range(20, 26):
        change(shop.api, f"size {number}", {"op": "set_default", "setting": "checkout.page_size", "value": number})
    visit.page.locator('tr[data-fresh="checkout.page_size"]').get_by_text("25", exact=True).wait_for()
    assert 1 <= len(fetched) <= 6
    assert all(url.endswith("/console/?prefix=checkout.") for url in fetched)
    visit.check()


def test_other_settings_and_many_changes(chromium: Any, shop: Shop) -> None:
    """The page of a setting tells of no others; notes are dismissed, and only the last ones stay."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    open_live(visit, "/console/settings/mail.limits")
    change(shop.api, "something else", rule(73, environment="prod"))
    for day in range(5):
        operation: dict[str, object] = {"op": "set_default", "setting": "mail.limits", "value": {"day": day}}
        change(shop.api, f"day {day}", operation)
        visit.page.get_by_text(f"operator changed mail.limits: “day {day}”.").wait_for()
    assert visit.page.get_by_text("something else").count() == 0
    assert visit.page.locator("#live p").count() == 3
    for _ in range(3):
        visit.press("Dismiss")
    assert visit.page.locator("#live p").count() == 0
    visit.check()
