"""Responses in lines, and with only what changed: docs/reference/partial-responses.md, from the service's side."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service import embedded
from tests.service.api import FEATURES, Api

LINES = {"Accept": "application/x-ndjson, application/json;q=0.9"}
QUERY = {"settings": "cache_ttl,size", "context_filters": "environment:*,user:*"}


def ask(api: Api, tag: str | None = None, **params: str) -> httpx.Response:
    headers = LINES if tag is None else {**LINES, "A-IM": "heksherlite", "If-None-Match": tag}
    return api.http.get("/api/v1/query", params=QUERY | params, headers=headers)


def lines(response: httpx.Response) -> list[Any]:
    assert response.headers["Content-Type"].startswith("application/x-ndjson")
    assert response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


def prepared(api: Api) -> tuple[int, int]:
    api.declare()
    api.declare("size", default_value=5)
    return api.add_rule(1, user="john", environment="dev"), api.add_rule(2, user="jane")


def test_all_in_lines(api: Api) -> None:
    """Lines contain the order of features, each setting, its rules in columns, and the end."""
    first, second = prepared(api)
    third = api.add_rule(3, environment="prod", user="jane")
    response = ask(api)
    assert response.status_code == 200
    assert lines(response) == [
        {"context_features": ["environment", "user", "theme"]},
        {"setting": "cache_ttl", "default_value": 60, "whole": True},
        {
            "rule_ids": [first, third],
            "context_features": ["environment", "user"],
            "context_values": [["dev", "prod"], ["john", "jane"]],
            "values": [1, 3],
        },
        {"rule_ids": [second], "context_features": ["user"], "context_values": [["jane"]], "values": [2]},
        {"setting": "size", "default_value": 5, "whole": True},
        {"settings": 2},
    ]


@pytest.mark.thorough
def test_lines_have_a_thousand_rules_at_most(api: Api) -> None:
    """More than a thousand rules are divided among several lines."""
    api.declare("many", configurable_features=["user"])
    for number in range(1001):
        api.add_rule(number, "many", user=str(number))
    rules = [line["rule_ids"] for line in lines(ask(api, settings="many")) if "rule_ids" in line]
    assert [len(rule_ids) for rule_ids in rules] == [1000, 1]


def test_lines_and_json_have_tags_of_their_own(api: Api) -> None:
    """Lines and JSON have different tags, and a Vary header."""
    prepared(api)
    as_json = api.http.get("/api/v1/query", params=QUERY)
    in_lines = ask(api)
    assert as_json.headers["Content-Type"] == "application/json"
    assert as_json.headers["ETag"] != in_lines.headers["ETag"]
    assert {as_json.headers["Vary"], in_lines.headers["Vary"]} == {"accept, accept-encoding, a-im, last-event-id"}
    assert ask(api, in_lines.headers["ETag"]).status_code == 304


def test_metadata_comes_in_json_only(api: Api) -> None:
    """A query with metadata gets JSON, whatever it accepts."""
    prepared(api)
    assert ask(api, include_metadata="true").headers["Content-Type"] == "application/json"


def test_only_what_changed(api: Api) -> None:
    """A partial response has the changed, added and removed rules of changed settings."""
    first, second = prepared(api)
    tag = ask(api).headers["ETag"]
    api.call("PUT", f"rules/{first}/value", {"value": 10})
    api.call("DELETE", f"rules/{second}")
    third = api.add_rule(3, user="jane")
    response = ask(api, tag)
    assert response.status_code == 226
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["IM"] == "heksherlite"
    assert response.headers["Delta-Base"] == tag
    assert response.headers["ETag"] == ask(api).headers["ETag"]
    assert lines(response) == [
        {"context_features": ["environment", "user", "theme"]},
        {"setting": "cache_ttl", "default_value": 60, "whole": False, "removed": [second]},
        {
            "rule_ids": [first],
            "context_features": ["environment", "user"],
            "context_values": [["dev"], ["john"]],
            "values": [10],
        },
        {"rule_ids": [third], "context_features": ["user"], "context_values": [["jane"]], "values": [3]},
        {"settings": 1},
    ]


def test_only_what_changed_since_before_a_restart(database: str) -> None:
    """After a restart, clients of the earlier process receive partial responses, also after other writes."""
    with embedded(database=database, context_features=FEATURES) as service, closing(Api(service.url)) as api:
        first, _ = prepared(api)
        tag = ask(api).headers["ETag"]
        api.declare("unrelated")
    with embedded(database=database) as service, closing(Api(service.url)) as api:
        assert ask(api, tag).status_code == 304
        api.call("PUT", f"rules/{first}/value", {"value": 10})
        response = ask(api, tag)
        assert response.status_code == 226
        assert [line["rule_ids"] for line in lines(response) if "rule_ids" in line] == [[first]]


def test_changes_that_the_filter_hides(api: Api) -> None:
    """A changed rule that the filter excludes is not in the response."""
    first, _ = prepared(api)
    tag = ask(api, context_filters="user:*").headers["ETag"]
    api.call("PUT", f"rules/{first}/value", {"value": 10})
    response = ask(api, tag, context_filters="user:*")
    assert [line for line in lines(response) if "rule_ids" in line] == []


def test_a_changed_default_comes_without_rules(api: Api) -> None:
    """A changed default is sent without the rules."""
    prepared(api)
    tag = ask(api).headers["ETag"]
    api.declare(default_value=0, version="1.1")
    expected = {"setting": "cache_ttl", "default_value": 0, "whole": False, "removed": []}
    assert lines(ask(api, tag))[1:] == [expected, {"settings": 1}]


def test_everything_comes_after_a_reordering(api: Api) -> None:
    """The order of the features may change every winner, so there is no partial response across it."""
    prepared(api)
    tag = ask(api).headers["ETag"]
    api.call("PATCH", "context_features/user/index", {"to_before": "environment"})
    assert ask(api, tag).status_code == 200


def test_a_setting_that_was_declared_again_is_complete(api: Api) -> None:
    """A setting that was deleted and declared again is sent completely."""
    prepared(api)
    tag = ask(api).headers["ETag"]
    api.call("DELETE", "settings/cache_ttl")
    api.declare()
    api.add_rule(5, user="joe")
    setting = next(line for line in lines(ask(api, tag)) if line.get("setting") == "cache_ttl")
    assert setting["whole"]


def test_other_tags_get_full_responses(api: Api) -> None:
    """A tag without the header A-IM, and unknown tags, get full responses."""
    prepared(api)
    tag = ask(api).headers["ETag"]
    other_tag = ask(api, settings="size").headers["ETag"]
    api.add_rule(5, user="joe")
    alone = api.http.get("/api/v1/query", params=QUERY, headers={**LINES, "If-None-Match": tag})
    assert alone.status_code == 200
    for unusable in (other_tag, '"17-x"', '"x"', '""', "17", f"{tag}, {other_tag}"):
        assert ask(api, unusable).status_code == 200, unusable


def test_all_settings_in_part(api: Api) -> None:
    """A query for all settings gets what changed, and everything after a name is gone."""

    def ask_for_all(tag: str | None = None) -> httpx.Response:
        headers = LINES if tag is None else {**LINES, "A-IM": "heksherlite", "If-None-Match": tag}
        return api.http.get("/api/v1/query", headers=headers)

    prepared(api)
    tag = ask_for_all().headers["ETag"]
    api.declare("added")
    response = ask_for_all(tag)
    assert response.status_code == 226
    assert [line["setting"] for line in lines(response) if "setting" in line] == ["added"]
    tag = response.headers["ETag"]
    api.call("PUT", "settings/added/name", {"name": "renamed", "version": "1.1"}).raise_for_status()
    assert ask_for_all(tag).status_code == 200
    tag = ask_for_all().headers["ETag"]
    api.call("DELETE", "settings/size")
    response = ask_for_all(tag)
    assert response.status_code == 200
    assert [line["setting"] for line in lines(response) if "setting" in line] == ["cache_ttl", "renamed"]


def test_all_settings_after_a_restart(tmp_path: Path) -> None:
    """A service that was started after a removal does not send a part of all settings to who asked before it."""
    headers = {**LINES, "A-IM": "heksherlite"}
    with embedded(tmp_path / "a.db", context_features=FEATURES) as service, closing(Api(service.url)) as api:
        prepared(api)
        tag = api.http.get("/api/v1/query", headers=LINES).headers["ETag"]
        api.call("DELETE", "settings/size")
    with embedded(tmp_path / "a.db") as service, closing(Api(service.url)) as api:
        response = api.http.get("/api/v1/query", headers={**headers, "If-None-Match": tag})
        assert response.status_code == 200
        api.add_rule(7, user="new")
        since_start = response.headers["ETag"]
        assert api.http.get("/api/v1/query", headers={**headers, "If-None-Match": since_start}).status_code == 226
