import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service import embedded
from heksherlite.service.domain import context_features
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.counters import Counters
from heksherlite.service.storage.history_search import Search
from tests.service.api import FEATURES, Api
from tests.service.stores import opened

SETTING = {
    "name": "cache_ttl",
    "type": "int",
    "default_value": 60,
    "configurable_features": ["environment", "user"],
    "version": "1.0",
    "metadata": {},
    "aliases": [],
}

Write = Callable[[Api, int, dict[str, str]], httpx.Response]


def calling(method: str, path: str, body: Any = None) -> Write:
    def call(api: Api, rule_id: int, headers: dict[str, str]) -> httpx.Response:
        return api.call(method, path.format(rule_id=rule_id), body, headers=headers)

    return call


def reverting(api: Api, _rule_id: int, headers: dict[str, str]) -> httpx.Response:
    return api.call("POST", f"history/{api.revision()}/revert", headers=headers)


def importing(api: Api, _rule_id: int, headers: dict[str, str]) -> httpx.Response:
    lines = [
        {"format": "heksherlite-export", "version": 1, "context_features": FEATURES},
        {"setting": {**SETTING, "default_value": 61}},
        {"end": {"settings": 1, "rules": 0, "last_rule_id": 0}},
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines)
    return api.http.post("/api/v1/import", params={"replace": "true"}, content=content, headers=headers)


DECLARATION = {"name": "new", "type": "int", "default_value": 1, "configurable_features": ["user"]}
RULE = {"setting": "cache_ttl", "feature_values": {"user": "b"}, "value": 1}
OPERATIONS = {"operations": [{"op": "put_rule", **RULE}]}

ELSEWHERE = (
    "tokens",
    "signing_key",
    "applications",
    "device_codes",
    "groups",
    "secrets",
    "proposals/",
    "settings/{name}/declarers",
    "declarations/preview",
)
"""The beginnings of the paths whose writes other tests look at in the history: they need more than this service has."""


WRITES: dict[tuple[str, str], Write] = {
    ("post", "/api/v1/context_features"): calling("POST", "context_features", {"context_feature": "new"}),
    ("delete", "/api/v1/context_features/{name}"): calling("DELETE", "context_features/theme"),
    ("patch", "/api/v1/context_features/{name}/index"): calling(
        "PATCH", "context_features/theme/index", {"to_before": "user"}
    ),
    ("post", "/api/v1/settings/declare"): calling("POST", "settings/declare", DECLARATION),
    ("delete", "/api/v1/settings/{name}"): calling("DELETE", "settings/cache_ttl"),
    ("put", "/api/v1/settings/{name}/type"): calling(
        "PUT", "settings/cache_ttl/type", {"type": "float", "version": "2.0"}
    ),
    ("put", "/api/v1/settings/{name}/name"): calling("PUT", "settings/cache_ttl/name", {"name": "b", "version": "1.0"}),
    ("put", "/api/v1/settings/{name}/configurable_features"): calling(
        "PUT", "settings/cache_ttl/configurable_features", {"configurable_features": ["user"], "version": "1.1"}
    ),
    ("post", "/api/v1/settings/{name}/metadata"): calling(
        "POST", "settings/cache_ttl/metadata", {"metadata": {"a": 1}, "version": "1.1"}
    ),
    ("put", "/api/v1/settings/{name}/metadata"): calling(
        "PUT", "settings/cache_ttl/metadata", {"metadata": {"a": 1}, "version": "1.1"}
    ),
    ("delete", "/api/v1/settings/{name}/metadata"): calling(
        "DELETE", "settings/cache_ttl/metadata", {"version": "1.1"}
    ),
    ("put", "/api/v1/settings/{name}/metadata/{key}"): calling(
        "PUT", "settings/cache_ttl/metadata/a", {"value": 1, "version": "1.1"}
    ),
    ("delete", "/api/v1/settings/{name}/metadata/{key}"): calling(
        "DELETE", "settings/cache_ttl/metadata/a", {"version": "1.1"}
    ),
    ("post", "/api/v1/changes"): calling("POST", "changes", OPERATIONS),
    ("post", "/api/v1/import"): importing,
    ("post", "/api/v1/proposals"): calling("POST", "proposals", OPERATIONS),
    ("post", "/api/v1/rules"): calling("POST", "rules", RULE),
    ("put", "/api/v1/rules/{rule_id}/value"): calling("PUT", "rules/{rule_id}/value", {"value": 2}),
    ("patch", "/api/v1/rules/{rule_id}"): calling("PATCH", "rules/{rule_id}", {"value": 2}),
    ("put", "/api/v1/rules/{rule_id}/schedule"): calling("PUT", "rules/{rule_id}/schedule", {"ends_at": "2100-01-01"}),
    ("delete", "/api/v1/rules/{rule_id}"): calling("DELETE", "rules/{rule_id}"),
    ("post", "/api/v1/rules/{rule_id}/metadata"): calling("POST", "rules/{rule_id}/metadata", {"metadata": {"a": 1}}),
    ("put", "/api/v1/rules/{rule_id}/metadata"): calling("PUT", "rules/{rule_id}/metadata", {"metadata": {"a": 1}}),
    ("delete", "/api/v1/rules/{rule_id}/metadata"): calling("DELETE", "rules/{rule_id}/metadata"),
    ("put", "/api/v1/rules/{rule_id}/metadata/{key}"): calling("PUT", "rules/{rule_id}/metadata/a", {"value": 1}),
    ("delete", "/api/v1/rules/{rule_id}/metadata/{key}"): calling("DELETE", "rules/{rule_id}/metadata/k"),
    ("post", "/api/v1/history/{revision}/revert"): reverting,
}
"""One call that changes something for every route that can."""


@pytest.fixture
def rule_id(api: Api) -> int:
    api.declare()
    rule_id = api.add_rule(1, user="a")
    api.call("PUT", f"rules/{rule_id}/metadata", {"metadata": {"k": 1}})
    return rule_id


def test_every_writing_route_is_known_here(api: Api) -> None:
    """A new writing route must be added to these tests."""
    paths = api.http.get("/openapi.json").json()["paths"]
    writing = {
        (method, path)
        for path, methods in paths.items()
        for method in methods
        if method != "get" and path.startswith("/api/") and not path.removeprefix("/api/v1/").startswith(ELSEWHERE)
    }
    assert writing == WRITES.keys()


@pytest.mark.parametrize("route", WRITES, ids=" ".join)
def test_every_kind_of_write_is_in_the_history(api: Api, rule_id: int, route: tuple[str, str]) -> None:
    """Each write makes one record, with its time, its author, the address, and the reason in the header."""
    before = api.revision()
    began = datetime.now(UTC)
    response = WRITES[route](api, rule_id, {"X-Change-Reason": "because"})
    assert response.is_success, response.text
    (record,) = [record for record in api.history(limit=5) if record["revision"] > before]
    assert record["author"] == {"kind": "anonymous", "id": None, "name": None, "address": "127.0.0.1"}
    assert record["reason"] == "because"
    assert began <= datetime.fromisoformat(record["time"]) <= datetime.now(UTC)
    assert record["change_count"] == len(record["changes"]) >= 1
    assert all(change["before"] != change["after"] for change in record["changes"])
    assert api.get(f"history/{record['revision']}").json() == record


ABOUT_OTHERS = {
    ("post", "/api/v1/context_features"),
    ("delete", "/api/v1/context_features/{name}"),
    ("patch", "/api/v1/context_features/{name}/index"),
    ("post", "/api/v1/settings/declare"),
    ("post", "/api/v1/proposals"),
}
"""The calls that change another setting or none."""


@pytest.mark.parametrize("route", sorted(WRITES.keys() - ABOUT_OTHERS), ids=" ".join)
def test_no_route_changes_a_protected_setting(api: Api, rule_id: int, route: tuple[str, str]) -> None:
    """Every direct write to a protected setting is refused and says that a proposal is needed, by whatever route."""
    unprotected = api.revision()
    protect = {"op": "set_protection", "setting": "cache_ttl", "protected": True}
    assert api.call("POST", "changes", {"operations": [protect]}).is_success
    before = api.state()
    if route[1].endswith("/revert"):
        response = api.call("POST", f"history/{unprotected}/revert")
    else:
        response = WRITES[route](api, rule_id, {})
    assert response.status_code == 403, response.text
    assert "proposal" in response.text
    assert api.state() == before
    unprotect = {"operations": [{**protect, "protected": False}], "break_glass": True, "reason": "the test is over"}
    assert api.call("POST", "changes", unprotect).is_success


def test_values_before_and_after_are_told(api: Api) -> None:
    """A record has the complete contents before and after a change, or null."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    api.call("PATCH", "context_features/theme/index", {"to_before": "user"})
    moved, changed, added, declared = api.history(limit=4)
    rule = {"feature_values": {"user": "a"}, "value": 1, "metadata": {}}
    of_rule = {"kind": "rule", "setting": "cache_ttl", "rule_id": rule_id}
    assert declared["changes"] == [
        {"kind": "setting", "setting": "cache_ttl", "rule_id": None, "before": None, "after": SETTING}
    ]
    assert added["changes"] == [{**of_rule, "before": None, "after": rule}]
    assert changed["changes"] == [{**of_rule, "before": rule, "after": {**rule, "value": 2}}]
    order = {"before": FEATURES, "after": ["environment", "theme", "user"]}
    assert moved["changes"] == [{"kind": "context_features", "setting": None, "rule_id": None, **order}]


def test_the_rules_of_a_deleted_setting_are_told(api: Api) -> None:
    """Deleting a setting records the setting and each of its rules."""
    api.declare()
    rules = {api.add_rule(number, user=str(number)): number for number in range(3)}
    api.call("DELETE", "settings/cache_ttl")
    (record,) = api.history(limit=1)
    assert record["changes"][0]["before"] == SETTING
    told = {change["rule_id"]: change["before"]["value"] for change in record["changes"][1:]}
    assert told == rules
    assert {change["after"] for change in record["changes"]} == {None}


def test_a_list_shows_the_first_hundred_changes_of_a_write(api: Api) -> None:
    """A list has at most a hundred changes of a write, and says so. A single record has all."""
    api.declare()
    api.add_rules((number, {"user": str(number)}) for number in range(105))
    api.call("DELETE", "settings/cache_ttl")
    (record,) = api.history(limit=1)
    assert (len(record["changes"]), record["change_count"]) == (100, 106)
    assert len(api.get(f"history/{record['revision']}").json()["changes"]) == 106


@pytest.mark.parametrize(
    ("headers", "field", "expected"),
    [
        ({}, None, None),
        ({}, "a field", "a field"),
        ({"X-Change-Reason": "a header"}, None, "a header"),
        ({"X-Change-Reason": "a header"}, "a field", "a header"),
        ({"X-Change-Reason": "für Jürgen"}, None, "für Jürgen"),
        ({"X-Change-Reason": "für Jürgen".encode("latin-1")}, None, "für Jürgen"),
        ({"X-Change-Reason": ""}, None, None),
        ({}, "x" * 1000, "x" * 1000),
    ],
)
def test_a_reason_comes_in_a_header_or_a_field(
    api: Api, rule_id: int, headers: dict[str, str | bytes], field: str | None, expected: str | None
) -> None:
    """Any write takes a reason in X-Change-Reason, in UTF-8 or Latin-1, or in its body; the header counts first."""
    body = {"value": 2} if field is None else {"value": 2, "reason": field}
    encoded = {name: text.encode() if isinstance(text, str) else text for name, text in headers.items()}
    assert api.call("PUT", f"rules/{rule_id}/value", body, headers=list(encoded.items())).status_code == 204
    assert api.history(limit=1)[0]["reason"] == expected


def test_a_delete_takes_a_reason_in_its_body(api: Api, rule_id: int) -> None:
    """A write that needs no body can have one with the reason."""
    assert api.call("DELETE", f"rules/{rule_id}", {"reason": "over"}).status_code == 204
    assert api.history(limit=1)[0]["reason"] == "over"


@pytest.mark.parametrize("reason", [5, ["a"], {}, "x" * 1001, "\0"])
def test_a_malformed_reason_is_422(api: Api, rule_id: int, reason: Any) -> None:
    """A reason that is not text or is too long is refused, and nothing changes."""
    before = api.state()
    response = api.call("PUT", f"rules/{rule_id}/value", {"value": 2, "reason": reason})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "reason"]
    too_long = api.call("PUT", f"rules/{rule_id}/value", {"value": 2}, headers={"X-Change-Reason": "x" * 1001})
    assert too_long.json()["detail"][0]["loc"] == ["header", "X-Change-Reason"]
    assert api.state() == before


def test_a_body_that_is_not_json_does_not_stop_a_write_that_needs_none(api: Api, rule_id: int) -> None:
    """A malformed body of a write that needs none is ignored."""
    assert api.call("DELETE", f"rules/{rule_id}", content=b"{not json").status_code == 204
    assert api.history(limit=1)[0]["reason"] is None


def test_what_changes_nothing_is_not_recorded(api: Api, rule_id: int) -> None:
    """A write without effect and a refused write leave no record."""
    before = api.revision()
    api.declare()
    api.call("PUT", f"rules/{rule_id}/value", {"value": 1})
    api.call("PUT", f"rules/{rule_id}/value", {"value": "x"})
    assert api.revision() == before


def revisions(api: Api, **params: Any) -> list[int]:
    return [record["revision"] for record in api.history(**params)]


def test_the_history_of_a_setting_follows_its_names(api: Api) -> None:
    """Records of a setting and its rules are found by any of its names, also after its deletion."""
    api.declare("a")
    first = api.revision()
    api.declare("other")
    rule_id = api.add_rule(1, setting="a", user="x")
    api.call("PUT", "settings/a/name", {"name": "b", "version": "1.0"})
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    expected = [first + 4, first + 3, first + 2, first]
    assert revisions(api, setting="a", since=api.history(before=first + 1, limit=1)[0]["time"]) == expected
    api.call("DELETE", "settings/b")
    for name in ("a", "b"):
        assert revisions(api, setting=name, limit=5)[:5] == [first + 5, *expected]
    assert revisions(api, setting="nope") == []


def test_the_history_of_a_rule_leaves_out_the_rest(api: Api) -> None:
    """The records of a rule are found by its id, with only the changes of that rule."""
    api.declare()
    first, second = api.add_rule(1, user="a"), api.add_rule(1, user="b")
    api.call("PUT", f"rules/{second}/value", {"value": 2})
    api.call("DELETE", "settings/cache_ttl")
    newest = api.revision()
    assert revisions(api, rule_id=first) == [newest, newest - 3]
    deleted = api.history(rule_id=first)[0]
    assert [change["rule_id"] for change in deleted["changes"]] == [first]
    assert deleted["change_count"] == 3


def test_the_history_is_found_by_time_and_author(api: Api) -> None:
    """Records are found from a time, before a time, and by the name of the author."""
    api.declare("a")
    first = api.history(limit=1)[0]
    api.declare("b")
    second = api.history(limit=1)[0]
    assert revisions(api, since=second["time"]) == [second["revision"]]
    assert revisions(api, since=first["time"], until=second["time"]) == [first["revision"]]
    assert revisions(api, author="nobody") == []


def test_the_history_comes_in_pages(api: Api) -> None:
    """Each page has the revision at which the next one starts. Together they contain everything."""
    for number in range(5):
        api.declare(f"s{number}")
    first = api.history(limit=5)[-1]
    pages = [api.get("history", since=first["time"], limit=2).json()]
    while pages[-1]["next"] is not None:
        pages.append(api.get("history", since=first["time"], limit=2, before=pages[-1]["next"]).json())
    listed = [[record["revision"] - first["revision"] for record in page["history"]] for page in pages]
    assert listed == [[4, 3], [2, 1], [0]]


def test_pages_of_large_changes_are_shorter(api: Api) -> None:
    """The size of a page is limited to some megabytes, and no change is omitted."""
    api.declare(type="str", default_value="")
    rule_id = api.add_rule("", user="a")
    for number in range(60):
        api.call("PUT", f"rules/{rule_id}/value", {"value": f"{number}{'x' * 200_000}"})
    pages = [api.get("history", rule_id=rule_id, limit=1_000)]
    while (before := pages[-1].json()["next"]) is not None:
        pages.append(api.get("history", rule_id=rule_id, limit=1_000, before=before))
    assert all(len(page.content) < 10_000_000 for page in pages)
    afters = [record["changes"][0]["after"]["value"] for page in pages for record in page.json()["history"]]
    assert [value.rstrip("x") for value in afters] == [*map(str, reversed(range(60))), ""]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 1001},
        {"before": -1},
        {"rule_id": 2**63},
        {"since": "x"},
        {"until": 5},
        {"setting": "a b"},
        {"author": "\0"},
    ],
)
def test_malformed_searches_are_422(api: Api, params: dict[str, Any]) -> None:
    """A malformed parameter is refused with its name."""
    response = api.get("history", **params)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][:2] == ["query", *params]


def test_an_unknown_revision_is_404(api: Api) -> None:
    """A revision that is not in the history is 404, with a text."""
    for method, path in (("GET", "history/0"), ("GET", f"history/{2**63 - 1}"), ("POST", "history/0/revert")):
        response = api.call(method, path)
        assert (response.status_code, "the history has no revision" in response.text) == (404, True)


def test_the_history_is_found_by_who_made_it(database: str) -> None:
    """By the name of a person or token, with everything that the write told of its cause."""
    jane = Cause(Author("person", "jane", "10.0.0.7"), "for a test", 1)

    async def run() -> None:
        async with opened(database) as store:
            await store.write(partial(context_features.add, name="a"), Cause(Author("token", "ci")))
            await store.write(partial(context_features.add, name="b"), jane)
            (record,) = (await store.history.search(Search(limit=9, author_name="jane"), changes_per_record=9)).records
            assert (record.revision, record.cause) == (2, jane)
            (record,) = (await store.history.search(Search(limit=9, author_name="ci"), changes_per_record=9)).records
            assert (record.revision, record.cause.author.kind) == (1, "token")

    asyncio.run(run())


def test_times_do_not_go_back() -> None:
    """If a clock is late, a write has the time of the previous write."""
    early, late = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)
    assert Counters("").dated(early).changed_at == early
    assert Counters("").dated(late).dated(early).changed_at == late
    assert Counters("").dated(early).dated(late).changed_at == late


def test_the_service_itself_is_an_author(tmp_path: Path) -> None:
    """Context features that a service adds at its start are recorded with the service as author."""
    with embedded(tmp_path / "a.db", context_features=["a"]) as service:
        api = Api(service.url)
        with api.http:
            (record,) = api.history()
    assert record["author"] == {"kind": "service", "id": None, "name": None, "address": None}
    assert record["changes"][0]["after"] == ["a"]
