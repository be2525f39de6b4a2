"""Six tasks, each the way that somebody takes who does not know the console, in a real browser, with counted clicks.

The pictures of the steps are in the folder ``screenshots``.
"""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service import embedded
from tests.console.shop import FEATURES, change, open_shop, rule
from tests.console.test_stories import Shop
from tests.service.api import Api
from tests.service.visits import Visit, running_chromium

pytestmark = pytest.mark.thorough

_LONG_AGO = 120 * 86_400  # seconds


UNUSED = ("old.banner", "old.login")


def run(database: Path, statement: str, *parameters: object) -> None:
    """Change something in the database that nobody can change by the service: a time in the past."""
    connection = sqlite3.connect(database, timeout=30)
    with connection:
        connection.execute(statement, parameters)
    connection.close()


class Clicks:
    """A person whose clicks on links and buttons are counted."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.count = 0

    def follow(self, name: str) -> None:
        self.count += 1
        self.visit.follow(name)

    def press(self, name: str) -> None:
        self.count += 1
        self.visit.press(name)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks") / "a.db"


@pytest.fixture(scope="module")
def running_shop(database: Path) -> Iterator[Shop]:
    """Run the shop. Two of its settings were declared by programs that do not run any more."""
    with embedded(database, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            for name in UNUSED:
                assert api.declare(name).status_code == 200
    run(database, "UPDATE setting_declarations SET declared_at = ?", int(time.time()) - _LONG_AGO)
    with Shop(database) as shop:
        yield shop


@pytest.fixture
def shop(running_shop: Shop) -> Shop:
    """Return the shop as it opens, with many rules for customers."""
    open_shop(running_shop.api, keep="old.")
    many = [rule(n, environment="prod", user=f"user-{n:03}") for n in range(150)]
    change(running_shop.api, "what the customers bought", *many)
    return running_shop


@pytest.fixture(scope="module")
def chromium(running_shop: Shop) -> Iterator[Any]:  # noqa: ARG001 - no tokens can be made beside playwright's event loop
    """Return Chromium."""
    with running_chromium() as browser:
        yield browser


def test_what_john_gets_and_why(chromium: Any, shop: Shop) -> None:
    """Whoever searches for the user is offered the user's values; one more click names the rule, its author and why."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    person = Clicks(visit)
    visit.page.get_by_label("Search", exact=True).press_sequentially("john")
    visit.page.get_by_text("john is a value of user.").wait_for()
    visit.picture("task-1-search")
    person.follow("Show the values where user is john")
    visit.page.get_by_text("by environment").first.wait_for()
    visit.picture("task-1-values")
    visit.page.get_by_label("environment", exact=True).press_sequentially("dev")
    visit.page.get_by_text("rule").filter(has_text="environment is dev and user is john").last.wait_for()
    from_the_table = person.count
    person.follow("cache_ttl")
    assert "0 because of rule" in visit.text()
    assert "where environment is dev and user is john , since Revision" in visit.text().replace("john,", "john ,")
    assert "by operator" in visit.text()
    assert "the cache is cold after the move" in visit.text()
    visit.picture("task-1-why")
    assert person.count - from_the_table <= 2
    visit.check()


def test_a_feature_is_switched_off_until_tomorrow(chromium: Any, shop: Shop) -> None:
    """In four clicks beside the choice of the end; the draft says that the value comes back."""
    visit = shop.visit(chromium, "jane", "phone", "dark")
    person = Clicks(visit)
    person.follow("checkout.enabled")
    person.follow("Add a rule")
    visit.fill("customer", "globex")
    visit.page.get_by_label("Off (false)").check()
    visit.page.get_by_text("For a limited time").click()
    visit.page.get_by_label("Or ends after").select_option("1 day")
    visit.picture("task-2-form")
    person.press("Add to draft")
    assert "When it is saved checkout.enabled where customer is globex: true → false" in visit.text()
    assert "Everybody has the present values again." in visit.text()
    visit.picture("task-2-draft")
    visit.fill("Reason", "globex wants to test without paying")
    person.press("Save 1 edit as one change")
    assert "Saved as revision" in visit.text()
    assert visit.page.get_by_role("button", name="Undo in a draft").count() == 1
    assert person.count <= 5
    assert shop.value("checkout.enabled", environment="prod", customer="globex") is False
    (stored,) = shop.api.query(settings="checkout.enabled", include_metadata=True)["checkout.enabled"]["rules"]
    assert stored["context_features"] == [["customer", "globex"]]
    visit.check()


def test_a_rule_that_is_edited_for_a_while_warns(chromium: Any, shop: Shop) -> None:
    """The edit of a rule without an end would lose its value; the link beside leads to a rule that does not."""
    visit = shop.visit(chromium, "jane", "desktop", "light")
    visit.open("/console/settings/checkout.methods")
    visit.page.get_by_role("row", name="acme").get_by_role("link", name="Edit").click()
    visit.page.get_by_text("For a limited time").click()
    visit.picture("task-2-warning")
    visit.follow("add a rule with one more condition")
    assert visit.page.get_by_label("customer", exact=True).input_value() == "acme"
    assert visit.page.get_by_label("Or ends after").input_value() == "24"
    visit.fill("environment", "prod")
    visit.page.get_by_label("invoice").uncheck()
    visit.press("Add to draft")
    assert "Everybody has the present values again." in visit.text()
    visit.press("Discard all")
    visit.check()


def test_what_somebody_did_an_hour_ago_is_undone(chromium: Any, shop: Shop, database: Path) -> None:
    """The history says how long ago it was; the undo is looked at in the draft, and has a reason."""
    revision = change(shop.api, "answers are too slow", rule(3_600, environment="prod"))
    change(shop.api, "something else", rule(40, "checkout.page_size", environment="dev"))
    run(database, "UPDATE history SET time = datetime(time, '-65 minutes') WHERE revision = ?", revision)
    visit = shop.visit(chromium, "owner", "desktop", "light")
    person = Clicks(visit)
    person.follow("History")
    assert "(1 hour ago) · somebody · answers are too slow" in visit.text()
    visit.picture("task-3-history")
    person.press(f"Undo revision {revision} in a draft")
    assert "cache_ttl where environment is prod" in visit.text()
    assert "3600 → 300" in visit.text()
    visit.picture("task-3-draft")
    visit.fill("Reason", "it was not the cache")
    person.press("Save 1 edit as one change")
    assert person.count <= 5
    assert shop.value("cache_ttl", environment="prod", user="ann") == 300
    visit.check()


def test_staging_is_moved_to_prod_after_a_look(chromium: Any, shop: Shop) -> None:
    """What only prod has is hidden on request, and all values that staging has are copied at once."""
    visit = shop.visit(chromium, "owner", "desktop", "dark")
    person = Clicks(visit)
    person.follow("Compare")
    visit.fill("From", "staging")
    visit.fill("To", "prod")
    person.press("Compare")
    assert "152 differences" in visit.text()
    visit.page.get_by_label("Hide what only the second value has").check()
    person.press("Compare")
    assert "2 differences" in visit.text()
    visit.picture("task-4-differences")
    person.press("Copy all values to prod")
    assert "cache_ttl where environment is prod, except where user is user-000" in visit.text()
    assert "300 → 30" in visit.text()
    visit.picture("task-4-draft")
    visit.fill("Reason", "the release")
    person.press("Save 2 edits as one change")
    assert shop.value("cache_ttl", environment="prod", user="ann") == 30
    visit.check()


def test_settings_that_nothing_reads_are_found_and_deleted(chromium: Any, shop: Shop) -> None:
    """A filter finds them, and all that were found are deleted together, by way of the draft."""
    change(shop.api, "still in use?", rule(1, "old.login", environment="prod"))
    visit = shop.visit(chromium, "operator", "desktop", "light")
    visit.page.get_by_label("Show", exact=True).select_option("probably unused")
    visit.page.get_by_text("2 of 8 settings").wait_for()
    assert "last declared" in visit.text()
    assert "No program has declared these settings for 30 days." in visit.text()
    visit.picture("task-5-found")
    visit.press("Edit all 2 found")
    visit.picture("task-5-bulk")
    visit.press("Add the deletion of the settings to the draft")
    assert "old.login is deleted" in visit.text()
    visit.fill("Reason", "nobody reads them")
    visit.press("Save 2 edits as one change")
    assert {each["name"] for each in shop.api.get("settings").json()["settings"]}.isdisjoint(UNUSED)
    visit.check()


def test_an_application_is_let_in_with_less_than_it_wants(chromium: Any, shop: Shop) -> None:
    """The page Access says who waits, but not the code; the application gets what is ticked, for some settings."""
    wanted = {"identifier": "shop.recommender", "version": "2.1", "scopes": ["read", "declare", "write", "admin"]}
    code = httpx.post(f"{shop.url}/f/start/", json={"manifest": wanted}).json()["code"]
    visit = shop.visit(chromium, "operator", "desktop", "light")
    visit.follow("Access")
    assert "shop.recommender from 127.0.0.1" in visit.text()
    assert code not in visit.page.content()
    visit.picture("task-6-access")
    visit.follow("Enter the code")
    visit.page.get_by_label("Code").fill(code)
    visit.press("Continue")
    assert "It gets only those that you select." in visit.text()
    visit.page.get_by_role("checkbox", name="declare").check()
    visit.fill("Only settings whose names start with", "recommend.")
    visit.picture("task-6-approve")
    visit.press("Approve")
    visit.picture("task-6-approved")
    visit.follow("On the page Access")
    row = visit.page.get_by_role("row", name="shop.recommender").inner_text()
    assert "declare, read" in row
    assert "recommend.…" in row
    assert "wait for somebody" not in visit.text()
    visit.check()
