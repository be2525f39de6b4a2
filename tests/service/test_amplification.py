"""A small request cannot make the service build a large response."""

from tests.service.api import Api


def test_conflicts_of_a_long_type_are_short(api: Api) -> None:
    """A type with thousands of options is shortened, and only some of many conflicting rules are listed."""
    api.declare(type="str", default_value="")
    api.add_rules((f"value{number}", {"user": f"u{number}"}) for number in range(150))
    long_type = f"Enum[{','.join(map(str, range(30_000)))}]"
    response = api.call("PUT", "settings/cache_ttl/type", {"type": long_type, "version": "2.0"})
    assert response.status_code == 409
    assert len(response.content) < 100_000
    conflicts = response.json()["conflicts"]
    assert len([conflict for conflict in conflicts if conflict.startswith("rule ")]) == 100
    assert "50 more rules do not fit the type" in conflicts
    assert f"({len(long_type)} characters)" in conflicts[0]


def test_a_value_that_does_not_fit_a_long_type(api: Api) -> None:
    """The message about one value shortens the type."""
    options = ",".join(f'"{number}"' for number in range(20_000))
    api.declare(type=f"Enum[{options}]", default_value="1")
    body = {"setting": "cache_ttl", "feature_values": {"user": "a"}, "value": "x"}
    response = api.call("POST", "rules", body)
    assert response.status_code == 400
    assert len(response.content) < 2_000
