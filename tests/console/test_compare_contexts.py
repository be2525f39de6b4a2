"""The values of two contexts side by side, which are copied into the draft as rules for the second one."""

from typing import Any

import pytest

from tests.console.shop import change, rule
from tests.service.api import Api
from tests.service.browser import Browser, Form, Page

PAGE = "/console/compare/contexts"
GLOBEX_AND_ACME = "?c.environment=prod&c.user=globex&d.environment=prod&d.user=acme"


@pytest.fixture(autouse=True)
def shop(api: Api) -> Api:
    """Declare settings whose values differ for several reasons."""
    api.declare("by_user", default_value=60)
    api.declare("by_both", default_value=60)
    api.declare("same", default_value=60)
    api.declare("elsewhere", default_value=60, configurable_features=["environment", "theme"])
    change(
        api,
        "some rules",
        rule(1, "by_user", user="globex"),
        rule(2, "by_both", user="acme", environment="prod"),
        rule(3, "by_both", environment="prod"),
        rule(4, "same", user="globex"),
        rule(4, "same", environment="prod", user="acme"),
        rule(5, "elsewhere", environment="prod"),
        rule(6, "elsewhere", theme="dark"),
    )
    return api


def names_on(page: Page) -> list[str]:
    return [
        str(each["href"]).rpartition("/")[2]
        for tag, each in page.tags
        if tag == "a" and "/settings/" in str(each.get("href"))
    ]


def form_of(page: Page) -> Form:
    """Return the form with the differences."""
    (form,) = [form for form in page.forms if form.method == "post" and form.action.endswith(PAGE)]
    return form


def drafted(browser: Browser) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = browser.http.get("/console/draft/export").json()["operations"]
    return operations


def test_values_that_differ(browser: Browser) -> None:
    """Whichever rules are the cause; what has the same value by other rules, or no such feature, is left out."""
    page = browser.open(PAGE + GLOBEX_AND_ACME)
    assert page.unlabelled == []
    assert names_on(page) == ["by_both", "by_user"]
    assert "2 differences" in page.text
    assert "by_user 1 rule" in page.text
    assert "60 default of the program" in page.text


def test_values_are_copied(browser: Browser) -> None:
    """A chosen row, or all of them, become rules with the conditions of the second context."""
    form = form_of(browser.open(PAGE + GLOBEX_AND_ACME))
    page = browser.send(form, row="by_user")
    acme = {"environment": "prod", "user": "acme"}
    assert drafted(browser) == [{"op": "put_rule", "setting": "by_user", "feature_values": acme, "value": 1}]
    assert "by_user where environment is prod and user is acme : 60 → 1" in page.text
    browser.send(form, all="yes")
    assert [(each["setting"], each["value"]) for each in drafted(browser)] == [("by_user", 1), ("by_both", 3)]
    browser.send(browser.open("/console/draft").form("/console/draft/save"), reason="as for globex")
    assert "Nothing differs" in browser.open(PAGE + GLOBEX_AND_ACME).text


def test_several_possible_values(browser: Browser) -> None:
    """Where the first context leaves several values possible, they are listed, and nothing can be copied."""
    page = browser.open(f"{PAGE}?c.environment=prod&d.environment=dev")
    assert "elsewhere 6 where theme is dark 5 everywhere, except where theme is dark" in page.text
    assert "elsewhere" not in form_of(page).offered.get("row", [])
    response = browser.send(form_of(page), row="elsewhere")
    assert (response.status, "exactly one value" in response.text) == (400, True)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "First context"),
        ("?c.user=globex", "Fill in at least one field of each context"),
        ("?c.user=a&d.user=b", "Nothing differs"),
        (f"{GLOBEX_AND_ACME}&after=zzz", "There are no more differences"),
    ],
)
def test_what_there_is_to_say(browser: Browser, query: str, text: str) -> None:
    """A page without rows says why, and how to go on."""
    page = browser.open(PAGE + query)
    assert (page.status, text in page.text) == (200, True), page.text


def test_a_form_of_another_page_is_refused(browser: Browser) -> None:
    """A form without contexts says what is missing."""
    page = browser.send(form_of(browser.open(PAGE + GLOBEX_AND_ACME)), left="?", row="by_user")
    assert (page.status, "the form does not say what to copy" in page.text.casefold()) == (400, True)


def test_what_only_the_second_value_has_is_hidden(browser: Browser) -> None:
    """So that a long list has only what would be copied."""
    path = "/console/compare?feature=user&left=globex&right=acme"
    assert names_on(browser.open(path)) == ["by_both", "by_user", "same", "same"]
    assert names_on(browser.open(f"{path}&only=copied")) == ["by_user", "same"]


def test_a_long_comparison_goes_on(api: Api, browser: Browser) -> None:
    """A page has fifty differences, and the next one continues after the last setting that was compared."""
    rules = []
    for number in range(51):
        api.declare(f"many_{number:03}")
        rules.append(rule(1, f"many_{number:03}", user="globex"))
    change(api, "many", *rules)
    page = browser.open(PAGE + GLOBEX_AND_ACME)
    assert names_on(page)[:3] == ["by_both", "by_user", "many_000"]
    assert "50 differences; there may be more" in page.text
    (following,) = [str(each["href"]) for tag, each in page.tags if tag == "a" and each.get("rel") == "next"]
    page = browser.open(f"{PAGE}{following}")
    assert names_on(page) == ["many_048", "many_049", "many_050"]
    assert "3 differences after many_047" in page.text
    browser.send(form_of(page), all="yes")
    assert len(drafted(browser)) == 53


def test_the_same_rules_for_others_are_no_difference(api: Api, browser: Browser) -> None:
    """If a part of the context is unknown, what wins there has to be the same for both sides, in every case."""
    api.declare("three", configurable_features=["environment", "user", "theme"])
    dark = [rule(7, "three", environment=each, theme="dark") for each in ("dev", "prod")]
    change(api, "the same for both", *dark)
    query = "?c.environment=dev&d.environment=prod"
    assert "three" not in names_on(browser.open(PAGE + query))
    change(api, "now only for one", rule(8, "three", environment="dev", user="ann"))
    assert "three" in names_on(browser.open(PAGE + query))
    change(api, "the other as well", rule(8, "three", environment="prod", user="ann"))
    assert "three" not in names_on(browser.open(PAGE + query))
    change(api, "another value", rule(9, "three", environment="prod", user="ann"))
    assert "three" in names_on(browser.open(PAGE + query))
    assert "three" in names_on(browser.open(f"{PAGE}?c.environment=dev&d.environment=prod&d.theme=dark"))
