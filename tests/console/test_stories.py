"""Stories of people who do their job in the console, in a real browser, with and without script.

What a person sees is kept as pictures in the folder ``screenshots``.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import pytest

from heksherlite.service.domain.tokens import Scope
from heksherlite.service.embedding import EmbeddedService
from heksherlite.service.options import ServiceOptions
from tests.console.shop import FEATURES, change, open_shop, rule
from tests.console.test_editors import SHOP, VALUE
from tests.service.api import Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token
from tests.service.visits import Visit, running_chromium

pytestmark = pytest.mark.thorough

PEOPLE = {
    "jane": (Scope.READ, Scope.WRITE, Scope.AUDIT),
    "owner": (Scope.READ, Scope.WRITE),
    "newcomer": (Scope.READ, Scope.PROPOSE),
    "auditor": (Scope.READ, Scope.AUDIT),
    "operator": EVERY_SCOPE,
}


class Shop:
    """A service with the settings of a shop, and the tokens of the people who look after it."""

    def __init__(self, database: str | Path) -> None:
        self.tokens = {name: make_token(database, name, *scopes) for name, scopes in PEOPLE.items()}
        options = ServiceOptions(
            access=WITH_TOKENS, context_features=tuple(FEATURES), title="Shop, production", color="crimson"
        )
        self.service = EmbeddedService(database, host="127.0.0.1", port=0, options=options)

    def __enter__(self) -> Self:
        self.service.__enter__()
        self.url = self.service.url
        self.api = Api(self.url, token=self.tokens["operator"])
        return self

    def __exit__(self, *error: object) -> None:
        self.api.close()
        self.service.__exit__(None, None, None)

    def visit(self, chromium: Any, person: str, size: str, scheme: str, *, script: bool = True) -> Visit:
        """Let a person open the address of the service and log in."""
        visit = Visit(chromium, self.url, size, scheme, script=script)
        visit.open("/")
        visit.log_in(self.tokens[person])
        return visit

    def value(self, setting: str, **context: str) -> object:
        """Return the value of a setting in a context."""
        shown = ",".join(f"{feature}:{value}" for feature, value in context.items())
        return self.api.get("explain", settings=setting, context=shown).json()["explanations"][0]["value"]


@pytest.fixture(scope="module")
def running_shop(empty_database: str) -> Iterator[Shop]:
    with Shop(empty_database) as shop:
        yield shop


@pytest.fixture
def shop(running_shop: Shop) -> Shop:
    """Return the shop as it is when it opens, whatever other tests have changed."""
    open_shop(running_shop.api)
    return running_shop


@pytest.fixture(scope="module")
def chromium(running_shop: Shop) -> Iterator[Any]:  # noqa: ARG001 - no tokens can be made beside playwright's event loop
    """Return Chromium."""
    with running_chromium() as browser:
        yield browser


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_on_call_at_night(chromium: Any, shop: Shop, *, script: bool) -> None:
    """On a phone, jane switches paying off for one customer in five clicks, and undoes it in the morning."""
    visit = shop.visit(chromium, "jane", "phone", "dark", script=script)
    assert "Shop, production" in visit.page.title()
    visit.picture("settings")
    visit.follow("checkout.enabled")
    visit.picture("setting")
    visit.follow("Add a rule")
    visit.fill("customer", "globex")
    visit.page.get_by_label("Off (false)").check()
    visit.picture("edit")
    visit.press("Add to draft")
    assert "checkout.enabled where customer is globex: true → false" in visit.text()
    visit.fill("Reason", "double bookings")
    visit.picture("draft")
    visit.press("Save 1 edit as one change")
    assert "Saved as revision" in visit.text()
    visit.picture("saved")
    context = {"environment": "prod", "customer": "globex"}
    assert shop.value("checkout.enabled", **context) is False
    assert shop.value("checkout.enabled", environment="prod", customer="acme") is True

    visit.follow("History")
    assert "double bookings" in visit.text()
    visit.page.get_by_role("link", name="Revision").first.click()
    visit.press("Undo in a draft")
    assert "checkout.enabled where customer is globex: false → true" in visit.text()
    visit.fill("Reason", "the bookings are right again")
    visit.press("Save 1 edit as one change")
    assert shop.value("checkout.enabled", **context) is True
    visit.check()


def test_a_product_owner_rolls_out_with_a_schedule(chromium: Any, shop: Shop) -> None:
    """A value is prepared for an environment, and starts by itself later."""
    visit = shop.visit(chromium, "owner", "desktop", "light")
    visit.fill("Search", "page_size")
    visit.press("Search")
    visit.follow("checkout.page_size")
    visit.follow("Add a rule")
    visit.fill("environment", "prod")
    visit.fill("Value", "40")
    visit.page.get_by_text("For a limited time").click()
    visit.fill("Starts (UTC)", "2099-01-01T08:00")
    visit.press("Add to draft")
    assert "starts: 2099-01-01 08:00" in visit.text()
    assert "When it is saved No value changes for anybody." in visit.text()
    assert "From 2099-01-01 08:00 on checkout.page_size where environment is prod: 20 → 40" in visit.text()
    visit.fill("Reason", "the new layout")
    visit.press("Save 1 edit as one change")
    visit.open("/console/settings/checkout.page_size")
    assert "starts later from 2099-01-01 08:00" in visit.text()
    visit.picture("scheduled")
    visit.check()


def test_a_reviewer_approves(chromium: Any, shop: Shop) -> None:
    """A newcomer proposes, jane asks and approves, and the value changes."""
    newcomer = shop.visit(chromium, "newcomer", "desktop", "light")
    newcomer.open("/console/settings/mail.limits")
    newcomer.follow("Set the default")
    newcomer.page.get_by_label("Value 1", exact=True).fill("500")
    newcomer.press("Add to draft")
    assert newcomer.page.get_by_role("button", name="Save").count() == 0
    newcomer.fill("Reason", "the newsletter")
    newcomer.press("Propose this change")
    assert newcomer.page.get_by_role("button", name="Approve").count() == 0
    number = newcomer.page.url.rpartition("/")[2]

    jane = shop.visit(chromium, "jane", "desktop", "dark")
    jane.follow("Proposals")
    jane.picture("proposals")
    jane.page.get_by_role("link", name=f"{number}: the newsletter").click()
    assert '{"day":100,"hour":10} → {"day":500,"hour":10}' in jane.text()
    jane.fill("Comment", "how many subscribers are there?")
    jane.press("Comment only")
    jane.picture("proposal")
    newcomer.page.reload()
    assert "how many subscribers" in newcomer.text()
    jane.press("Approve")
    assert "applied" in jane.text()
    assert shop.value("mail.limits", environment="dev", user="a") == {"day": 500, "hour": 10}
    newcomer.check()
    jane.check()


def test_an_auditor_finds_who_changed_a_value(chromium: Any, shop: Shop) -> None:
    """By setting and time, with author, reason and both values; and can change nothing."""
    visit = shop.visit(chromium, "auditor", "desktop", "light")
    visit.follow("History")
    visit.fill("Setting", "checkout.methods")
    visit.fill("From (UTC)", "2020-01-01T00:00")
    visit.press("Search")
    assert "operator · ACME pays by invoice" in visit.text()
    assert 'rule added where customer is acme value: ["card","invoice"]' in visit.text()
    visit.picture("history")
    visit.page.get_by_role("link", name="Revision").first.click()
    assert visit.page.get_by_role("button", name="Undo in a draft").count() == 0
    visit.picture("record")
    visit.check()


def test_two_people_edit_at_once(chromium: Any, shop: Shop) -> None:
    """What another person changes is said on the open page, and is not overwritten unawares."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    visit.open("/console/settings/cache_ttl")
    visit.page.get_by_label("environment", exact=True).fill("half-typed")
    with visit.page.expect_response(lambda response: "/console/events" in response.url, timeout=10_000):
        visit.page.reload()
    visit.page.get_by_label("environment", exact=True).fill("half-typed")
    change(shop.api, "warmer", rule(400, environment="prod"))
    note = visit.page.get_by_text("operator changed cache_ttl where environment is prod from 300 to 400: “warmer”.")
    note.wait_for()
    assert visit.page.get_by_label("environment", exact=True).input_value() == "half-typed"
    visit.picture("live")

    (rule_id,) = [
        each["rule_id"]
        for each in shop.api.query()["cache_ttl"]["rules"]
        if each["context_features"] == [["environment", "prod"]]
    ]
    visit.open(f"/console/settings/cache_ttl/edit?rule={rule_id}")
    visit.fill("Value", "100")
    visit.press("Add to draft")
    change(shop.api, "warmer still", rule(500, environment="prod"))
    visit.page.reload()
    assert "was changed from 400 to 500" in visit.text()
    visit.picture("conflict")
    visit.press("Keep my values")
    visit.fill("Reason", "agreed with the others")
    visit.press("Save 1 edit as one change")
    assert shop.value("cache_ttl", environment="prod", user="a") == 100
    visit.check()


def test_staging_is_moved_to_production(chromium: Any, shop: Shop) -> None:
    """After a look at the difference, all values of one environment are copied to the other."""
    visit = shop.visit(chromium, "operator", "desktop", "light")
    visit.follow("Compare")
    visit.fill("From", "staging")
    visit.fill("To", "prod")
    visit.press("Compare")
    visit.picture("compare")
    visit.press("Copy all values to prod")
    visit.fill("Reason", "the release")
    visit.picture("draft-copied")
    visit.page.get_by_role("button", name="Save").click()
    assert shop.value("cache_ttl", environment="prod", user="a") == 30
    visit.check()


def test_results_follow_what_is_typed(chromium: Any, shop: Shop) -> None:
    """The table, the explanation and the URL follow, and the field keeps the focus."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    visit.page.get_by_label("Search", exact=True).press_sequentially("invoice")
    visit.page.get_by_text("1 of 6 settings").wait_for()
    visit.page.wait_for_url("**q=invoice**")
    assert visit.page.evaluate("document.activeElement.id") == "q"
    visit.open("/console/settings/cache_ttl")
    visit.page.get_by_label("environment", exact=True).press_sequentially("dev")
    visit.page.get_by_label("user", exact=True).press_sequentially("john")
    visit.page.get_by_text("because of rule").wait_for()
    visit.page.wait_for_url("**c.user=john**")
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("?")
    visit.page.get_by_role("heading", name="Keys").wait_for()
    visit.check()


def test_the_keyboard_is_enough(chromium: Any, shop: Shop) -> None:
    """A slash searches, arrows move through the table, and Enter opens a setting."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("checkout")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**q=checkout**")
    visit.page.get_by_role("link", name="checkout.enabled").focus()
    visit.page.keyboard.press("ArrowDown")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("heading", name="checkout.methods", level=1).wait_for()
    visit.check()


def test_back_and_links_keep_what_was_typed(chromium: Any, shop: Shop) -> None:
    """A search with a context is a URL, so it is there again after Back, and for whoever gets the URL."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    visit.page.get_by_label("Search", exact=True).press_sequentially("cache")
    visit.page.get_by_label("user", exact=True).press_sequentially("john")
    visit.page.get_by_text("1 of 6 settings").wait_for()
    visit.page.wait_for_url("**c.user=john**")
    searched = visit.page.url
    visit.follow("cache_ttl")
    visit.page.get_by_role("heading", name="cache_ttl", level=1).wait_for()
    visit.page.go_back()
    assert visit.page.url == searched
    assert visit.page.get_by_label("Search", exact=True).input_value() == "cache"
    assert visit.page.get_by_label("user", exact=True).input_value() == "john"
    colleague = shop.visit(chromium, "auditor", "phone", "dark")
    colleague.page.goto(searched)
    assert "1 of 6 settings · values where user is john" in colleague.text()
    visit.check()
    colleague.check()


def test_times_are_shown_in_the_zone_of_the_reader(chromium: Any, shop: Shop) -> None:
    """In UTC at first; the choice is kept, also for rows that are loaded later, and the other time is the tooltip."""
    context = chromium.new_context(timezone_id="Europe/Berlin")
    page = context.new_page()
    page.goto(shop.url)
    page.get_by_label("Token").fill(shop.tokens["jane"])
    page.get_by_role("button", name="Log in").click()
    to_local, to_utc = (page.get_by_role("button", name=f"Show them in {zone}") for zone in ("Europe/Berlin", "UTC"))
    to_local.wait_for()
    time = page.locator("main time").first
    utc = datetime.fromisoformat(str(time.get_attribute("datetime")))
    shown = {zone: f"{utc.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for zone in ("UTC", "Europe/Berlin")}
    assert (time.inner_text(), time.get_attribute("title")) == (shown["UTC"], f"{shown['Europe/Berlin']} Europe/Berlin")
    to_local.click()
    assert (time.inner_text(), time.get_attribute("title")) == (shown["Europe/Berlin"], f"{shown['UTC']} UTC")
    page.reload()
    to_utc.wait_for()
    assert time.inner_text() == shown["Europe/Berlin"]
    page.get_by_label("Search", exact=True).press_sequentially("cache")
    page.get_by_text("1 of 6 settings").wait_for()
    at = datetime.fromisoformat(str(time.get_attribute("datetime"))).astimezone(ZoneInfo("Europe/Berlin"))
    assert time.inner_text() == f"{at:%Y-%m-%d %H:%M}"
    to_utc.click()
    assert time.inner_text() == str(time.get_attribute("datetime"))[:16].replace("T", " ")
    context.close()


def test_a_file_is_chosen(chromium: Any, shop: Shop, tmp_path: Path) -> None:
    """An export from the file chooser is compared with the service, and all that differs is copied and saved."""
    backup = tmp_path / "backup.jsonl"
    backup.write_bytes(shop.api.get("export").content)
    change(shop.api, "later", rule(999, environment="prod"))
    visit = shop.visit(chromium, "jane", "phone", "light")
    visit.follow("Compare")
    visit.follow("This service and a file")
    with visit.page.expect_file_chooser() as choosing:
        visit.page.get_by_label("File", exact=True).click()
    choosing.value.set_files(backup)
    visit.picture("compare-file")
    visit.press("Compare")
    assert "1 difference" in visit.text()
    visit.picture("compare-file-differences")
    visit.press("Copy all rows")
    assert "999 → 300" in visit.text()
    visit.fill("Reason", "as in the backup")
    visit.press("Save 1 edit as one change")
    assert shop.value("cache_ttl", environment="prod", user="ann") == 300
    visit.check()


def test_two_customers_are_compared(chromium: Any, shop: Shop) -> None:
    """What one customer gets is given to another, whichever rule it comes from."""
    visit = shop.visit(chromium, "jane", "desktop", "dark")
    visit.follow("Compare")
    visit.follow("Values in two contexts")
    for name, customer in (("first", "acme"), ("second", "globex")):
        visit.fill(f"environment, {name} context", "prod")
        visit.fill(f"customer, {name} context", customer)
    visit.press("Compare")
    assert '["card","invoice"] rule' in visit.text()
    visit.picture("compare-contexts")
    visit.page.get_by_role("checkbox", name="Copy checkout.methods").check()
    visit.press("Copy the chosen values")
    assert '["card"] → ["card","invoice"]' in visit.text()
    visit.press("Discard all")
    visit.check()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_rules_are_copied_to_another_environment(chromium: Any, shop: Shop, *, script: bool) -> None:
    """Rows are ticked by the keyboard, and what staging has and prod has not goes into the draft."""
    visit = shop.visit(chromium, "jane", "phone", "light", script=script)
    visit.page.get_by_role("checkbox", name="Choose checkout.page_size").focus()
    visit.page.keyboard.press("Space")
    visit.press("Edit the chosen settings")
    visit.page.locator("#copy-from").fill("staging")
    visit.page.locator("#copy-to").fill("prod")
    visit.press("Add the copies to the draft")
    assert "checkout.page_size" in visit.text()
    assert "environment is prod and theme is wide" in visit.text()
    visit.press("Discard all")
    visit.check()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_an_object_is_edited_in_its_form(chromium: Any, shop: Shop, *, script: bool) -> None:
    """With script, whatever is filled in is set; without, its box has to be ticked. What is too short is not sent."""
    shop.api.declare("delivery", type="Json", schema=SHOP, default_value=VALUE, metadata={})
    visit = shop.visit(chromium, "jane", "phone", "dark", script=script)
    visit.open("/console/settings/delivery/default")
    visit.fill("name", "b")
    visit.fill("tags 2", "new")
    visit.press("Add to draft")
    field = visit.page.get_by_label("name", exact=True)
    assert (field.evaluate("field => field.validity.tooShort"), visit.heading()) == (True, "Default of delivery")
    visit.fill("name", "better")
    visit.page.get_by_text("Add an entry").first.click()
    visit.page.get_by_label("per", exact=True).nth(2).select_option("hour")
    entry = visit.page.get_by_role("checkbox", name="Keep this entry: limits 3")
    if script:
        assert entry.is_checked()
    else:
        entry.check()
    visit.press("Add to draft")
    (operation,) = visit.page.request.get(f"{shop.url}/console/draft/export").json()["operations"]
    assert operation["value"] == {
        **VALUE,
        "name": "better",
        "tags": ["x", "new"],
        "limits": [*VALUE["limits"], {"per": "hour"}],
    }
    visit.press("Discard all")
    shop.api.call("DELETE", "settings/delivery")
    visit.check()
