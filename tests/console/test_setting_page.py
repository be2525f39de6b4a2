"""What the page of a setting says about its declaration and its values."""

import json

from tests.console.shop import change, rule
from tests.service.api import Api
from tests.service.browser import Browser

PAGE = "/console/settings/cache_ttl"


def test_the_declaration_is_complete(api: Api, browser: Browser) -> None:
    """Its schema is there to be read and copied, and when a program last declared it."""
    api.declare(schema={"minimum": 5, "x-unit": "s"})
    page = browser.open(PAGE)
    assert '"minimum": 5' in page.text
    assert "(just now)" in page.text.partition("Last declared")[2].partition("Version")[0]


def test_long_values_can_be_read_as_a_whole(api: Api, browser: Browser) -> None:
    """The table shows the beginning, and a link leads to all of it, for people who may only read as well."""
    value = {f"key {number}": "x" * 10 for number in range(50)}
    api.declare("long", type="Json", default_value=value)
    change(api, "one", rule({**value, "more": 1}, "long", user="john"))
    (rule_id,) = api.rule_ids("long")
    page = browser.open("/console/settings/long")
    links = [str(each["href"]) for tag, each in page.tags if tag == "a" and "/value" in str(each.get("href"))]
    assert [each.rpartition("/long/")[2] for each in links] == [f"value?rule={rule_id}", "value"]
    whole = browser.open(f"/console/settings/long/value?rule={rule_id}")
    assert "long where user is john" in whole.text
    shown = whole.text.partition("where user is john")[2].partition("Revision")[0]
    assert json.loads(shown) == {**value, "more": 1}
    assert "long where no rule matches" in browser.open("/console/settings/long/value").text
    assert browser.open("/console/settings/long/value?rule=999").status == 404
    api.declare()
    assert "whole value" not in browser.open(PAGE).text


def test_rules_say_whether_they_may_win(api: Api, browser: Browser) -> None:
    """For a context of which a part is known, and also why others do not match."""
    api.declare()
    change(api, "some", rule(1, user="john"), rule(2, environment="dev"), rule(3, environment="prod"))
    page = browser.open(f"{PAGE}?c.environment=dev")
    rules = page.text.partition("The topmost rule that matches wins.")[2].partition("Edit the chosen rules")[0]
    assert "any john 1 may win" in rules
    assert "dev any 2 may win" in rules
    assert "prod any 3 does not match: environment is dev" in rules
    assert "may win" not in browser.open(PAGE).text
