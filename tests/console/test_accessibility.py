"""Every page is accessible, in light and dark, on a phone, a desktop and a wide screen."""

from typing import Any

import pytest

from tests.console.pages import Examples, addresses
from tests.console.test_stories import Shop
from tests.service.visits import Visit

pytestmark = pytest.mark.thorough

MORE = [
    "/console/settings/unknown",
    "/console/settings/delivery/default",
    "/console/settings/checkout.methods/edit",
    "/console/compare/contexts?c.environment=dev&d.environment=prod",
    "/console/history?setting=unknown",
    "/console/explain?settings=unknown",
    "/f/configure/?device_code=AAAA-AAAA&grant=device_code",
]
"""Errors, and forms for other types."""


class Examination:
    """What axe finds on the pages of a visit.

    Attributes:
        found: Each violation with its page and its first element.
    """

    def __init__(self, visit: Visit) -> None:
        self._axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        self._visit = visit
        self.found: list[tuple[str, str, str]] = []

    def examine(self, name: str) -> None:
        """Examine the page that is open, keep a picture of it, and check that nothing has to be scrolled sideways."""
        self._visit.picture("axe-" + "".join(each if each.isalnum() else "-" for each in name)[:80])
        violations = self._axe.run(self._visit.page).response["violations"]
        self.found += [(name, each["id"], each["nodes"][0]["html"][:200]) for each in violations]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop", "wide"])
def test_every_page_is_accessible(chromium: Any, shop: Shop, examples: Examples, size: str, scheme: str) -> None:
    """Axe finds no violation on any page, with a draft and without, and on what forms show."""
    visit = Visit(chromium, shop.url, size, scheme)
    examination = Examination(visit)
    visit.open("/console/")
    examination.examine("login")
    visit.fill("Token", "wrong")
    visit.press("Log in")
    examination.examine("login refused")
    visit.log_in(shop.tokens["operator"])
    visit.open("/console/draft")
    examination.examine("no draft")
    visit.open("/console/settings/cache_ttl/default")
    visit.fill("Value", "61")
    visit.press("Add to draft")
    for path in [path for paths in addresses(examples).values() for path in paths if "login" not in path] + MORE:
        visit.open(path)
        examination.examine(path.replace(examples.code, "code"))
    visit.open("/console/compare/file")
    visit.page.get_by_text("Or paste the content").click()
    visit.fill("Content of the file", shop.api.get("export").text.replace('"value":300', '"value":301'))
    visit.press("Compare")
    assert "1 difference" in visit.text()
    examination.examine("differences from a file")
    visit.open("/console/access")
    visit.page.get_by_text("Create a token").click()
    visit.page.locator("#token-name").fill(f"axe-{size}-{scheme}")
    visit.press("Create the token")
    examination.examine("new token")
    assert examination.found == []
    visit.open("/console/draft")
    visit.press("Discard all")
    visit.check()
