"""A setting's value over time in a context: the changes of the value, and their picture."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from heksherlite.service.console.value_changes import ValueChange
from heksherlite.service.console.value_chart import chart_of
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.history import Record
from tests.console.shop import change, rule
from tests.service.api import Api
from tests.service.browser import Browser

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def values_in(browser: Browser, query: str) -> list[str]:
    """Return the values in the table of changes, the newest first."""
    html = browser.http.get(f"/console/history?setting=cache_ttl&{query}").text
    table = html.partition('aria-label="Changes of the value">')[2].partition("</div>")[0]
    rows = ET.fromstring(table).findall("./tbody/tr") if table else []  # noqa: S314 - our own page
    return ["".join(row.findall("td")[0].itertext()).strip() for row in rows]


def test_the_value_over_time_is_that_of_the_context(api: Api, browser: Browser) -> None:
    """Only what changes the value in the context is listed: rules that win, defaults, and the order of the features."""
    api.declare(default_value=60)
    change(api, "one", rule(10, environment="dev"))
    change(api, "another environment", rule(99, environment="prod"))
    change(api, "one user", rule(1, environment="dev", user="john"))
    change(api, "default", {"op": "set_default", "setting": "cache_ttl", "value": 61})
    change(api, "all users called john", rule(2, user="john"))
    change(api, "two", rule(20, environment="dev"))
    change(
        api,
        "gone",
        {"op": "delete_rule", "setting": "cache_ttl", "feature_values": {"environment": "dev", "user": "john"}},
    )
    assert values_in(browser, "c.environment=dev&c.user=john") == ["2", "1", "10", "60"]
    assert values_in(browser, "c.environment=dev&c.user=ann") == ["20", "10", "60"]
    assert values_in(browser, "c.environment=dev") == ["20", "10", "60"]
    assert values_in(browser, "") == ["61", "60"]
    move: dict[str, object] = {"op": "move_context_feature", "context_feature": "user", "to_before": "environment"}
    change(api, "the environment decides", move)
    assert values_in(browser, "c.environment=dev&c.user=john")[:2] == ["20", "2"]


def test_the_value_is_known_as_far_as_the_history_goes(api: Api, browser: Browser) -> None:
    """A period restricts the picture, and a wrong context is named."""
    api.declare(default_value=60)
    change(api, "one", rule(10, environment="dev"))
    assert values_in(browser, "c.environment=dev&until=2000-01-01T00:00") == []
    text = browser.open("/console/history?setting=cache_ttl&since=2999-01-01T00:00").text
    assert "The value did not change in this time" in text
    page = browser.open("/console/history?setting=cache_ttl&c.size=1")
    assert (page.status, "no context feature 'size'" in page.text) == (400, True)
    assert "over time" not in browser.open("/console/history?setting=unknown").text


def test_a_change_is_undone_with_one_click(api: Api, browser: Browser) -> None:
    """Every change in the list has a button that leads to a draft with its preview."""
    api.declare(default_value=60)
    revision = change(api, "one", rule(10, environment="dev"))
    page = browser.open("/console/history")
    page = browser.send(page.form(f"/console/history/{revision}/undo"))
    assert page.url.endswith("/console/draft")
    assert "cache_ttl where environment is dev : 10 → 60" in page.text


def steps(*values: object) -> list[ValueChange]:
    """Return changes of a value, one each hour, the newest first."""
    changes = []
    for number, value in enumerate(values):
        record = Record(number + 1, NOON + timedelta(hours=number), BY_SERVICE, 1, ())
        changes.append(ValueChange(record, number > 0, values[number - 1] if number else None, True, value))
    return changes[::-1]


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ((60, 10, 30), ["60", "10"]),
        ((True, False, True), ["true", "false"]),
        ((1, "a"), ['"a"', "1"]),
        ((1, True), ["true", "1"]),
        (("x" * 50,), [f'"{"x" * 18}…']),
        (tuple(f"v{n}" for n in range(9)), [*[f'"v{n}"' for n in range(8, 1, -1)], "other values"]),
    ],
)
def test_values_are_levels_of_the_picture(values: tuple[object, ...], levels: list[str]) -> None:
    """Numbers have a scale; of other values, each of the newest has a line."""
    chart = chart_of(steps(*values), None, NOON + timedelta(days=1))
    assert chart is not None
    assert [level.label for level in chart.levels] == levels
    assert len(chart.marks) == len(values)
    assert all(chart.left <= mark.x <= chart.right and 0 < mark.y < chart.height for mark in chart.marks)


def test_the_line_has_a_step_at_each_change() -> None:
    """A higher number is higher up, and time runs evenly to the right."""
    chart = chart_of(steps(0, 10), NOON, NOON + timedelta(hours=4))
    assert chart is not None
    first, second = chart.marks
    assert first.x == chart.left
    assert second.x == chart.left + (chart.right - chart.left) / 4
    assert second.y < first.y
    assert chart.path == f"M{first.x:.1f} {first.y:.1f}H{second.x:.1f}V{second.y:.1f}H{chart.right:.1f}"


def test_a_period_without_changes_has_the_value_of_before() -> None:
    """The line goes through the period, and before the setting existed there is none."""
    changes = steps(5, 5.5)
    later = chart_of(changes, NOON + timedelta(hours=2), NOON + timedelta(hours=3))
    assert later is not None
    assert ([level.label for level in later.levels], later.marks) == (["5.5"], [])
    assert chart_of(changes, None, NOON - timedelta(hours=1)) is None
    assert chart_of([], None, NOON) is None
