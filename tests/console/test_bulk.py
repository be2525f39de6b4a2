"""The same edit of several settings or rules, by way of the draft."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.console.shop import rule
from tests.service.api import Api
from tests.service.browser import Browser, Form, Page

CHOSEN = "/console/bulk?setting=page_size&setting=cache_ttl"


@pytest.fixture(autouse=True)
def shop(api: Api) -> Api:
    """Declare two settings with rules for staging and prod, and a text."""
    api.declare("cache_ttl", default_value=60)
    api.declare("page_size", default_value=20, schema={"maximum": 1000})
    api.declare("sender", type="str", default_value="a@example.com", configurable_features=["theme"])
    for operation in (
        rule(1, environment="staging"),
        rule(2, environment="staging", user="john"),
        rule(3, environment="prod"),
        rule(4, environment="prod", user="jane"),
        rule(5, "page_size", environment="staging"),
    ):
        assert api.call("POST", "changes", {"operations": [operation]}).status_code == 200
    return api


def form_with(page: Page, do: str) -> Form:
    (form,) = [form for form in page.forms if do in form.buttons.get("do", [])]
    return form


def drafted(browser: Browser) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = browser.http.get("/console/draft/export").json()["operations"]
    return operations


def test_rows_can_be_chosen_in_both_tables(browser: Browser) -> None:
    """Each row has a box that belongs to the form below the table, without script."""
    for path, name, count in (("/console/", "setting", 3), ("/console/settings/cache_ttl", "rule", 4)):
        page = browser.open(path)
        boxes = [each for tag, each in page.tags if tag == "input" and each.get("form") == "bulk"]
        assert [each["name"] for each in boxes] == [name] * count
        assert page.unlabelled == []
        (form,) = [each for tag, each in page.tags if tag == "form" and each.get("id") == "bulk"]
        assert (form["method"], str(form["action"]).rpartition("/")[2]) == ("get", "bulk")


def test_a_value_for_several_settings(browser: Browser) -> None:
    """With conditions it is a rule for each, without any the default; a value has to fit all of them."""
    page = browser.open(CHOSEN)
    assert page.unlabelled == []
    refused = browser.send(form_with(page, "value"), {"f.user": "ann", "json": "2000"}, do="value")
    assert (refused.status, "2000 is greater than the maximum of 1000" in refused.text) == (422, True), refused.text
    form = form_with(refused, "value")
    assert (form.value("f.user"), form.value("json")) == ("ann", "2000")
    browser.send(form, json="7", do="value")
    assert [(each["setting"], each["feature_values"], each["value"]) for each in drafted(browser)] == [
        ("page_size", {"user": "ann"}, 7),
        ("cache_ttl", {"user": "ann"}, 7),
    ]
    browser.send(form_with(page, "value"), json="8", do="value")
    assert [each["op"] for each in drafted(browser)][2:] == ["set_default"] * 2


@pytest.mark.parametrize("exactly", [None, "yes"])
def test_rules_are_copied_from_staging_to_prod(browser: Browser, exactly: str | None) -> None:
    """What differs is copied; what only prod has is deleted on request."""
    entered = {"feature": "environment", "from": "staging", "to": "prod", "exactly": exactly}
    browser.send(form_with(browser.open(CHOSEN), "copy"), entered, do="copy")
    shown = [(each["op"], each["setting"], each["feature_values"], each.get("value")) for each in drafted(browser)]
    prod = {"environment": "prod"}
    copies: list[tuple[Any, ...]] = [
        ("put_rule", "cache_ttl", prod, 1),
        ("put_rule", "cache_ttl", {**prod, "user": "john"}, 2),
        ("put_rule", "page_size", prod, 5),
    ]
    if exactly:
        copies.insert(1, ("delete_rule", "cache_ttl", {**prod, "user": "jane"}, None))
    assert shown == copies


def test_chosen_rules(api: Api, browser: Browser) -> None:
    """Rules of one setting get a value, copies for another environment, or are deleted."""
    first, second, *_ = api.rule_ids()
    page = browser.open(f"/console/bulk?setting=cache_ttl&rule={first}&rule={second}")
    browser.send(form_with(page, "copy"), {"feature": "environment", "to": "dev"}, do="copy")
    assert [(each["feature_values"]["environment"], each["value"]) for each in drafted(browser)] == [
        ("dev", 1),
        ("dev", 2),
    ]
    browser.send(form_with(page, "value"), value="9", do="value")
    assert [each["value"] for each in drafted(browser)[2:]] == [9, 9]
    browser.send(form_with(page, "delete_rules"), do="delete_rules")
    assert [each["op"] for each in drafted(browser)] == ["put_rule"] * 2 + ["delete_rule"] * 2


@pytest.mark.parametrize(
    ("do", "op"), [("protect", "set_protection"), ("end_protection", "set_protection"), ("delete", "delete_setting")]
)
def test_whole_settings(browser: Browser, do: str, op: str) -> None:
    """Several settings are protected or deleted together."""
    browser.send(form_with(browser.open(CHOSEN), do), do=do)
    assert [each["op"] for each in drafted(browser)] == [op] * 2


def test_rules_of_a_value_are_deleted(browser: Browser) -> None:
    """All rules with a condition go, whatever else they require."""
    entered = {"feature": "environment", "from": "staging"}
    browser.send(form_with(browser.open(CHOSEN), "delete_rules"), entered, do="delete_rules")
    assert [each["setting"] for each in drafted(browser)] == ["page_size", "cache_ttl", "cache_ttl"]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("", 400, "Choose at least one row"),
        ("?setting=unknown", 404, "setting 'unknown' does not exist"),
        ("?setting=cache_ttl&rule=9999", 400, "has no rule 9999"),
        ("?setting=cache_ttl&setting=sender&rule=1", 400, "rules of one setting"),
    ],
)
def test_what_cannot_be_edited_together(browser: Browser, path: str, status: int, text: str) -> None:
    """The page says what to choose instead."""
    page = browser.open(f"/console/bulk{path}")
    assert (page.status, text.casefold() in page.text.casefold()) == (status, True), page.text


@pytest.mark.parametrize(
    ("do", "entered", "text"),
    [
        ("value", {"json": "staging"}, "This is not JSON: unexpected character, expected a JSON value"),
        ("copy", {"from": "staging", "to": ""}, "Fill in the context feature"),
        ("copy", {"feature": "theme", "from": "x", "to": "y"}, "There is nothing to do"),
        ("delete_rules", {"from": ""}, "Fill in the context feature and its value"),
        ("dance", {}, "There is no action 'dance'"),
    ],
)
def test_what_is_wrong_is_said(browser: Browser, do: str, entered: dict[str, str], text: str) -> None:
    """The forms come back with the reason, and the draft stays empty."""
    form = form_with(browser.open(CHOSEN), do if do != "dance" else "value")
    page = browser.send(form, entered, do=do)
    assert (page.status, text in page.text) == (422, True), page.text
    assert drafted(browser) == []


def test_everything_that_a_search_finds(browser: Browser) -> None:
    """All settings on all pages are edited, without a tick; the words and filters stay."""
    page = browser.open("/console/?q=staging&has=rules")
    (form,) = [form for form in page.forms if "found" in form.buttons]
    assert "Edit all 2 found" in page.text
    bulk = browser.open(f"/console/bulk?{urlencode(form.filled_in({'found': 'yes'}))}")
    assert "Edit 2 settings" in bulk.text
    assert form_with(bulk, "delete").value("setting").split() == ["cache_ttl", "page_size"]
    assert "Edit all 3 " in browser.open("/console/").text


def test_settings_of_one_type_have_its_editor(api: Api, browser: Browser) -> None:
    """As in the form of one setting, with its limits; JSON is possible as well, and what is wrong is said beside it."""
    for name in ("fast", "slow"):
        api.declare(name, type='Enum["a","b"]', default_value="a")
    page = browser.open("/console/bulk?setting=fast&setting=slow")
    assert page.unlabelled == []
    form = form_with(page, "value")
    assert {'"a"', '"b"'} <= {each.get("value") for tag, each in page.tags if tag == "option"}
    browser.send(form, {"f.user": "ann", "value": '"b"'}, do="value")
    assert [(each["setting"], each["value"]) for each in drafted(browser)] == [("fast", "b"), ("slow", "b")]
    refused = browser.send(form, {"f.user": "ann", "json": '"c"'}, do="json")
    assert refused.status == 422
    assert form_with(refused, "value").value("f.user") == "ann"
    assert form_with(refused, "value").value("json") == '"c"'
    browser.send(form, {"f.user": "ann", "json": '"a"'}, do="json")
    assert [each["value"] for each in drafted(browser)] == ["a", "a"]


def test_objects_are_edited_together(api: Api, browser: Browser) -> None:
    """Settings with the same schema have its form; it keeps what was entered when more rows are requested."""
    schema = {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}
    for name in ("one", "two"):
        api.declare(name, type="Json", default_value={"tags": ["x"]}, schema=schema)
    form = form_with(browser.open("/console/bulk?setting=one&setting=two"), "value")
    more = form_with(browser.send(form, {"v$.tags[0]": "y"}, do="more"), "value")
    assert more.value("v$.tags[0]") == "y"
    browser.send(more, do="value")
    assert [each["value"] for each in drafted(browser)] == [{"tags": ["y"]}] * 2
