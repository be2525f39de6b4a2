"""Everything can be reached, seen and used with the keyboard alone, on small screens, zoomed, and in high contrast."""

from typing import Any

import pytest

from tests.console.keyboard import walk
from tests.console.pages import Examples, addresses
from tests.console.shop import change, rule
from tests.console.test_stories import Shop
from tests.service.visits import Visit

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize(
    ("size", "scheme", "media"),
    [
        ("small", "light", {}),
        ("zoomed", "dark", {"reduced_motion": "reduce"}),
        ("desktop", "dark", {"forced_colors": "active"}),
    ],
    ids=["small", "zoomed", "forced-colors"],
)
def test_every_page_is_walked_by_keyboard(
    chromium: Any, shop: Shop, examples: Examples, size: str, scheme: str, media: dict[str, str]
) -> None:
    """The keys Tab and Shift+Tab stop at everything that does something, in its order; the stop is marked and seen."""
    visit = Visit(chromium, shop.url, size, scheme)
    visit.page.emulate_media(**media)
    visit.open("/console/")
    faults = walk(visit.page, "login")
    visit.log_in(shop.tokens["operator"])
    visit.open("/console/settings/cache_ttl/default")
    visit.fill("Value", "61")
    visit.press("Add to draft")
    paths = [path for paths in addresses(examples).values() for path in paths if "login" not in path]
    for path in [*paths, "/console/settings/delivery/default", "/console/settings/checkout.methods/edit"]:
        visit.open(path)
        faults += walk(visit.page, path)
        visit.picture(f"keys-{'-'.join(media)}-" + "".join(each if each.isalnum() else "-" for each in path)[:60])
    assert faults == []
    visit.open("/console/draft")
    visit.press("Discard all")
    visit.check()


@pytest.mark.parametrize("size", ["small", "desktop"])
def test_notes_hide_nothing_and_give_the_focus_back(chromium: Any, shop: Shop, size: str) -> None:
    """What has the focus is not below the notes; whoever dismisses the last one is where they were before."""
    visit = shop.visit(chromium, "operator", size, "light")
    with visit.page.expect_response(lambda response: "/console/events" in response.url):
        visit.open("/console/access")  # it has no values that are replaced during the walk
    for number in range(3):
        change(shop.api, f"note {number}", rule(number, environment="prod"))
        visit.page.get_by_text(f"“note {number}”").wait_for()
    assert walk(visit.page, "notes") == []
    visit.picture("notes")
    visit.page.get_by_role("link", name="Enter the code").focus()
    while visit.page.locator("#live button:focus").count() == 0:
        visit.page.keyboard.press("Shift+Tab")
    while visit.page.locator("#live button").count():
        assert visit.page.evaluate("document.activeElement.innerText") == "Dismiss"
        visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.matches('main *')")
    visit.check()


def test_the_menu_is_skipped(chromium: Any, shop: Shop) -> None:
    """The first link leads to the content, where the next stop is."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    for path in ("/console/", "/console/settings/cache_ttl", "/f/sessions"):
        visit.open(path)
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.matches('main *')"), path
    visit.check()
