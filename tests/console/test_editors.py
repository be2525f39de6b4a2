"""Fields made from schemas: objects, lists and tables of them, texts with formats, durations, and what may be null."""

from typing import Any

import pytest

from tests.service.api import Api
from tests.service.browser import Browser, Form, Page

LIMIT = {
    "type": "object",
    "properties": {
        "per": {"enum": ["day", "hour"], "description": "The period."},
        "count": {"type": "integer", "default": 3, "minimum": 1},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["per"],
    "additionalProperties": False,
}
SHOP = {
    "type": "object",
    "$defs": {"limit": LIMIT},
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "open": {"type": "boolean"},
        "since": {"type": "string", "format": "date-time"},
        "pause": {"type": "number", "unit": "s"},
        "limits": {"type": "array", "items": {"$ref": "#/$defs/limit"}, "default": []},
        "by country": {"type": "object", "additionalProperties": {"$ref": "#/$defs/limit"}, "default": {}},
        "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        "days": {"type": "array", "items": {"enum": ["sat", "sun"]}, "uniqueItems": True, "default": []},
        "first": {"anyOf": [{"$ref": "#/$defs/limit"}, {"type": "null"}], "default": None},
        "anything": {"default": {}},
    },
    "required": ["name", "open", "since", "pause"],
    "additionalProperties": False,
}
VALUE: dict[str, Any] = {
    "name": "a <b>",
    "open": True,
    "since": "2030-01-31T10:00:00+02:00",
    "pause": 7200,
    "limits": [{"per": "day", "count": 5, "note": None}, {"per": "hour"}],
    "by country": {"de": {"per": "hour", "count": 2}},
    "tags": ["x"],
    "first": None,
    "anything": [1, {"a": None}],
}
PAGE = "/console/settings/shop/default"


def declare(api: Api, schema: dict[str, Any], default: Any, type_: str = "Json") -> None:
    response = api.declare("shop", type=type_, schema=schema, default_value=default, metadata={})
    assert response.status_code == 200, response.text


def drafted(browser: Browser) -> Any:
    """Return the value that is in the draft."""
    (operation,) = browser.http.get("/console/draft/export").json()["operations"]
    return operation["value"]


def form_of(page: Page) -> Form:
    assert page.unlabelled == []
    return page.form(PAGE)


def test_an_object_comes_back_as_it_was(api: Api, browser: Browser) -> None:
    """Fields that nobody touches change nothing, whatever is optional, nested, null, or without a type."""
    declare(api, SHOP, VALUE)
    form = form_of(browser.open(PAGE))
    assert (form.value("v$.pause"), form.value("u$.pause")) == ("2", "hours")
    assert form.value("v$.since") == "2030-01-31T08:00:00"
    browser.send(form, {"v$.since": "2030-01-31T08:00"})  # as browsers send it
    assert drafted(browser) == VALUE


def test_an_object_is_edited(api: Api, browser: Browser) -> None:
    """Items and keys are added and removed, options are ticked, and what is optional is set or left out."""
    declare(api, SHOP, VALUE)
    changes = {
        "v$.open": "false",
        "v$.pause": "1.5",
        "u$.pause": "minutes",
        "g$.limits[0]": None,
        "g$.limits[2]": "yes",
        "v$.limits[2].per": '"hour"',
        "g$.limits[2].note": "yes",
        "v$.limits[2].note": "new",
        'k$["by country"][0]': "",
        'k$["by country"][1]': "fr",
        'v$["by country"][1].per': '"day"',
        "v$.tags[1]": "y",
        "g$.days": "yes",
        "v$.days": ['"sun"'],
        "g$.first": "yes",
        "v$.first.per": '"day"',
        "g$.anything": None,
    }
    browser.send(form_of(browser.open(PAGE)), changes)
    assert drafted(browser) == {
        "name": "a <b>",
        "open": False,
        "since": "2030-01-31T10:00:00+02:00",
        "pause": 90,
        "limits": [{"per": "hour"}, {"per": "hour", "note": "new"}],
        "by country": {"fr": {"per": "day"}},
        "tags": ["x", "y"],
        "days": ["sun"],
        "first": {"per": "day"},
    }


def test_what_is_wrong_is_said_beside_the_field(api: Api, browser: Browser) -> None:
    """Faults of reading and of the schema are beside their fields, and what was entered is still there."""
    declare(api, SHOP, VALUE)
    changes: dict[str, str] = {"v$.pause": "soon", "v$.limits[0].count": "many", "g$.limits[2]": "yes"}
    page = browser.send(form_of(browser.open(PAGE)), changes)
    assert page.status == 422
    assert "Enter a number; this is 'soon'" in page.text
    assert "Enter a number; this is 'many'" in page.text
    assert "Choose a value" in page.text
    form = form_of(page)
    assert (form.value("v$.pause"), form.value("v$.limits[0].count")) == ("soon", "many")
    page = browser.send(form, {"v$.pause": "1", "v$.limits[0].count": "0", "v$.name": "b", "g$.limits[2]": None})
    invalid = [each["name"] for _, each in page.tags if each.get("aria-invalid") == "true"]
    assert invalid == ["v$.name", "v$.limits[0].count"]
    assert "less than the minimum of 1" in page.text
    page = browser.send(form_of(page), {"v$.name": "bc", "v$.limits[0].count": "1", "v$.limits[1].count": "7"})
    assert "Tick the box to set a value" in page.text
    assert browser.open("/console/draft").headings[0] == "Draft"
    assert browser.http.get("/console/draft/export").json()["operations"] == []


def test_more_rows_are_offered(api: Api, browser: Browser) -> None:
    """What was entered so far stays, and nothing goes into the draft."""
    declare(api, SHOP, VALUE)
    entered = {"g$.limits[2]": "yes", "v$.limits[2].per": '"day"', "v$.name": "half"}
    form = form_of(browser.send(form_of(browser.open(PAGE)), entered, mode="more"))
    assert (form.value("n$.limits"), form.value("v$.limits[2].per"), form.value("v$.name")) == ("4", '"day"', "half")
    assert browser.http.get("/console/draft/export").json()["operations"] == []


@pytest.mark.parametrize(
    ("type_", "schema", "default", "entered", "stored"),
    [
        ("float", {"unit": "s"}, 90.0, {"v$": "2", "u$": "days"}, 172_800),
        ("str", {"format": "date"}, "2030-01-31", {"v$": "2030-02-01"}, "2030-02-01"),
        ("str", {"format": "date-time"}, "2030-01-31T00:00:00Z", {"v$": "2030-02-01T08:30"}, "2030-02-01T08:30:00Z"),
        ("str", {"format": "uuid"}, "3fa2b1c0-9d8e-4f6a-8b1c-2d3e4f5a6b7c", {}, "3fa2b1c0-9d8e-4f6a-8b1c-2d3e4f5a6b7c"),
        ("Json", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, None, {"g$": "yes", "v$": "5"}, 5),
        ("Json", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, 5, {"g$": None, "v$": ""}, None),
        ("Sequence<Sequence<int>>", {}, [[1], [2, 3]], {"v$[1][2]": "4", "g$[0]": None}, [[2, 3, 4]]),
        ("Mapping<Sequence<str>>", {}, {"a": ["b"]}, {"k$[1]": "c", "v$[1][0]": "d"}, {"a": ["b"], "c": ["d"]}),
    ],
)
def test_fields_of_one_value(
    api: Api, browser: Browser, type_: str, schema: dict[str, Any], default: Any, entered: dict[str, Any], stored: Any
) -> None:
    """Durations have a unit, dates a picker, null a box, and nested lists fields."""
    declare(api, schema, default, type_)
    page = browser.send(form_of(browser.open(PAGE)), entered)
    assert page.headings[0] == "Draft", page.text
    assert drafted(browser) == stored


@pytest.mark.parametrize(
    ("format_", "text", "fault"), [("ipv4", "1.2.3", '"1.2.3" is not a "ipv4"'), ("uuid", "x", '"x" is not a "uuid"')]
)
def test_formats_are_checked(api: Api, browser: Browser, format_: str, text: str, fault: str) -> None:
    """The fault of a format is beside the only field."""
    default = {"ipv4": "192.0.2.1", "uuid": "3fa2b1c0-9d8e-4f6a-8b1c-2d3e4f5a6b7c"}[format_]
    declare(api, {"format": format_}, default, "str")
    page = browser.send(form_of(browser.open(PAGE)), {"v$": text})
    assert (page.status, fault in page.text) == (422, True), page.text


@pytest.mark.parametrize("schema", [{}, {"type": "array", "items": {"type": ["integer", "null"]}}])
def test_what_has_no_fields_is_json(api: Api, browser: Browser, schema: dict[str, Any]) -> None:
    """Without a usable schema, the value is entered as JSON; large values are too."""
    declare(api, schema, [1, None])
    assert form_of(browser.open(PAGE)).value("json") == "[\n  1,\n  null\n]"
    large = {"type": "array", "items": {"type": "integer"}}
    api.declare("large", type="Json", schema=large, default_value=list(range(500)), metadata={})
    assert '"' not in browser.open("/console/settings/large/default").form("/console/settings/large/default").value(
        "json"
    )
