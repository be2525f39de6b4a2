"""A token that is limited to a prefix has no access to other settings in any route."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.change_feed import Interest
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.errors import OutsidePrefixError
from heksherlite.values.wire_types import INT
from tests.service.api import FEATURES, Api
from tests.service.routes import all_calls
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_tokens


class Service(NamedTuple):
    """Two clients of one service: one is unlimited, one is limited to ``backend.``."""

    everything: Api
    limited: Api
    own_rule: int
    foreign_rule: int
    own_proposal: int
    foreign_proposal: int


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Return a service that the test may change."""
    with started(tmp_path / "a.db") as service:
        yield service


@pytest.fixture(scope="module")
def unchanged_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a service for tests that change nothing."""
    with started(tmp_path_factory.mktemp("prefixes") / "a.db") as service:
        yield service


@contextmanager
def started(path: Path) -> Iterator[Service]:
    tokens = make_tokens(path, {"everything": EVERY_SCOPE, "limited": EVERY_SCOPE}, {"limited": "backend."})
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as running:
        api, other = Api(running.url, token=tokens["everything"]), Api(running.url, token=tokens["limited"])
        with api.http, other.http:
            api.declare("backend.old", metadata={"a": 1})
            api.call("PUT", "settings/backend.old/name", {"name": "backend.own", "version": "1.0"})
            api.declare("backend.gone", metadata={"a": 1})
            api.call("PUT", "settings/backend.gone/name", {"name": "frontend.foreign", "version": "1.0"})
            rules = [api.add_rule(1, name, user="john") for name in ("backend.own", "frontend.foreign")]
            # An alias that begins like our own settings does not make the proposal one about them.
            proposals = [propose(api, name) for name in ("backend.own", "backend.gone")]
            yield Service(api, other, *rules, *proposals)


def propose(api: Api, setting: str) -> int:
    response = api.call("POST", "proposals", {"operations": [{"op": "set_default", "setting": setting, "value": 7}]})
    assert response.status_code == 201, response.text
    number: int = response.json()["proposal_id"]
    return number


FOREIGN = ["frontend.foreign", "backend.gone", "frontend.unknown"]
"""Another setting, an alias of it that begins like our own ones, and one that does not exist."""

VERSION = {"version": "1.1"}
DECLARATION = {"type": "int", "default_value": 60, "configurable_features": ["environment", "user"]}
RULE = {"op": "put_rule", "setting": "{name}", "feature_values": {"environment": "dev"}, "value": 1}
OWN_RULE = {**RULE, "setting": "backend.own"}
DECLARER = {"kind": "token", "declarer_id": "hkl_00000000"}
FEATURE_NAMES = {"configurable_features": ["environment"], **VERSION}

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "settings/{name}", None),
    ("GET", "settings/{name}/schema", None),
    ("DELETE", "settings/{name}", None),
    ("PUT", "settings/{name}/type", {"type": "float", "version": "2.0"}),
    ("PUT", "settings/{name}/name", {"name": "backend.new", **VERSION}),
    ("PUT", "settings/{name}/configurable_features", FEATURE_NAMES),
    ("GET", "settings/{name}/declarers", None),
    ("POST", "settings/{name}/declarers", {"kind": "token", "id": "hkl_00000000"}),
    ("DELETE", "settings/{name}/declarers/{kind}/{declarer_id}", None),
    ("GET", "settings/{name}/metadata", None),
    ("POST", "settings/{name}/metadata", {"metadata": {"b": 2}, **VERSION}),
    ("PUT", "settings/{name}/metadata", {"metadata": {"b": 2}, **VERSION}),
    ("DELETE", "settings/{name}/metadata", VERSION),
    ("PUT", "settings/{name}/metadata/{key}", {"value": 2, **VERSION}),
    ("DELETE", "settings/{name}/metadata/{key}", VERSION),
    ("POST", "settings/declare", {"name": "{name}", **DECLARATION}),
    ("POST", "declarations/preview", {"name": "{name}", **DECLARATION}),
    ("POST", "settings/declare", {"name": "{name}", **DECLARATION, "version": "1.1", "default_value": 1}),
    ("POST", "settings/declare", {"name": "{name}", "alias": "backend.own", **DECLARATION}),
    ("POST", "settings/declare", {"name": "backend.new", "alias": "{name}", **DECLARATION}),
    ("POST", "changes", {"operations": [RULE]}),
    ("POST", "changes", {"operations": [OWN_RULE, RULE]}),
    ("POST", "changes", {"operations": [OWN_RULE, RULE], "dry_run": True}),
    ("POST", "changes", {"operations": [RULE], "break_glass": True, "reason": "an emergency"}),
    ("POST", "proposals", {"operations": [RULE]}),
    ("POST", "proposals", {"operations": [OWN_RULE, RULE]}),
    ("GET", "proposals/{proposal_id}", None),
    ("POST", "proposals/{proposal_id}/comments", {"text": "why?"}),
    ("POST", "proposals/{proposal_id}/approve", None),
    ("POST", "proposals/{proposal_id}/reject", None),
    ("POST", "proposals/{proposal_id}/withdraw", None),
    ("GET", "explain?settings={name}", None),
    ("GET", "explain?settings=backend.own,{name}", None),
    ("GET", "query?settings={name}", None),
    ("GET", "query?settings=backend.own,{name}", None),
    ("GET", "stream?settings=backend.own,{name}", None),
    ("POST", "rules", {"setting": "{name}", "feature_values": {"environment": "dev"}, "value": 1}),
    ("GET", "rules/search?setting={name}&feature_values=user:john", None),
    ("GET", "rules/{rule_id}", None),
    ("PUT", "rules/{rule_id}/schedule", {}),
    ("DELETE", "rules/{rule_id}", None),
    ("GET", "history", None),
    ("GET", "history/{revision}", None),
    ("POST", "history/{revision}/revert", None),
    ("PATCH", "rules/{rule_id}", {"value": 2}),
    ("PUT", "rules/{rule_id}/value", {"value": 2}),
    ("GET", "rules/{rule_id}/metadata", None),
    ("POST", "rules/{rule_id}/metadata", {"metadata": {"b": 2}}),
    ("PUT", "rules/{rule_id}/metadata", {"metadata": {"b": 2}}),
    ("DELETE", "rules/{rule_id}/metadata", None),
    ("PUT", "rules/{rule_id}/metadata/{key}", {"value": 2}),
    ("DELETE", "rules/{rule_id}/metadata/{key}", None),
    ("POST", "context_features", {"context_feature": "new"}),
    ("POST", "context_features", {"context_feature": "theme"}),
    ("DELETE", "context_features/{feature}", None),
    ("PATCH", "context_features/{feature}/index", {"to_after": "environment"}),
]

ABOUT_NO_SETTING = {
    ("GET", "/api/v1/export"),  # has fewer, see test_importing
    ("GET", "/api/v1/settings"),  # shows fewer, see below
    ("GET", "/api/v1/proposals"),  # shows fewer, see below
    ("GET", "/api/v1/context_features"),
    ("GET", "/api/v1/context_features/{name}"),
}


ALL_SETTINGS = [call for call in all_calls() if call.required.all_settings and not call.required.person]


def test_no_route_is_forgotten() -> None:
    """Each route of the API is tested here, or concerns no particular setting, or all of them."""
    tried = {(method, "/api/v1/" + path.partition("?")[0].replace("{feature}", "{name}")) for method, path, _ in CALLS}
    assert tried.isdisjoint(ABOUT_NO_SETTING)
    about_all = {(call.method, call.path) for call in ALL_SETTINGS if call.path.startswith("/api/v1/")}
    assert about_all.isdisjoint(ABOUT_NO_SETTING)
    assert tried | ABOUT_NO_SETTING | about_all == {
        (call.method, call.path) for call in all_calls() if call.path.startswith("/api/v1/")
    }


@pytest.mark.parametrize("content", [None, b"nonsense", b"{}"])
def test_what_concerns_all_settings_is_403(unchanged_service: Service, content: bytes | None) -> None:
    """Routes about tokens, applications, groups and secrets are 403."""
    for call in ALL_SETTINGS:
        response = unchanged_service.limited.http.request(call.method, call.example_path(), content=content)
        assert response.status_code == 403, (call, response.text)
        assert response.json()["needed_scope"] == call.required.scope
        assert "'backend.'" in response.json()["detail"]


def filled(template: Any, **names: Any) -> Any:
    if isinstance(template, str):
        for name, value in names.items():
            template = template.replace(f"{{{name}}}", str(value))
        return template
    if isinstance(template, list):
        return [filled(value, **names) for value in template]
    return {key: filled(value, **names) for key, value in template.items()} if isinstance(template, dict) else template


@pytest.mark.parametrize("name", FOREIGN)
def test_other_settings_are_403(unchanged_service: Service, name: str) -> None:
    """Reads and writes of other settings are 403, whether the settings exist or not, and change nothing."""
    before = unchanged_service.everything.state()
    proposal = unchanged_service.everything.get(f"proposals/{unchanged_service.foreign_proposal}").json()
    numbers = {"rule_id": unchanged_service.foreign_rule, "proposal_id": unchanged_service.foreign_proposal}
    for method, path, body in CALLS:
        names = {"name": name, **numbers, "key": "a", "feature": "theme", "revision": 1, **DECLARER}
        response = unchanged_service.limited.call(method, filled(path, **names), filled(body, **names))
        assert "60" not in response.text
        if number := next((number for number in numbers if f"{{{number}}}" in path), None):
            # The same as for an id that no rule or proposal has.
            unknown = unchanged_service.limited.call(
                method, filled(path, **{**names, number: 10**9}), filled(body, **names)
            )
            assert response.status_code == unknown.status_code == 404, (method, path, response.text)
            assert response.text.replace(str(numbers[number]), str(10**9)) == unknown.text
            continue
        assert response.status_code == 403, (method, path, response.text)
        assert "'backend.'" in response.json()["detail"]
        assert response.json()["needed_scope"] in {scope.value for scope in Scope}
    assert unchanged_service.everything.state() == before
    assert unchanged_service.everything.get(f"proposals/{unchanged_service.foreign_proposal}").json() == proposal


def test_the_same_calls_work_for_own_settings(service: Service) -> None:
    """The same requests succeed for settings with the prefix."""
    # One's own proposals can be withdrawn, and others' be decided on.
    withdrawn = propose(service.limited, "backend.own")
    for method, path, body in CALLS:
        if "context_features" in path or path.startswith(("history", "stream")):
            continue
        proposal_id = withdrawn if "withdraw" in path else service.own_proposal
        names = {"name": "backend.old", "rule_id": service.own_rule, "key": "a", "proposal_id": proposal_id, **DECLARER}
        response = service.limited.call(method, filled(path, **names), filled(body, **names))
        assert response.status_code not in {401, 403, 422}, (method, path, response.text)


def test_a_setting_does_not_leave_its_prefix(unchanged_service: Service) -> None:
    """A setting cannot be renamed out of the prefix."""
    before = unchanged_service.everything.state()
    rename = unchanged_service.limited.call(
        "PUT", "settings/backend.own/name", {"name": "frontend.mine", "version": "1.1"}
    )
    taken = unchanged_service.limited.call(
        "PUT", "settings/backend.own/name", {"name": "backend.gone", "version": "1.1"}
    )
    declared = unchanged_service.limited.declare("frontend.mine", alias="backend.own")
    assert [response.status_code for response in (rename, taken, declared)] == [403, 403, 403]
    assert unchanged_service.everything.state() == before


def test_lists_and_queries_show_own_settings_only(unchanged_service: Service) -> None:
    """Lists and queries contain the settings with the prefix. Context features are visible to everybody."""
    listed = unchanged_service.limited.get("settings", include_additional_data=True).json()["settings"]
    assert [(setting["name"], setting["aliases"]) for setting in listed] == [("backend.own", ["backend.old"])]
    assert list(unchanged_service.limited.query()) == ["backend.own"]
    assert list(unchanged_service.everything.query()) == ["backend.own", "frontend.foreign"]
    assert unchanged_service.limited.features() == FEATURES
    assert [each["setting"] for each in unchanged_service.limited.get("explain").json()["explanations"]] == [
        "backend.own"
    ]
    for api, numbers in (
        (unchanged_service.limited, [unchanged_service.own_proposal]),
        (unchanged_service.everything, [unchanged_service.foreign_proposal, unchanged_service.own_proposal]),
    ):
        assert [each["proposal_id"] for each in api.get("proposals").json()["proposals"]] == numbers


def test_responses_are_not_mixed_up(service: Service) -> None:
    """Equal queries with different tokens have different tags and bodies."""
    for first, second in ((service.everything, service.limited), (service.limited, service.everything)):
        service.everything.declare(
            "backend.own", default_value=61, version=service.everything.setting("backend.own")["version"]
        )
        responses = [api.get("query") for api in (first, second, first)]
        tags = [response.headers["etag"] for response in responses]
        assert responses[0].content == responses[2].content != responses[1].content
        assert tags[0] == tags[2] != tags[1]
        assert second.call("GET", "query", headers={"If-None-Match": tags[0]}).status_code == 200
        assert second.call("GET", "query", headers={"If-None-Match": tags[1]}).status_code == 304


def test_writes_within_the_prefix_work(service: Service) -> None:
    """A limited token can create, change and delete settings and rules within its prefix."""
    api = service.limited
    assert api.declare("backend.new").json() == {"outcome": "created"}
    rule_id = api.add_rule(5, "backend.new", user="jane")
    assert api.query()["backend.new"]["rules"][0]["value"] == 5
    assert api.call("PUT", "settings/backend.new/name", {"name": "backend.newer", **VERSION}).status_code == 204
    assert api.call("DELETE", f"rules/{rule_id}").status_code == 204
    assert api.call("DELETE", "settings/backend.new").status_code == 204
    assert api.get("settings/backend.nothing").status_code == 404


def test_a_stream_tells_of_own_settings_only(service: Service) -> None:
    """A stream contains no changes of other settings."""
    with service.limited.http.stream("GET", "/api/v1/stream") as response:
        lines = response.iter_lines()
        assert "ready" in next(line for line in lines if line.startswith("event"))
        service.everything.add_rule(2, "frontend.foreign", user="jane")
        service.everything.add_rule(2, "backend.own", user="jane")
        data = next(line for line in lines if line.startswith("data") and "settings" in line)
        assert "backend.own" in data
        assert "frontend" not in data


def test_interest_ends_at_the_prefix() -> None:
    """A name that now belongs to another setting is not reported."""
    setting = Setting(1, "frontend.a", INT, 1, frozenset({"user"}), INITIAL, {}, frozenset({"backend.a"}), 1)
    catalog = Catalog(Counters("x", 1)).after(Changes(("user",), (setting,)), Counters("x", 2, 2, 1))
    for names in (None, ["backend.a"], ["frontend.a"]):
        interest = Interest(names, None, "backend.")
        assert interest.names_in({"frontend.a": None}, catalog) == []


@pytest.mark.parametrize(
    "changes",
    [
        Changes(context_features=("user",)),
        Changes(removed_settings=frozenset({2})),
        Changes(removed_rules=frozenset({2})),
        Changes(rules=(Rule(3, 2, (("user", "x"),), 1, {}),)),
        Changes(settings=(Setting(2, "backend.mine", INT, 1, frozenset(), INITIAL, {}, frozenset(), 3),)),
        Changes(settings=(Setting(1, "frontend.mine", INT, 1, frozenset(), INITIAL, {}, frozenset(), 3),)),
        Changes(settings=(Setting(3, "frontend.new", INT, 1, frozenset(), INITIAL, {}, frozenset(), 3),)),
    ],
)
def test_changes_outside_the_prefix_are_refused(changes: Changes) -> None:
    """Changes are checked against the prefix after the decision."""
    own = Setting(1, "backend.a", INT, 1, frozenset({"user"}), INITIAL, {}, frozenset(), 1)
    foreign = replace(own, id=2, name="frontend.a")
    rules = (Rule(1, 1, (("user", "x"),), 1, {}), Rule(2, 2, (("user", "x"),), 1, {}))
    everything = Catalog(Counters("x")).after(Changes(("user",), (own, foreign), rules), Counters("x", 1, 1, 2, 2))
    everything.require_within_limit(changes)
    limited = everything.limited_to("backend.")
    assert (list(limited.entries), list(limited.rules)) == ([1], [1])
    limited.require_within_limit(Changes(settings=(replace(own, name="backend.b"),), removed_rules=frozenset({1})))
    with pytest.raises(OutsidePrefixError):
        limited.require_within_limit(changes)


def test_the_response_names_the_prefix(unchanged_service: Service) -> None:
    """The response contains the prefix of the token."""
    response = unchanged_service.limited.get("settings/frontend.foreign")
    assert response.json() == {
        "detail": "this token is limited to settings whose names begin with 'backend.'",
        "needed_scope": "read",
        "setting_prefix": "backend.",
    }
