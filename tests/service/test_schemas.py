"""Schemas of settings: what the service accepts as one, and that every way to write a value enforces it."""

import time
from typing import Any

import pytest

from heksherlite.service.domain.value_schemas import MAX_SCHEMA_SIZE, ValueSchema
from heksherlite.service.errors import InvalidError, TooLargeError
from tests.service.api import Api

HOSTS = {
    "type": "object",
    "properties": {"hosts": {"type": "array", "items": {"type": "string", "minLength": 1}}, "port": {"minimum": 1}},
    "required": ["hosts"],
    "additionalProperties": False,
}
GOOD = {"hosts": ["a"]}
BAD = {"hosts": ["a", "b", ""]}
FAULT = '$.hosts[2]: "" should be non-empty'


def declare(api: Api, schema: Any = HOSTS, **fields: Any) -> Any:
    return api.declare("pool", **{"type": "Json", "default_value": GOOD, "schema": schema, **fields})


def differences(api: Api, schema: Any, **fields: Any) -> Any:
    return declare(api, schema, **fields).json()


def test_a_schema_is_a_field_of_the_setting(api: Api) -> None:
    """It is shown, in the history, and undone with the change that brought it; without one, the field is absent."""
    api.declare("plain")
    assert "schema" not in api.setting("plain")
    assert declare(api).json() == {"outcome": "created"}
    assert api.setting("pool")["schema"] == HOSTS
    narrower = {**HOSTS, "required": ["hosts", "port"]}
    default = {"hosts": [], "port": 1}
    answer = differences(api, narrower, version="1.1", default_value=default)
    assert [(each["level"], each["attribute"]) for each in answer["differences"]] == [
        ("minor", "schema"),
        ("minor", "default_value"),
    ]
    assert answer["differences"][0]["latest_value"] == HOSTS
    (change,) = api.history(limit=1)[0]["changes"]
    assert (change["before"]["schema"], change["after"]["schema"]) == (HOSTS, narrower)
    assert api.call("POST", f"history/{api.revision()}/revert").status_code == 200
    assert api.setting("pool")["schema"] == HOSTS
    assert differences(api, None, version="1.1")["outcome"] == "upgraded"
    assert "schema" not in api.setting("pool")


def test_the_copy_in_the_metadata_is_not_stored(api: Api) -> None:
    """Clients send the schema in the metadata too, for services that know no schemas; other metadata stays."""
    declare(api, metadata={"schema": HOSTS, "owner": "me"})
    assert api.setting("pool")["metadata"] == {"owner": "me"}
    api.declare("plain", metadata={"schema": {"a": 1}})
    assert api.setting("plain")["metadata"] == {"schema": {"a": 1}}


def test_every_write_of_a_value_is_checked(api: Api) -> None:
    """A value that does not satisfy the schema is refused with the path and text of each fault. Nothing is stored."""
    declare(api)
    rule_id = api.add_rule(GOOD, "pool", user="john")
    rule = {"setting": "pool", "feature_values": {"user": "jane"}, "value": BAD}
    before = api.state()
    for method, path, body in [
        ("POST", "rules", rule),
        ("PUT", f"rules/{rule_id}/value", {"value": BAD}),
        ("PATCH", f"rules/{rule_id}", {"value": BAD}),
    ]:
        answer = api.call(method, path, body)
        assert (answer.status_code, FAULT in answer.text) == (400, True), answer.text
    operations = [
        {"op": "add_rule", **rule},
        {"op": "put_rule", **rule},
        {"op": "set_value", "rule_id": rule_id, "value": BAD},
        {"op": "set_default", "setting": "pool", "value": BAD},
    ]
    for path in ("changes", "proposals"):
        answer = api.call("POST", path, {"operations": operations})
        assert answer.status_code == 409
        assert [FAULT in conflict["reason"] for conflict in answer.json()["conflicts"]] == [True] * 4
    answer = declare(api, version="1.1", default_value=BAD)
    assert (answer.status_code, FAULT in answer.text) == (400, True)
    assert api.state() == before


def test_all_faults_are_listed_with_their_paths(api: Api) -> None:
    """Also those inside a value that may be null, and those of values that are not nested."""
    schema = {"properties": {"pool": {"anyOf": [HOSTS, {"type": "null"}]}, "a b": {"type": "integer"}}}
    declare(api, schema, default_value={"pool": None})
    rule = {"setting": "pool", "feature_values": {"user": "a"}, "value": {"pool": {"hosts": [""], "x": 1}, "a b": 0.5}}
    text = api.call("POST", "rules", rule).text
    for fault in ('$.pool.hosts[0]: "" should be', "$.pool: Additional properties", '$["a b"]: 0.5 is not of type'):
        assert fault in text
    api.declare("ttl", schema={"minimum": 1})
    answer = api.call("POST", "rules", {"setting": "ttl", "feature_values": {"user": "a"}, "value": 0})
    assert answer.text == "the value does not fit the schema of setting 'ttl': $: 0 is less than the minimum of 1"


def test_an_upgrade_never_makes_live_values_invalid(api: Api) -> None:
    """A schema that a rule or the operator's default does not satisfy is a mismatch, which names each and its fault."""
    declare(api)
    first, second = (api.add_rule({"hosts": [user]}, "pool", user=user) for user in ("a", "bb"))
    api.call("POST", "changes", {"operations": [{"op": "set_default", "setting": "pool", "value": {"hosts": ["c"]}}]})
    narrow = {"properties": {"hosts": {"items": {"minLength": 2}}}}
    answer = declare(api, narrow, version="2.0", default_value={"hosts": []})
    assert answer.status_code == 409
    messages = [each["message"] for each in answer.json()["differences"] if each["level"] == "mismatch"]
    fault = '$.hosts[0]: "{}" is shorter than 2 characters'
    assert messages == [
        f"setting schema incompatible with the value of rule {first}: {fault.format('a')}",
        f"setting schema incompatible with the operator's default value: {fault.format('c')}",
    ]
    assert (second, api.setting("pool")["schema"]) == (second, HOSTS)
    api.call("DELETE", f"rules/{first}")
    api.call("POST", "changes", {"operations": [{"op": "clear_default", "setting": "pool"}]})
    assert declare(api, narrow, version="1.1", default_value={"hosts": []}).json()["outcome"] == "upgraded"


def test_two_versions_of_a_program_at_once(api: Api) -> None:
    """During a rolling deployment, the older version is outdated and changes nothing; a rollback is no upgrade."""
    declare(api)
    wider = {"type": "object"}
    assert differences(api, wider, version="1.1")["outcome"] == "upgraded"
    old = differences(api, HOSTS)
    assert (old["outcome"], old["differences"]) == (
        "outdated",
        [{"level": "minor", "attribute": "schema", "latest_value": wider}],
    )
    assert differences(api, wider, version="1.1") == {"outcome": "uptodate"}
    assert differences(api, HOSTS, version="1.1")["outcome"] == "mismatch"
    assert api.setting("pool")["schema"] == wider


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "text"}, "$.type: "),
        ({"properties": {"a": {"minimum": "1"}}}, "$.properties.a.minimum: "),
        ({"pattern": "(?<=a)b"}, "neither look-around nor back-references"),
        ({"pattern": "(a{1000}){1000}"}, "must not be large"),
        ({"$ref": "https://example.com/schema.json"}, "only references inside the schema"),
        ({"items": {"$ref": "other.json#/a"}}, "#/items/$ref is 'other.json#/a'"),
        ({"$ref": "#/$defs/none"}, "which does not exist"),
        ({"properties": {"child": {"$ref": "#"}}}, "# refers to itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "refers to itself"),
        ({"$dynamicRef": "#a"}, "$dynamicRef, which is not supported"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "only https://json-schema.org/draft/2020-12"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused(api: Api, schema: Any, reason: str) -> None:
    """It is 422, with the place and the reason."""
    answer = declare(api, schema)
    assert (answer.status_code, reason in answer.json()["detail"][0]["msg"]) == (422, True), answer.text
    assert api.get("settings/pool").status_code == 404


def test_the_size_and_depth_of_a_schema_are_limited(api: Api) -> None:
    """Also the number of its parts when each reference is replaced by what it refers to."""
    assert declare(api, {"description": "x" * MAX_SCHEMA_SIZE}).status_code == 413
    with pytest.raises(TooLargeError, match="the maximum is 65536"):
        ValueSchema({"description": "x" * MAX_SCHEMA_SIZE}).check()
    deep: Any = {}
    for _ in range(70):
        deep = {"items": deep}
    with pytest.raises(InvalidError, match="more than 64 levels deep"):
        ValueSchema(deep).check()
    doubling = {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(20)}
    with pytest.raises(InvalidError, match="more than 2000 parts"):
        ValueSchema({"$ref": "#/$defs/0", "$defs": {**doubling, "20": {}}}).check()


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_catastrophic_patterns_do_not_hang(pattern: str) -> None:
    """Patterns that take an engine with backtracking longer than the age of the universe take no time."""
    schema = ValueSchema({"pattern": pattern})
    schema.check()
    started = time.process_time()
    assert schema.faults("a" * 50_000 + "!")
    assert time.process_time() - started < 5  # with backtracking, 30 characters would take longer


def test_the_work_of_a_check_is_limited() -> None:
    """The parts of a value times those of the schema are; a large value has its first fault listed only."""
    schema = ValueSchema({"items": {"anyOf": [{"const": number} for number in range(1, 1000)]}})
    schema.check()
    started = time.process_time()
    assert schema.faults([0] * 100_000) == ["$: the value is too large for a schema of 1001 parts"]
    (fault,) = schema.faults([0] * 5_000)
    assert fault.startswith("$[0]: 0 is not valid")
    assert len(schema.faults([0] * 12)) == 11
    assert time.process_time() - started < 10


def test_unknown_keywords_stay(api: Api) -> None:
    """They are stored and shown as they were declared, and do not matter for values."""
    schema = {"unit": "s", "x-order": [1, {"a": None}], "minimum": 0}
    api.declare("ttl", schema=schema)
    assert api.setting("ttl")["schema"] == schema


def test_the_whole_schema_of_a_setting(api: Api) -> None:
    """It contains the type, for editors, and the default that is in force."""
    declare(api)
    api.declare("waits", type="Mapping<Sequence<float>>", default_value={}, schema={"maxProperties": 3})
    api.declare("mode", type='Enum["a",1]', default_value=1)
    api.declare("rights", type='Flags["r","w"]', default_value=["r"])
    dialect = "https://json-schema.org/draft/2020-12/schema"
    assert api.get("settings/pool/schema").json() == {"$schema": dialect, "title": "pool", "default": GOOD, **HOSTS}
    assert api.get("settings/waits/schema").json() == {
        "$schema": dialect,
        "title": "waits",
        "default": {},
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "number"}},
        "maxProperties": 3,
    }
    assert api.get("settings/mode/schema").json()["enum"] == ["a", 1]
    rights = api.get("settings/rights/schema").json()
    assert (rights["items"], rights["uniqueItems"]) == ({"enum": ["r", "w"]}, True)
    assert api.get("settings/none/schema").status_code == 404
