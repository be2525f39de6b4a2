import pytest

from heksherlite.service.domain import context_features
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.counters import Counters
from tests.service.api import Api


def indexes(api: Api) -> list[int]:
    return [api.get(f"context_features/{name}").json()["index"] for name in api.features()]


def test_they_are_listed_in_order(api: Api) -> None:
    """Context features are listed in the global order."""
    assert api.features() == ["environment", "user", "theme"]


def test_each_has_an_index(api: Api) -> None:
    """Indexes are consecutive and start at 0."""
    assert indexes(api) == [0, 1, 2]


def test_an_unknown_one_is_404_without_body(api: Api) -> None:
    """Each request for an unknown feature gets 404 with an empty body."""
    for response in (
        api.get("context_features/nope"),
        api.call("DELETE", "context_features/nope"),
        api.call("PATCH", "context_features/nope/index", {"to_after": "user"}),
        api.call("PATCH", "context_features/user/index", {"to_after": "nope"}),
        api.call("PATCH", "context_features/user/index", {"to_before": "nope"}),
    ):
        assert (response.status_code, response.content) == (404, b"")


def test_a_new_one_is_appended(api: Api) -> None:
    """A new feature is the last one."""
    response = api.call("POST", "context_features", {"context_feature": "Region_2"})
    assert (response.status_code, response.content) == (204, b"")
    assert api.features() == ["environment", "user", "theme", "Region_2"]
    assert indexes(api) == [0, 1, 2, 3]


def test_an_existing_one_is_409(api: Api) -> None:
    """An existing feature cannot be added."""
    response = api.call("POST", "context_features", {"context_feature": "user"})
    assert (response.status_code, response.text) == (409, "context feature already exists")


@pytest.mark.parametrize("name", ["a b", "x\n", "", "a-b", "é", "a:b", 1, None, ["a"]])
def test_a_bad_name_is_422(api: Api, name: object) -> None:
    """A name that does not match the whole pattern is refused."""
    response = api.call("POST", "context_features", {"context_feature": name})
    assert response.status_code == 422
    assert response.json()["detail"]
    assert api.features() == ["environment", "user", "theme"]


def test_deleting_closes_the_gap(api: Api) -> None:
    """After a deletion, the indexes are consecutive again."""
    response = api.call("DELETE", "context_features/environment")
    assert (response.status_code, response.content) == (204, b"")
    assert api.features() == ["user", "theme"]
    assert indexes(api) == [0, 1]


def test_one_can_be_added_when_none_is_left(api: Api) -> None:
    """A feature can be added to an empty list."""
    for name in api.features():
        assert api.call("DELETE", f"context_features/{name}").status_code == 204
    assert api.features() == []
    assert api.call("POST", "context_features", {"context_feature": "first"}).status_code == 204
    assert api.features() == ["first"]


@pytest.mark.parametrize("settings", [["one"], ["one", "two"]])
def test_one_in_use_cannot_be_deleted(api: Api, settings: list[str]) -> None:
    """A feature that a setting uses cannot be deleted."""
    for name in settings:
        api.declare(name)
    response = api.call("DELETE", "context_features/user")
    text = "context feature can't be deleted, there is at least one setting configured by it"
    assert (response.status_code, response.text) == (409, text)
    assert api.features() == ["environment", "user", "theme"]


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("environment", {"to_after": "theme"}, ["user", "theme", "environment"]),
        ("environment", {"to_after": "user"}, ["user", "environment", "theme"]),
        ("environment", {"to_before": "theme"}, ["user", "environment", "theme"]),
        ("environment", {"to_before": "user"}, ["environment", "user", "theme"]),
        ("theme", {"to_before": "environment"}, ["theme", "environment", "user"]),
        ("theme", {"to_after": "environment"}, ["environment", "theme", "user"]),
        ("user", {"to_after": "user"}, ["environment", "user", "theme"]),
        ("user", {"to_before": "user"}, ["environment", "user", "theme"]),
    ],
)
def test_moving(api: Api, name: str, body: dict[str, str], expected: list[str]) -> None:
    """A feature moves directly after or before another one, and the indexes stay consecutive."""
    response = api.call("PATCH", f"context_features/{name}/index", body)
    assert (response.status_code, response.content) == (204, b"")
    assert api.features() == expected
    assert indexes(api) == [0, 1, 2]


@pytest.mark.parametrize("body", [{}, {"to_after": 1}])
def test_a_move_needs_exactly_one_target(api: Api, body: dict[str, object]) -> None:
    """A move with no target or with two targets is 422."""
    assert api.call("PATCH", "context_features/user/index", body).status_code == 422


def test_a_move_changes_the_order_everywhere_at_once(api: Api) -> None:
    """Settings and rules show features in the new order right after a move."""
    api.declare(configurable_features=["theme", "user", "environment"])
    rule_id = api.add_rule(1, theme="dark", environment="dev")
    assert api.setting()["configurable_features"] == ["environment", "user", "theme"]
    assert api.query()["cache_ttl"]["rules"][0]["context_features"] == [["environment", "dev"], ["theme", "dark"]]
    api.call("PATCH", "context_features/theme/index", {"to_before": "environment"})
    assert api.setting()["configurable_features"] == ["theme", "environment", "user"]
    reordered = [["theme", "dark"], ["environment", "dev"]]
    assert api.query()["cache_ttl"]["rules"][0]["context_features"] == reordered
    assert api.get(f"rules/{rule_id}").json()["feature_values"] == reordered


def expected_after(existing: list[str], expected: list[str]) -> tuple[str, ...]:
    catalog = Catalog(Counters(""), tuple(existing))
    decision = context_features.expect(catalog, expected)
    return catalog.after(decision.changes, catalog.counters_after(decision.changes)).context_features


@pytest.mark.parametrize("existing", [[], ["a"], ["c"], ["a", "c"], ["b", "c"], ["a", "b", "c"]])
def test_missing_expected_features_are_added(existing: list[str]) -> None:
    """If the stored features are a subsequence of the expected ones, the others are added."""
    assert expected_after(existing, ["a", "b", "c"]) == ("a", "b", "c")


@pytest.mark.parametrize("existing", [["b", "a"], ["d"], ["a", "b", "c", "d"], ["c", "a"]])
def test_other_features_than_expected_are_refused(existing: list[str]) -> None:
    """Stored features that are not a subsequence of the expected ones are refused."""
    with pytest.raises(ValueError, match="expected context features"):
        expected_after(existing, ["a", "b", "c"])


@pytest.mark.parametrize("expected", [["a", "a"], ["a b"], [""]])
def test_malformed_expectations_are_refused(expected: list[str]) -> None:
    """Expected features must have valid names without duplicates."""
    with pytest.raises(ValueError, match="context feature"):
        expected_after([], expected)
