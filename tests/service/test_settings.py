from typing import Any

import pytest

from tests.service.api import Api


def put(api: Api, attribute: str, setting: str = "cache_ttl", /, **body: Any) -> Any:
    response = api.call("PUT", f"settings/{setting}/{attribute}", body)
    assert response.status_code != 204 or response.content == b""
    return response


def test_settings_are_listed_by_name(api: Api) -> None:
    """The list is sorted, and only has details on request."""
    for name in ("b", "a.z", "B"):
        api.declare(name)
    listed = api.get("settings").json()["settings"]
    assert [setting["name"] for setting in listed] == ["B", "a.z", "b"]
    assert listed[0] == {"name": "B", "type": "int", "default_value": 60, "version": "1.0"}
    details = api.get("settings", include_additional_data=True).json()["settings"]
    assert details == [api.setting(name) for name in ("B", "a.z", "b")]
    assert details[0]["configurable_features"] == ["environment", "user"]


def test_unknown_settings_are_404(api: Api) -> None:
    """Each request for an unknown setting is 404."""
    assert api.get("settings/nope").status_code == 404
    assert api.get("settings/a%00b%20c").status_code == 404
    assert api.call("DELETE", "settings/nope").status_code == 404
    assert put(api, "type", "nope", type="int", version="2.0").status_code == 404
    assert put(api, "name", "nope", name="x", version="2.0").status_code == 404
    response = put(api, "configurable_features", "nope", configurable_features=["user"], version="2.0")
    assert response.status_code == 404


def test_a_setting_goes_with_its_rules(api: Api) -> None:
    """Deleting a setting deletes its rules and no others."""
    api.declare()
    api.declare("other")
    gone = api.add_rule(1, user="a")
    kept = api.add_rule(1, setting="other", user="a")
    response = api.call("DELETE", "settings/cache_ttl")
    assert (response.status_code, response.content) == (204, b"")
    assert api.get(f"rules/{gone}").status_code == 404
    assert api.get(f"rules/{kept}").status_code == 200
    assert list(api.query()) == ["other"]


@pytest.mark.parametrize(
    ("attribute", "body"),
    [
        ("type", {"type": "nope", "version": "2.0"}),
        ("type", {"type": 1, "version": "2.0"}),
        ("type", {"version": "2.0"}),
        ("type", {"type": "int"}),
        ("type", {"type": "int", "version": "2"}),
        ("name", {"name": "a b", "version": "2.0"}),
        ("name", {"name": "a\n", "version": "2.0"}),
        ("name", {"name": "x"}),
        ("configurable_features", {"configurable_features": [], "version": "2.0"}),
        ("configurable_features", {"configurable_features": ["user", "user"], "version": "2.0"}),
        ("configurable_features", {"configurable_features": ["user"]}),
    ],
)
def test_malformed_changes_are_422(api: Api, attribute: str, body: dict[str, Any]) -> None:
    """Each change requires a well-formed value and version."""
    api.declare()
    before = api.setting()
    assert put(api, attribute, **body).status_code == 422
    assert api.setting() == before


def test_the_type_can_be_narrowed_or_changed_by_a_major_version(api: Api) -> None:
    """A narrower type requires a higher version, and any other type a higher major version."""
    api.declare(type="float")
    assert put(api, "type", type="int", version="1.1").status_code == 204
    assert put(api, "type", type="float", version="2.0").status_code == 204
    assert (api.setting()["type"], api.setting()["version"]) == ("float", "2.0")


def test_the_same_type(api: Api) -> None:
    """With the same version nothing changes. A higher version is stored."""
    api.declare()
    assert put(api, "type", type="int", version="1.00").status_code == 204
    assert api.setting()["version"] == "1.0"
    assert put(api, "type", type="int", version="1.1").status_code == 204
    assert api.setting()["version"] == "1.1"


@pytest.mark.parametrize("version", ["1.1", "1.0", "0.9"])
def test_the_type_needs_a_higher_version(api: Api, version: str) -> None:
    """Another type with the same or a lower version is 409."""
    api.declare(type="float")
    api.declare(type="float", version="1.1")
    assert put(api, "type", type="int", version=version).status_code == 409
    assert api.setting()["type"] == "float"


def test_conflicts_of_a_type_are_listed(api: Api) -> None:
    """The default, each unsuitable rule, and an insufficient version are separate conflicts."""
    api.declare(type="float", default_value=0.5)
    good, bad, worse = (api.add_rule(value, user=str(value)) for value in (1, 1.5, 2.5))
    conflicts = put(api, "type", type="int", version="2.0").json()["conflicts"]
    assert len(conflicts) == 3
    assert "default value" in conflicts[0]
    assert [str(bad) in conflicts[1], str(worse) in conflicts[2]] == [True, True]
    response = put(api, "type", type="Sequence<int>", version="1.1")
    assert (response.status_code, len(response.json()["conflicts"])) == (409, 5)
    assert str(good) in response.json()["conflicts"][1]
    assert "sub-type" in response.json()["conflicts"][-1]
    assert api.setting()["type"] == "float"


def test_renaming(api: Api) -> None:
    """The old name becomes an alias. The same version is sufficient, and a lower one is 409."""
    api.declare()
    api.declare(version="1.1")
    assert put(api, "name", name="ttl", version="1.0").status_code == 409
    assert put(api, "name", name="ttl", version="1.1").status_code == 204
    assert (api.setting("ttl")["aliases"], api.setting("cache_ttl")["name"]) == (["cache_ttl"], "ttl")
    assert put(api, "name", name="cache_ttl", version="1.2").status_code == 204
    assert (api.setting()["name"], api.setting()["aliases"]) == ("cache_ttl", ["ttl"])


def test_renaming_to_the_same_name_bumps(api: Api) -> None:
    """The same name with a higher version stores the version, also through an alias."""
    api.declare()
    assert put(api, "name", name="cache_ttl", version="1.1").status_code == 204
    assert (api.setting()["version"], api.setting()["aliases"]) == ("1.1", [])
    put(api, "name", name="ttl", version="1.2")
    assert put(api, "name", name="ttl", version="1.3").status_code == 204
    assert put(api, "type", "cache_ttl", type="int", version="1.4").status_code == 204
    assert api.setting("ttl")["version"] == "1.4"


def test_names_and_aliases_of_other_settings_are_taken(api: Api) -> None:
    """A rename to the name or alias of another setting is 409."""
    api.declare()
    api.declare("other")
    put(api, "name", "other", name="other_b", version="1.1")
    before = api.state()
    for name in ("other", "other_b"):
        assert put(api, "name", name=name, version="2.0").status_code == 409
    assert api.state() == before


def test_changing_configurable_features(api: Api) -> None:
    """Removing unused features requires a higher version, and adding features a major one."""
    api.declare()
    assert put(api, "configurable_features", configurable_features=["user"], version="1.1").status_code == 204
    both = ["theme", "user"]
    assert put(api, "configurable_features", configurable_features=both, version="1.2").status_code == 409
    assert put(api, "configurable_features", configurable_features=both, version="2.0").status_code == 204
    assert (api.setting()["configurable_features"], api.setting()["version"]) == (["user", "theme"], "2.0")


def test_the_same_configurable_features(api: Api) -> None:
    """With the same version nothing changes. Other features with that version are 409."""
    api.declare()
    features = ["user", "environment"]
    assert put(api, "configurable_features", configurable_features=features, version="1.0").status_code == 204
    assert put(api, "configurable_features", configurable_features=["user"], version="1.0").status_code == 409
    assert put(api, "configurable_features", configurable_features=features, version="0.9").status_code == 409
    assert put(api, "configurable_features", configurable_features=features, version="1.1").status_code == 204
    assert api.setting()["version"] == "1.1"


def test_configurable_features_in_use_stay(api: Api) -> None:
    """Removing a feature that rules use is 409 with any version."""
    api.declare()
    api.add_rule(1, user="a")
    response = put(api, "configurable_features", configurable_features=["environment"], version="2.0")
    assert (response.status_code, "user" in response.text) == (409, True)


def test_unknown_configurable_features_are_404(api: Api) -> None:
    """An unknown feature is 404."""
    api.declare()
    response = put(api, "configurable_features", configurable_features=["user", "nope"], version="2.0")
    assert (response.status_code, "nope" in response.text) == (404, True)
