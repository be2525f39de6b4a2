"""``POST /api/v1/changes``: many operations as one change, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite import Setting, ThreadHeksherClient
from heksherlite.service import embedded
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.tokens import Scope
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token
from tests.waiting import until

PUT_DEV = {"op": "put_rule", "setting": "cache_ttl", "feature_values": {"environment": "dev"}, "value": 10}
PUT_JOHN = {"op": "put_rule", "setting": "cache_ttl", "feature_values": {"user": "john"}, "value": 0}


def change(api: Api, *operations: dict[str, Any], **fields: Any) -> httpx.Response:
    """Send operations as one change."""
    return api.call("POST", "changes", {"operations": list(operations), **fields})


def revision(api: Api) -> int:
    """Return the newest revision."""
    newest: int = change(api, dry_run=True).json()["revision"]
    return newest


def conflicts(response: httpx.Response) -> list[tuple[int, str]]:
    """Return the operations that conflict, and why."""
    assert response.status_code == 409, response.text
    return [(conflict["operation"], conflict["reason"]) for conflict in response.json()["conflicts"]]


def test_a_list_is_one_revision_and_one_record(api: Api) -> None:
    """All operations of a change have one revision, one record of the history, and one reason."""
    api.declare()
    api.declare("page_size", default_value=20)
    before = revision(api)
    response = change(
        api, PUT_DEV, PUT_JOHN, {"op": "set_default", "setting": "page_size", "value": 50}, reason="the cache is cold"
    )
    assert response.status_code == 200, response.text
    assert response.json()["revision"] == before + 1
    record = api.history(limit=1)[0]
    assert record["revision"] == before + 1
    assert record["reason"] == "the cache is cold"
    assert record["changes"] == response.json()["changes"]
    assert [change["kind"] for change in record["changes"]] == ["setting", "rule", "rule"]
    first, second, third = response.json()["results"]
    assert [first["rule_id"], second["rule_id"]] == api.rule_ids()
    assert third == {}


def test_a_change_without_effect(api: Api) -> None:
    """A list without effect gets 200 with the same revision, and leaves no record."""
    api.declare()
    change(api, PUT_DEV)
    before = revision(api)
    response = change(api, PUT_DEV).json()
    assert response["revision"] == before
    assert response["changes"] == []
    assert api.history(limit=1)[0]["revision"] == before


def test_a_dry_run_predicts_the_change(api: Api) -> None:
    """A dry run has the same response as the change that follows it, except for the revision, and changes nothing."""
    api.declare()
    api.add_rule(5, user="john")
    before = api.query()
    dry = change(api, PUT_DEV, PUT_JOHN, dry_run=True).json()
    assert api.query() == before
    real = change(api, PUT_DEV, PUT_JOHN).json()
    assert dry.pop("revision") == real.pop("revision") - 1
    assert dry.pop("revision_name") != real.pop("revision_name")
    assert dry == real


def test_all_conflicts_are_listed(api: Api) -> None:
    """The response names each operation that is not possible, with the reason. No operation is applied."""
    api.declare()
    rule_id = api.add_rule(5, environment="dev")
    before = api.query()
    response = change(
        api,
        PUT_JOHN,
        {"op": "set_value", "rule_id": rule_id, "value": "five"},
        {"op": "delete_rule", "rule_id": rule_id + 100},
        {"op": "add_rule", "setting": "cache_ttl", "feature_values": {"environment": "dev"}, "value": 1},
    )
    assert conflicts(response) == [
        (1, "the value does not fit setting 'cache_ttl' of type int: 'five' is not of type int"),
        (2, f"rule {rule_id + 100} does not exist"),
        (3, f"rule {rule_id} of setting 'cache_ttl' has the same conditions"),
    ]
    assert api.query() == before


def test_later_operations_see_earlier_ones(api: Api) -> None:
    """An operation can use a context feature, a name or a rule that an earlier operation created."""
    api.declare()
    response = change(
        api,
        {"op": "add_context_feature", "context_feature": "country"},
        {
            "op": "set_configurable_features",
            "setting": "cache_ttl",
            "configurable_features": ["environment", "country"],
        },
        {"op": "rename_setting", "setting": "cache_ttl", "name": "ttl"},
        {"op": "add_rule", "setting": "ttl", "feature_values": {"country": "fr"}, "value": 1},
        {"op": "set_value", "setting": "ttl", "feature_values": {"country": "fr"}, "value": 2},
    )
    assert response.status_code == 200, response.text
    assert api.features() == [*FEATURES, "country"]
    assert api.setting("ttl")["version"] == "2.1"
    assert [rule["value"] for rule in api.query()["ttl"]["rules"]] == [2]


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ({"op": "put_rule", "setting": "cache_ttl", "feature_values": {"environment": "dev"}}, "operations[1].value"),
        ({"op": "put_rule", "setting": "cache ttl", "feature_values": {"a": "b"}, "value": 1}, "operations[1].setting"),
        ({"op": "delete_rule", "rule_id": 1, "value": 2}, "operations[1].value"),
        ({"op": "delete_rule"}, "operations[1]"),
        ({"op": "delete_everything"}, "operations[1]"),
        ({"op": "set_type", "setting": "cache_ttl", "type": "integer"}, "operations[1].type"),
    ],
)
def test_a_malformed_operation_is_named_by_its_path(api: Api, operation: dict[str, Any], path: str) -> None:
    """A malformed request gets 422 and the path of each fault."""
    response = change(api, PUT_DEV, operation)
    assert response.status_code == 422
    assert [problem["path"] for problem in response.json()["detail"]] == [path]


def test_a_concurrent_change_is_a_conflict(api: Api) -> None:
    """If a touched rule changed after the base revision, the conflict has both values, the author and the time."""
    api.declare()
    rule_id = api.add_rule(5, environment="dev")
    seen = revision(api)
    api.call("PUT", f"rules/{rule_id}/value", {"value": 6})
    ((operation, reason),) = conflicts(change(api, PUT_JOHN, PUT_DEV, base_revision=seen))
    assert operation == 1
    assert reason.startswith(
        f"rule {rule_id} of setting 'cache_ttl' was changed from 5 to 6 in revision {seen + 1} by anonymous at "
    )


def test_unrelated_concurrent_changes_are_no_conflict(api: Api) -> None:
    """Other rules of the setting, and its own fields, may have changed after the base revision."""
    api.declare()
    seen = revision(api)
    api.add_rule(5, environment="prod")
    change(api, {"op": "set_setting_metadata", "setting": "cache_ttl", "metadata": {"note": 1}})
    assert change(api, PUT_DEV, base_revision=seen).status_code == 200


def test_a_rule_that_somebody_added_meanwhile_is_a_conflict(api: Api) -> None:
    """Putting a rule does not overwrite one with the same conditions that came after the base revision."""
    api.declare()
    seen = revision(api)
    api.add_rule(5, environment="dev")
    ((operation, _),) = conflicts(change(api, PUT_DEV, base_revision=seen))
    assert operation == 0


def test_a_base_revision_has_a_name(api: Api) -> None:
    """The name of a revision does the same as its number, and one of another database is a conflict."""
    api.declare()
    seen = change(api, dry_run=True).json()["revision_name"]
    assert change(api, PUT_DEV, base_revision=seen).json()["revision_name"] != seen
    assert conflicts(change(api, {**PUT_DEV, "value": 11}, base_revision=seen))
    number = seen.partition("-")[0]
    for name in (f"{number}-{'0' * 12}", f"{10**17}-{'0' * 12}"):
        for path in ("changes", "proposals"):
            refused = api.call("POST", path, {"operations": [PUT_JOHN], "base_revision": name})
            assert (refused.status_code, "is not one of this service" in refused.text) == (409, True)
    assert change(api, base_revision="17").status_code == 422


def test_a_base_revision_that_is_ahead_is_refused(api: Api) -> None:
    """A revision that does not exist yet gets 404, and the message names the newest."""
    newest = revision(api)
    response = change(api, base_revision=newest + 1)
    assert response.status_code == 404
    assert response.text == f"there is no revision {newest + 1} yet; the newest is {newest}"


def test_an_impact_names_contexts_and_what_decides(api: Api) -> None:
    """The impact has the contexts in which the value changes, and what determines it before and after."""
    api.declare()
    john = api.add_rule(0, user="john")
    response = change(api, PUT_DEV).json()
    (region,) = response["impact"]
    (rule_id,) = [result["rule_id"] for result in response["results"]]
    assert rule_id != john
    assert region == {
        "setting": "cache_ttl",
        "where": {"environment": "dev"},
        "except": [{"user": "john"}],
        "before": 60,
        "after": 10,
        "before_by": {"kind": "declared_default"},
        "after_by": {"kind": "rule", "rule_id": rule_id},
    }


def test_a_shadowed_rule_has_no_impact(api: Api) -> None:
    """A rule that another rule always outranks is listed with the id of that rule."""
    api.declare()
    john = api.add_rule(0, user="john")
    put = {
        "op": "put_rule",
        "setting": "cache_ttl",
        "feature_values": {"environment": "dev", "user": "john"},
        "value": 1,
    }
    added = change(api, put).json()
    assert [region.get("shadowed_by") for region in added["impact"]] == [None]
    response = change(api, {"op": "set_value", "rule_id": john, "value": 2}).json()
    assert [region["except"] for region in response["impact"]] == [[{"environment": "dev"}]]


def test_a_renamed_setting_may_give_its_name_to_another(api: Api) -> None:
    """Settings exchange their names in one change."""
    api.declare("one", default_value=1)
    api.declare("two", default_value=2)
    response = change(
        api,
        {"op": "rename_setting", "setting": "one", "name": "three"},
        {"op": "delete_setting", "setting": "two"},
        {"op": "rename_setting", "setting": "three", "name": "one"},
    )
    assert response.status_code == 200, response.text
    assert [name for name in api.query() if name != "cache_ttl"] == ["one"]


def test_the_operators_default_is_for_everybody(api: Api) -> None:
    """Queries return the operator's default, and a setting shows both defaults."""
    api.declare()
    change(api, {"op": "set_default", "setting": "cache_ttl", "value": 5})
    assert api.query()["cache_ttl"]["default_value"] == 5
    shown = api.setting()
    assert [shown["default_value"], shown["declared_default_value"], shown["operator_default_value"]] == [5, 60, 5]
    change(api, {"op": "clear_default", "setting": "cache_ttl"})
    assert api.query()["cache_ttl"]["default_value"] == 60
    assert "operator_default_value" not in api.setting()


def test_an_upgrade_leaves_the_operators_default_in_force(api: Api) -> None:
    """A declaration is compared with the declared default, and an upgrade changes only that one."""
    api.declare()
    change(api, {"op": "set_default", "setting": "cache_ttl", "value": 5})
    assert api.declare().json() == {"outcome": "uptodate"}
    assert api.declare(version="1.1", default_value=70).json()["outcome"] == "upgraded"
    shown = api.setting()
    assert [shown["default_value"], shown["declared_default_value"]] == [5, 70]


def test_a_type_must_fit_the_operators_default(api: Api) -> None:
    """A type that does not fit the operator's default is refused in operations and in declarations."""
    api.declare("mode", type='Enum["a","b"]', default_value="a")
    change(api, {"op": "set_default", "setting": "mode", "value": "b"})
    narrowed = 'Enum["a"]'
    ((_, reason),) = conflicts(change(api, {"op": "set_type", "setting": "mode", "type": narrowed}))
    assert "the operator's default value does not fit" in reason
    response = api.declare("mode", type=narrowed, default_value="a", version="2.0")
    assert response.status_code == 409
    assert "operator's default" in response.text


def test_an_operators_default_is_undone(api: Api) -> None:
    """Reverting the change restores the bytes of the query."""
    api.declare()
    api.add_rule(1, user="john")
    before = api.get("query").content
    made = change(api, {"op": "set_default", "setting": "cache_ttl", "value": 5}, PUT_DEV).json()
    assert api.get("query").content != before
    assert api.call("POST", f"history/{made['revision']}/revert").status_code == 200
    assert api.get("query").content == before


def test_a_client_gets_the_operators_default(api: Api) -> None:
    """A client reads the operator's default after its next update, also from a partial response."""
    setting = Setting("client_ttl", int, ["environment", "user"], default_value=60)
    client = ThreadHeksherClient(api.url, update_interval=60, context_features=FEATURES, push=False)
    client.set_defaults(environment="dev", user="john", theme="dark")
    with client:
        assert setting.get() == 60
        change(api, {"op": "set_default", "setting": "client_ttl", "value": 5})
        client.reload()
        assert setting.get() == 5


def test_a_change_is_one_event(api: Api) -> None:
    """A client that listens to the stream receives the whole change at once."""
    setting = Setting("pushed_ttl", int, ["environment", "user"], default_value=60)
    client = ThreadHeksherClient(api.url, update_interval=600, context_features=FEATURES)
    client.set_defaults(environment="dev", user="john", theme="dark")
    client.track_contexts(environment="dev", user="*")
    with client:
        until(lambda: client.status.streaming)
        operations = [
            {"op": "put_rule", "setting": "pushed_ttl", "feature_values": {"user": str(number)}, "value": number}
            for number in range(100)
        ]
        assert change(api, *operations).status_code == 200
        until(lambda: setting.get(user="99") == 99)
        assert setting.get(user="0") == 0


def test_writes_with_if_match_are_refused_if_the_rule_moved(api: Api) -> None:
    """Every write to a rule or setting takes the tag that it was read with, and gets 412 if it changed since."""
    api.declare()
    rule_id = api.add_rule(5, environment="dev")
    seen = api.get(f"rules/{rule_id}").headers["etag"]
    headers = {"If-Match": seen}
    assert api.call("PUT", f"rules/{rule_id}/value", {"value": 6}, headers=headers).status_code == 204
    for method, path, body in [
        ("PUT", f"rules/{rule_id}/value", {"value": 7}),
        ("PUT", f"rules/{rule_id}/schedule", {}),
        ("PUT", f"rules/{rule_id}/metadata", {"metadata": {"a": 1}}),
        ("DELETE", f"rules/{rule_id}", None),
    ]:
        response = api.call(method, path, body, headers=headers)
        assert response.status_code == 412, (method, path)
        assert "read it again" in response.text
    setting = api.get("settings/cache_ttl").headers["etag"]
    change(api, {"op": "set_setting_metadata", "setting": "cache_ttl", "metadata": {"note": 1}})
    for method, path, body in [
        ("DELETE", "settings/cache_ttl", None),
        ("PUT", "settings/cache_ttl/name", {"name": "ttl", "version": "2.0"}),
        ("PUT", "settings/cache_ttl/type", {"type": "float", "version": "2.0"}),
        ("PUT", "settings/cache_ttl/metadata", {"metadata": {}, "version": "2.0"}),
        (
            "PUT",
            "settings/cache_ttl/configurable_features",
            {"configurable_features": ["user", "environment"], "version": "2.0"},
        ),
    ]:
        assert api.call(method, path, body, headers={"If-Match": setting}).status_code == 412, (method, path)
    assert api.call("DELETE", f"rules/{rule_id}", headers={"If-Match": '"other", *'}).status_code == 204


def test_too_many_operations_are_refused(tmp_path: Path) -> None:
    """A change has at most as many operations as the service allows."""
    with embedded(tmp_path / "a.db", context_features=FEATURES, limits=Limits(max_operations=3)) as service:
        api = Api(service.url)
        with api.http:
            api.declare()
            assert change(api, *[PUT_DEV] * 3).status_code == 200
            response = change(api, *[PUT_DEV] * 4)
    assert response.status_code == 422
    assert response.json()["detail"][0]["msg"] == "there are 4 operations, and one change may have 3 (--max-operations)"


@pytest.mark.parametrize("route", ["changes", "proposals"])
def test_one_operation_too_many_refuses_all(api: Api, route: str) -> None:
    """By default a list has at most 10,000 operations; one more is refused with both numbers, and nothing happens."""
    api.declare()
    before = revision(api)
    operations = [{**PUT_DEV, "feature_values": {"user": str(number)}} for number in range(10_001)]
    body = {"operations": operations, "reason": "too many"}
    response = api.call("POST", route, body)
    assert response.status_code == 422
    assert (
        response.json()["detail"][0]["msg"]
        == "there are 10001 operations, and one change may have 10000 (--max-operations)"
    )
    assert revision(api) == before


def test_as_many_operations_as_allowed(api: Api) -> None:
    """By default, 10,000 operations are one change."""
    api.declare()
    operations = [{**PUT_DEV, "feature_values": {"user": str(number)}} for number in range(10_000)]
    allowed = change(api, *operations, dry_run=True)
    assert allowed.status_code == 200, allowed.text
    assert len(allowed.json()["results"]) == 10_000


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Api]]:
    """Return clients with tokens of several kinds, of one service."""
    path = tmp_path_factory.mktemp("changes") / "a.db"
    scopes = {
        "everything": EVERY_SCOPE,
        "writer": (Scope.READ, Scope.WRITE),
        "admin": (Scope.READ, Scope.ADMIN),
        "reader": (Scope.READ,),
    }
    tokens = {name: make_token(path, name, *scopes[name]) for name in scopes}
    tokens["limited"] = make_token(path, "limited", *scopes["everything"], setting_prefix="shop.")
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        apis = {name: Api(service.url, token=token) for name, token in tokens.items()}
        apis["everything"].declare()
        apis["everything"].declare("shop.page")
        yield apis
        for api in apis.values():
            api.close()


def test_each_operation_needs_its_scope(guarded: dict[str, Api]) -> None:
    """An operation that the scopes of the token do not allow is named, and the whole list is refused."""
    rename = {"op": "rename_setting", "setting": "cache_ttl", "name": "ttl"}
    response = change(guarded["writer"], PUT_DEV, rename)
    assert response.status_code == 403
    assert response.text == "operations[1]: rename_setting requires a token with scope admin"
    response = change(guarded["admin"], PUT_DEV)
    assert response.status_code == 403
    assert response.text == "operations[0]: put_rule requires a token with scope write"
    assert change(guarded["reader"], PUT_DEV).status_code == 403
    assert change(guarded["reader"], PUT_DEV, dry_run=True).status_code == 200
    assert change(guarded["reader"], PUT_DEV, rename, dry_run=True).status_code == 200
    assert change(guarded["reader"]).text == "a change requires a token with scope write; dry_run requires read"
    assert guarded["everything"].rule_ids() == []


@pytest.mark.parametrize(
    "operations",
    [
        [PUT_DEV],
        [{"op": "rename_setting", "setting": "shop.page", "name": "page"}],
        [{"op": "rename_setting", "setting": "cache_ttl", "name": "shop.ttl"}],
        [{"op": "add_context_feature", "context_feature": "country"}],
        [{"op": "set_default", "setting": "cache_ttl", "value": 1}],
        [
            {"op": "rename_setting", "setting": "shop.page", "name": "shop.other"},
            {"op": "rename_setting", "setting": "shop.other", "name": "other"},
        ],
    ],
)
def test_a_limited_token_stays_within_its_prefix(guarded: dict[str, Api], operations: list[dict[str, Any]]) -> None:
    """A list that touches settings outside of the prefix is refused as a whole."""
    inside = {"op": "put_rule", "setting": "shop.page", "feature_values": {"user": "john"}, "value": 1}
    response = change(guarded["limited"], inside, *operations)
    assert response.status_code == 403
    assert guarded["everything"].query()["shop.page"]["rules"] == []


def test_protected_settings_are_left_alone(guarded: dict[str, Api]) -> None:
    """Only declarations, and admins who break the glass, change a protected setting."""
    everything = guarded["everything"]
    everything.declare("kept", version="1.0")
    rule_id = everything.add_rule(5, "kept", user="john")
    change(everything, {"op": "set_protection", "setting": "kept", "protected": True})
    assert everything.setting("kept")["protected"] is True
    put = {"op": "put_rule", "setting": "kept", "feature_values": {"user": "john"}, "value": 6}
    for response in [
        change(everything, put),
        change(everything, {"op": "set_protection", "setting": "kept", "protected": False}),
        everything.call("PUT", f"rules/{rule_id}/value", {"value": 6}),
        everything.call("PATCH", f"rules/{rule_id}", {"value": 6}),
        everything.call("PUT", f"rules/{rule_id}/schedule", {"ends_at": "2040-01-01T00:00:00Z"}),
        everything.call("PUT", f"rules/{rule_id}/metadata", {"metadata": {"a": 1}}),
        everything.call("DELETE", f"rules/{rule_id}"),
        everything.call("POST", "rules", {"setting": "kept", "feature_values": {"user": "jane"}, "value": 6}),
        everything.call("DELETE", "settings/kept"),
        everything.call("PUT", "settings/kept/name", {"name": "other", "version": "2.0"}),
        everything.call("PUT", "settings/kept/metadata", {"metadata": {"a": 1}, "version": "2.0"}),
        everything.call("POST", f"history/{everything.history(limit=2)[-1]['revision']}/revert"),
    ]:
        assert response.status_code == 403, response.request.url
        assert "proposals" in response.text
    assert everything.declare("kept", version="1.1", default_value=70).json()["outcome"] == "upgraded"
    assert change(guarded["writer"], put, break_glass=True, reason="fire").status_code == 403
    assert change(everything, put, break_glass=True).status_code == 422
    assert change(everything, put, break_glass=True, reason="fire").status_code == 200
    assert everything.history(limit=1)[0]["break_glass"] is True
    assert everything.query()["kept"]["rules"][0]["value"] == 6
