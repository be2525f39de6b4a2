"""Rules for a limited time: how their end is chosen, and what the draft says about the time after it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heksherlite.service.console.showing import ago
from tests.console.shop import change, rule
from tests.service.api import Api
from tests.service.browser import Browser, Page

NEW = "/console/settings/cache_ttl/edit"


def add(browser: Browser, value: str, path: str = NEW, **entered: str) -> Page:
    """Add a rule for john, or the edit of another one, to the draft."""
    form = browser.open(path).form(NEW)
    conditions = {} if "rule=" in path else {"f.user": "john"}
    return browser.send(form, {**conditions, "value": value, **entered})


def operation(browser: Browser) -> dict[str, Any]:
    (found,) = browser.http.get("/console/draft/export").json()["operations"]
    shown: dict[str, Any] = found
    return shown


def test_a_rule_ends_after_a_while(api: Api, browser: Browser) -> None:
    """Nobody has to compute the end, and the draft says that everybody has the present values again."""
    api.declare()
    page = add(browser, "5", ends_after="24")
    ends_at = datetime.fromisoformat(operation(browser)["ends_at"])
    assert timedelta(hours=23, minutes=58) < ends_at - datetime.now(UTC) <= timedelta(hours=24)
    assert "When it is saved cache_ttl where user is john : 60 → 5" in page.text
    assert f"From {ends_at:%Y-%m-%d %H:%M} on Everybody has the present values again." in page.text
    assert "ends: " + f"{ends_at:%Y-%m-%d %H:%M}" in page.text
    assert "does not come back" not in page.text


def test_a_rule_that_starts_later_ends_after_that(api: Api, browser: Browser) -> None:
    """The time is counted from the start, and both times are in the draft."""
    api.declare()
    page = add(browser, "5", starts_at="2099-01-01T08:00", ends_after="8")
    assert operation(browser)["ends_at"] == "2099-01-01T16:00:00Z"
    assert "When it is saved No value changes for anybody." in page.text
    assert "From 2099-01-01 08:00 on cache_ttl where user is john : 60 → 5" in page.text
    assert "From 2099-01-01 16:00 on Everybody has the present values again." in page.text


def test_a_value_that_does_not_come_back(api: Api, browser: Browser) -> None:
    """A rule without an end that gets one leaves the others to decide afterwards, and the draft says so."""
    api.declare()
    change(api, "for all of dev", rule(10, environment="dev"))
    change(api, "for john", rule(20, user="john"))
    _, johns = api.rule_ids()
    path = f"{NEW}?rule={johns}"
    assert "its present value does not come back" in browser.open(path).text
    page = add(browser, "5", path, ends_at="2099-01-01T08:00")
    assert "value: 20 → 5" in page.text
    assert "ends: never → 2099-01-01 08:00" in page.text
    assert "From 2099-01-01 08:00 on" in page.text
    assert "cache_ttl where environment is dev and user is john : 20 → 10" in page.text
    assert "its present value does not come back" in page.text


@pytest.mark.parametrize("entered", [{"ends_at": "2099-01-01T08:00", "ends_after": "1"}, {"ends_after": "2"}])
def test_one_end_is_enough(api: Api, browser: Browser, entered: dict[str, str]) -> None:
    """Two ends, and an end that the form does not offer, are refused beside the field."""
    api.declare()
    page = add(browser, "5", **entered)
    assert (page.status, "Choose either a time or after how long the rule ends" in page.text) == (422, True)


def test_the_history_shows_times_in_words(api: Api, browser: Browser) -> None:
    """An end is a time for people, and the phase that follows from it is left out."""
    api.declare()
    change(api, "for a while", {**rule(5, user="john"), "ends_at": "2099-01-01T08:00:00Z"})
    change(api, "for good", {**rule(5, user="john"), "ends_at": None})
    page = browser.open("/console/history")
    assert "rule added where user is john value: 5 ends: 2099-01-01 08:00 " in page.text
    assert "ends: 2099-01-01 08:00 → never" in page.text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, ""), (5, "just now"), (60, "1 minute ago"), (3_599, "59 minutes ago"), (7_300, "2 hours ago"), (172_800, "")],
)
def test_recent_times_say_how_long_ago(seconds: int, shown: str) -> None:
    """Only for two days, because the date says more then."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == shown


def test_only_what_can_be_undone_offers_it(api: Api, browser: Browser) -> None:
    """A proposal alone changes no value, so the history has no button for it."""
    api.declare()
    change(api, "one", rule(1, user="john"))
    api.call("POST", "proposals", {"operations": [rule(9, user="ann")], "reason": "please"})
    revision = api.revision()
    paths = [
        str(form.action) for path in ("", f"/{revision}") for form in browser.open(f"/console/history{path}").forms
    ]
    assert next(path.rpartition("history/")[2] for path in paths if path.endswith("/undo")) == f"{revision - 1}/undo"
    assert not [path for path in paths if path.endswith(f"{revision}/undo")]


def test_a_search_for_a_person_leads_to_their_values(api: Api, browser: Browser) -> None:
    """Whoever searches for a value of a context feature probably wants the values in that context."""
    api.declare()
    change(api, "for john", rule(20, user="john"))
    page = browser.open("/console/?q=John")
    assert "john is a value of user. Show the values where user is john" in page.text
    (link,) = [str(each["href"]) for tag, each in page.tags if tag == "a" and "c.user=john" in str(each.get("href"))][
        :1
    ]
    assert link == "?c.user=john"
