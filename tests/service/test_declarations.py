from typing import Any

import pytest

from tests.service.api import Api

MINOR_DEFAULT = {"level": "minor", "attribute": "default_value", "latest_value": 60}
MINOR_METADATA = {"level": "minor", "attribute": "metadata", "latest_value": {}}
MAJOR_FEATURES = {
    "level": "major",
    "attribute": "configurable_features",
    "latest_value": ["environment", "user"],
}


def removal(*features: str) -> dict[str, str]:
    return {"level": "minor", "message": f"removal of configurable features {list(features)}"}


def outcome(response: Any) -> tuple[int, dict[str, Any]]:
    return response.status_code, response.json()


def upgraded(previous: str, *differences: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"outcome": "upgraded", "previous_version": previous, "differences": list(differences)}


def rejected(previous: str, *differences: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 409, {"outcome": "rejected", "previous_version": previous, "differences": list(differences)}


def test_a_new_setting_is_created(api: Api) -> None:
    """A new setting has all declared fields, with its features in the global order."""
    response = api.declare("a.B_1", configurable_features=["theme", "environment"], metadata={"x": 1})
    assert outcome(response) == (200, {"outcome": "created"})
    assert api.setting("a.B_1") == {
        "name": "a.B_1",
        "type": "int",
        "default_value": 60,
        "version": "1.0",
        "configurable_features": ["environment", "theme"],
        "metadata": {"x": 1},
        "aliases": [],
    }


@pytest.mark.parametrize("version", ["0.9", "1.1", "2.0"])
def test_a_new_setting_begins_at_1_0(api: Api, version: str) -> None:
    """A new setting with another version than 1.0 is 400."""
    assert api.declare(version=version).status_code == 400
    assert api.get("settings/cache_ttl").status_code == 404


def test_unknown_context_features_are_404(api: Api) -> None:
    """New settings and upgrades with unknown features are 404."""
    assert api.declare(configurable_features=["user", "nope"]).status_code == 404
    api.declare()
    response = api.declare(configurable_features=["environment", "user", "nope"], version="2.0")
    assert (response.status_code, "nope" in response.text) == (404, True)
    assert api.setting()["version"] == "1.0"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a b"},
        {"name": "a\n"},
        {"name": ""},
        {"name": 1},
        {"configurable_features": []},
        {"configurable_features": ["user", "user"]},
        {"configurable_features": "user"},
        {"configurable_features": ["us er"]},
        {"configurable_features": [1]},
        {"type": "integer"},
        {"type": "Flags{1}"},
        {"type": "enum[1]"},
        {"type": "Flags[[0]]"},
        {"type": 5},
        {"type": None},
        {"type": "int\n"},
        {"type": "Sequence<" * 1000 + "int" + ">" * 1000},
        {"default_value": "x"},
        {"default_value": 5.5},
        {"default_value": True},
        {"default_value": None},
        {"metadata": None},
        {"metadata": {"a b": 1}},
        {"alias": "cache_ttl"},
        {"alias": "a b"},
        {"version": "1"},
        {"version": "1.0.0"},
        {"version": "1.0\n"},
        {"version": "-1.0"},
        {"version": "\u0661.\u0660"},
        {"version": 1},
        {"version": True},
        {"version": ""},
    ],
)
def test_malformed_declarations_are_422(api: Api, fields: dict[str, Any]) -> None:
    """Malformed names, types and versions, duplicates, and an unsuitable default are refused, and change nothing."""
    response = api.declare(**fields)
    assert response.status_code == 422
    assert response.json()["detail"][0]["msg"]
    assert api.get("settings").json() == {"settings": []}


@pytest.mark.parametrize("field", ["name", "type", "default_value", "configurable_features"])
def test_missing_fields_are_422(api: Api, field: str) -> None:
    """Fields without a default are required."""
    body = {"name": "x", "type": "int", "default_value": 1, "configurable_features": ["user"]}
    del body[field]
    assert api.call("POST", "settings/declare", body).status_code == 422


def test_unknown_fields_are_ignored(api: Api) -> None:
    """Unknown fields, such as those of newer clients, are ignored."""
    assert outcome(api.declare(color="red")) == (200, {"outcome": "created"})


def test_an_identical_declaration_is_uptodate(api: Api) -> None:
    """The order of features and options, spaces in the type, and 1 or 1.0 make no difference."""
    fields: dict[str, Any] = {
        "type": "Mapping<Enum[1,true]>",
        "default_value": {"a": 1},
        "metadata": {"m": [1, {"n": None}]},
    }
    api.declare(**fields)
    assert outcome(api.declare(**fields)) == (200, {"outcome": "uptodate"})
    same: dict[str, Any] = {"type": "Mapping < Enum[true, 1.0] >", "default_value": {"a": 1.0}, "version": "1.00"}
    response = api.declare(**{**fields, **same}, configurable_features=["user", "environment"])
    assert outcome(response) == (200, {"outcome": "uptodate"})


@pytest.mark.parametrize(
    ("fields", "difference"),
    [
        ({"default_value": 61}, MINOR_DEFAULT),
        ({"metadata": {"a": 1}}, MINOR_METADATA),
        ({"type": "float"}, {"level": "major", "attribute": "type", "latest_value": "int"}),
        ({"configurable_features": ["user"]}, removal("environment")),
        ({"configurable_features": ["user", "environment", "theme"]}, MAJOR_FEATURES),
    ],
)
def test_a_difference_at_the_same_version_is_a_mismatch(
    api: Api, fields: dict[str, Any], difference: dict[str, Any]
) -> None:
    """Other contents with the stored version are 409, and change nothing."""
    api.declare()
    before = api.state()
    assert outcome(api.declare(**fields)) == (409, {"outcome": "mismatch", "differences": [difference]})
    assert api.state() == before


@pytest.mark.parametrize("version", ["1.1", "1.10", "2.0"])
def test_a_bump_without_difference_is_upgraded(api: Api, version: str) -> None:
    """A higher version without any difference is stored."""
    api.declare()
    assert outcome(api.declare(version=version)) == upgraded("1.0")
    assert api.setting()["version"] == version


def test_versions_are_compared_as_numbers(api: Api) -> None:
    """1.10 is higher than 1.9."""
    api.declare()
    api.declare(version="1.9")
    assert outcome(api.declare(version="1.10")) == upgraded("1.9")
    assert api.declare(version="1.9").json()["outcome"] == "outdated"


@pytest.mark.parametrize(
    ("type_", "old", "new"),
    [
        ("int", 60, 0),
        ("str", "x", ""),
        ("bool", True, False),
        ("Sequence<int>", [1], []),
        ("Mapping<int>", {"a": 1}, {}),
    ],
)
def test_an_upgrade_to_a_falsy_default_is_stored(api: Api, type_: str, old: Any, new: Any) -> None:
    """A falsy default is stored like any other."""
    api.declare(type=type_, default_value=old)
    difference = {"level": "minor", "attribute": "default_value", "latest_value": old}
    assert outcome(api.declare(type=type_, default_value=new, version="1.1")) == upgraded("1.0", difference)
    assert api.setting()["default_value"] == new
    assert api.query()["cache_ttl"]["default_value"] == new


def test_an_upgrade_may_empty_the_metadata(api: Api) -> None:
    """Declared metadata replaces the stored metadata, also if it is empty."""
    api.declare(metadata={"a": 1})
    difference = {"level": "minor", "attribute": "metadata", "latest_value": {"a": 1}}
    assert outcome(api.declare(version="1.1")) == upgraded("1.0", difference)
    assert api.setting()["metadata"] == {}


@pytest.mark.parametrize(
    ("before", "after", "default"),
    [
        ("float", "int", 1),
        ("Enum[1,2,3]", "Enum[1,2]", 1),
        ('Flags["a","b"]', 'Flags["a"]', []),
        ("Sequence<float>", "Sequence<int>", []),
        ("Mapping<Enum[1,2]>", "Mapping<Enum[1]>", {}),
    ],
)
def test_narrowing_the_type_is_minor_and_widening_major(api: Api, before: str, after: str, default: Any) -> None:
    """A narrower type requires a minor version, and a wider type a major one."""
    narrowing = {"level": "minor", "attribute": "type", "latest_value": before}
    widening = {"level": "major", "attribute": "type", "latest_value": after}
    api.declare(type=before, default_value=default)
    assert outcome(api.declare(type=after, default_value=default, version="1.1")) == upgraded("1.0", narrowing)
    assert outcome(api.declare(type=before, default_value=default, version="1.2")) == rejected("1.1", widening)
    assert api.setting()["type"] == after
    assert outcome(api.declare(type=before, default_value=default, version="2.0")) == upgraded("1.1", widening)
    assert api.setting()["type"] == before


@pytest.mark.parametrize(("before", "after"), [("float", "int"), ("float", "str")])
@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_a_type_that_rules_contradict_is_a_mismatch(api: Api, before: str, after: str, version: str) -> None:
    """A type that values of rules do not fit is refused with any version."""
    api.declare(type=before)
    api.add_rule(1 if after == "int" else 1.5, user="a")
    bad = [api.add_rule(1.5, user="b"), api.add_rule(2.5, user="c")]
    if after == "str":
        bad.insert(0, bad[0] - 1)
    default = 1 if after == "int" else "x"
    status, body = outcome(api.declare(type=after, default_value=default, version=version))
    message = f"setting type incompatible with values for rules: {bad}"
    assert (status, body["outcome"]) == (409, "rejected")
    assert body["differences"] == [MINOR_DEFAULT, {"level": "mismatch", "message": message}]
    assert api.setting()["type"] == before


def test_unused_features_can_be_removed_by_a_minor_bump(api: Api) -> None:
    """Removing features that no rule uses requires a minor version."""
    api.declare(configurable_features=["environment", "user", "theme"])
    api.add_rule(1, user="a")
    response = api.declare(configurable_features=["user"], version="1.1")
    assert outcome(response) == upgraded("1.0", removal("environment", "theme"))
    assert api.setting()["configurable_features"] == ["user"]


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_features_in_use_cannot_be_removed(api: Api, version: str) -> None:
    """Removing features that rules use is a mismatch with any version."""
    api.declare(configurable_features=["environment", "user", "theme"])
    rule_id = api.add_rule(1, theme="dark")
    message = f"configurable features ['theme'] are still in use by rules [{rule_id}]"
    response = api.declare(configurable_features=["user"], version=version)
    assert outcome(response) == rejected("1.0", {"level": "mismatch", "message": message})
    assert api.setting()["configurable_features"] == ["environment", "user", "theme"]


def test_adding_features_needs_a_major_bump(api: Api) -> None:
    """Adding a feature requires a major version, because existing programs do not pass it."""
    api.declare()
    features = ["environment", "user", "theme"]
    response = api.declare(configurable_features=features, version="1.3")
    assert outcome(response) == rejected("1.0", MAJOR_FEATURES)
    response = api.declare(configurable_features=features, version="2.0")
    assert outcome(response) == upgraded("1.0", MAJOR_FEATURES)
    assert api.setting()["configurable_features"] == features


def test_differences_are_ordered(api: Api) -> None:
    """Differences are ordered by level, then features, type, name, default and metadata."""
    api.declare()
    response = api.declare(
        "renamed", alias="cache_ttl", type="str", default_value="x", metadata={"a": 1}, version="2.0"
    )
    assert response.json()["differences"] == [
        {"level": "minor", "attribute": "name", "latest_value": "cache_ttl"},
        MINOR_DEFAULT,
        MINOR_METADATA,
        {"level": "major", "attribute": "type", "latest_value": "int"},
    ]
    response = api.declare("renamed", type="int", configurable_features=["user"], version="3.0")
    assert [item.get("attribute", "features") for item in response.json()["differences"]] == [
        "features",
        "default_value",
        "metadata",
        "type",
    ]


def test_a_lower_version_learns_what_happened_since(api: Api) -> None:
    """An outdated declaration receives the differences from it to the stored one."""
    old: dict[str, Any] = {"type": "float", "configurable_features": ["environment", "user"], "default_value": 60}
    api.declare(**old)
    new: dict[str, Any] = {
        "type": "int",
        "configurable_features": ["user", "theme"],
        "default_value": 0,
        "version": "2.0",
    }
    api.declare(**new)
    api.add_rule(1, user="a", theme="b")
    before = api.state()
    assert outcome(api.declare(**old)) == (
        200,
        {
            "outcome": "outdated",
            "latest_version": "2.0",
            "differences": [
                {"level": "minor", "attribute": "type", "latest_value": "int"},
                {"level": "minor", "attribute": "default_value", "latest_value": 0},
                {"level": "major", "attribute": "configurable_features", "latest_value": ["user", "theme"]},
            ],
        },
    )
    removed = api.declare(**{**old, "configurable_features": ["environment", "user", "theme"]}).json()
    assert removed["differences"][0] == removal("environment")
    assert api.state() == before


def test_a_lower_version_without_difference_is_outdated(api: Api) -> None:
    """An outdated declaration may differ in the version only."""
    api.declare(version="1.0")
    api.declare(version="1.1")
    response = {"outcome": "outdated", "latest_version": "1.1", "differences": []}
    assert outcome(api.declare(version="1.0")) == (200, response)
    assert outcome(api.declare(version="0.1")) == (200, response)


def test_a_program_of_before_still_starts_when_a_feature_is_gone(api: Api) -> None:
    """An outdated declaration may name a feature that was deleted since."""
    api.declare()
    api.declare(configurable_features=["user"], version="1.1")
    api.call("DELETE", "context_features/environment")
    assert api.declare().json()["differences"] == [removal("environment")]


def test_a_rename_keeps_rules_and_every_earlier_name(api: Api) -> None:
    """A declaration with the old name as alias renames the setting. All names remain valid."""
    api.declare("first")
    rule_id = api.add_rule(1, setting="first", user="a")
    name_of = {"level": "minor", "attribute": "name"}
    response = api.declare("second", alias="first", version="1.1")
    assert outcome(response) == upgraded("1.0", {**name_of, "latest_value": "first"})
    response = api.declare("third", alias="second", version="1.2")
    assert outcome(response) == upgraded("1.1", {**name_of, "latest_value": "second"})
    assert api.setting("third")["aliases"] == ["first", "second"]
    for name in ("first", "second", "third"):
        assert api.setting(name)["name"] == "third"
        assert list(api.query(settings=name)) == ["third"]
        assert api.get("rules/search", setting=name, feature_values="user:a").json() == {"rule_id": rule_id}
        assert outcome(api.declare(name, version="1.2")) == (200, {"outcome": "uptodate"})
    assert api.get(f"rules/{rule_id}").json()["setting"] == "third"
    api.add_rule(2, setting="first", user="b")
    assert api.call("DELETE", "settings/second").status_code == 204
    assert api.get("settings").json() == {"settings": []}
    assert api.get("settings/first").status_code == 404


def test_a_rename_needs_a_higher_version(api: Api) -> None:
    """A new name is a mismatch with the same version, and outdated with a lower one."""
    api.declare("old")
    api.declare("old", version="1.1")
    difference = {"level": "minor", "attribute": "name", "latest_value": "old"}
    same = api.declare("new", alias="old", version="1.1")
    assert outcome(same) == (409, {"outcome": "mismatch", "differences": [difference]})
    lower = api.declare("new", alias="old", version="1.0")
    outdated = {"outcome": "outdated", "latest_version": "1.1", "differences": [difference]}
    assert outcome(lower) == (200, outdated)
    assert api.setting("old")["aliases"] == []


def test_a_rename_with_a_type_change_checks_the_rules(api: Api) -> None:
    """A rename with a type that rules do not fit is refused."""
    api.declare("old", type="float")
    rule_id = api.add_rule(1.5, setting="old", user="a")
    response = api.declare("new", alias="old", type="int", version="2.0")
    message = f"setting type incompatible with values for rules: {[rule_id]}"
    assert response.status_code == 409
    assert {"level": "mismatch", "message": message} in response.json()["differences"]
    assert api.get("settings/new").status_code == 404


def test_a_version_bump_through_an_alias_counts(api: Api) -> None:
    """A higher version through an earlier name is stored, and the rename stays."""
    api.declare("old")
    api.declare("new", alias="old", version="1.1")
    assert outcome(api.declare("old", version="1.2")) == upgraded("1.1")
    assert (api.setting("new")["version"], api.setting("old")["name"]) == ("1.2", "new")


def test_a_rename_can_be_undone_on_purpose(api: Api) -> None:
    """An earlier name becomes the name again if it is declared with the present name as alias."""
    api.declare("old")
    api.declare("new", alias="old", version="1.1")
    assert api.declare("old", alias="new", version="1.2").json()["outcome"] == "upgraded"
    assert api.setting("new")["name"] == "old"
    assert api.setting("old")["aliases"] == ["new"]


def test_a_declaration_may_go_on_naming_its_alias(api: Api) -> None:
    """After the rename, the same declaration is up to date."""
    api.declare("old")
    api.declare("new", alias="old", version="1.1")
    assert outcome(api.declare("new", alias="old", version="1.1")) == (200, {"outcome": "uptodate"})


def test_alias_conflicts(api: Api) -> None:
    """An unknown alias is 404, that of another setting is 409 with a detail, and nothing changes."""
    api.declare("one")
    api.declare("two")
    api.declare("two_b", alias="two", version="1.1")
    before = api.state()
    assert api.declare("new", alias="nope").status_code == 404
    for name, alias in [("one", "two_b"), ("one", "two"), ("new", "two")]:
        response = api.declare(name, alias=alias, version="1.2")
        assert (response.status_code, list(response.json())) == (409, ["detail"])
    assert api.state() == before
