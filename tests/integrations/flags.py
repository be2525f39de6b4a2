"""The flags that the tests of OpenFeature's provider and of OFREP evaluate."""

from typing import Any

from tests.service.api import Api

VALUES: dict[str, tuple[str, Any, Any]] = {
    "a_boolean": ("bool", False, True),
    "a_string": ("str", "a", "b"),
    "an_enum": ('Enum["red","green"]', "red", "green"),
    "an_integer": ("int", 1, 2),
    "a_float": ("float", 1, 5),
    "flags": ('Flags["a","b"]', ["a"], ["a", "b"]),
    "a_sequence": ("Sequence<float>", [1], [2, 3]),
    "a_mapping": ("Mapping<int>", {"a": 1}, {"b": 2}),
    "a_json": ("Json", {"a": [1]}, {"b": [None, {"c": 1.5}]}),
}
"""By setting: its type, its default, and the value of its rule for john."""


def declare_all(api: Api) -> dict[str, int]:
    """Declare a setting of each type, each with a rule for john, and return the ids of the rules."""
    rules = {}
    for name, (wire_type, default, value) in VALUES.items():
        api.declare(name, type=wire_type, default_value=default, configurable_features=["user"])
        rules[name] = api.add_rule(value, name, user="john")
    return rules
