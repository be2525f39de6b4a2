"""Rules to measure with, and the v1 response that holds them. Standard library only: peers' environments import it."""

import json
from collections.abc import Mapping
from itertools import combinations
from typing import TypeAlias

ENVIRONMENT, THEME = "production", "dark"
FEATURES = ("environment", "user", "theme")
"""The context features in the service's order; here a constant, an argument and a context variable stand for them."""

DEFAULT = 60

Conditions: TypeAlias = tuple[tuple[str, str], ...]
Rules: TypeAlias = Mapping[Conditions, int]
"""The rules of a setting: values by conditions, which are in the order of the features."""

SHAPES: tuple[tuple[str, ...], ...] = tuple(
    names for size in range(1, len(FEATURES) + 1) for names in combinations(FEATURES, size)
)
"""All sets of features that the conditions of a rule may be on."""


def user_name(number: int) -> str:
    """Return the name of a user."""
    return f"user-{number:07d}"


def rules_per_user(count: int, *, first: int = 0, add: int = 0) -> dict[Conditions, int]:
    """Return rules of one shape, each for a user of its own."""
    return {(("user", user_name(number)),): number % 1000 + add for number in range(first, first + count)}


def rules_of_all_shapes(count: int, *, unconditional: bool) -> dict[Conditions, int]:
    """Return rules whose shapes take turns.

    Those with a condition on the user are for the production environment and the dark theme, if they are about these
    at all; those without are for other environments and themes.

    Args:
        count: How many.
        unconditional: Whether the last one has no conditions, which makes eight shapes, and leaves the default unused.
    """
    rules: dict[Conditions, int] = {}
    for number in range(count - unconditional):
        names = SHAPES[number % len(SHAPES)]
        values = {"environment": f"environment-{number}", "user": user_name(number), "theme": f"theme-{number}"}
        if "user" in names:
            values |= {"environment": ENVIRONMENT, "theme": THEME}
        rules[tuple((name, values[name]) for name in names)] = number % 1000
    if unconditional:
        rules[()] = -1
    return rules


def value_for(rules: Rules, user: str) -> int:
    """Return what the rules say for a user in the production environment with the dark theme: a plain definition."""
    context = {"environment": ENVIRONMENT, "user": user, "theme": THEME}
    weights = {name: 1 << index for index, name in enumerate(FEATURES)}
    for names in sorted(SHAPES, key=lambda names: -sum(weights[name] for name in names)):
        value = rules.get(tuple((name, context[name]) for name in names))
        if value is not None:
            return value
    return rules.get((), DEFAULT)


def many_settings(rules: int, *, each: int = 100, add: int = 0) -> dict[str, Rules]:
    """Return settings of so many rules each."""
    return {
        f"setting_{first // each:04d}": rules_per_user(min(each, rules - first), first=first, add=add)
        for first in range(0, rules, each)
    }


def one_setting(rules: int, *, add: int = 0) -> dict[str, Rules]:
    """Return one setting with all the rules."""
    return {"setting_0000": rules_per_user(rules, add=add)}


def v1_response(settings: Mapping[str, Rules]) -> bytes:
    """Return the body of the response to a query for these settings."""
    rule_id = 0
    response = {}
    for name, rules in settings.items():
        listed = []
        for conditions, value in rules.items():
            rule_id += 1
            listed.append({"rule_id": rule_id, "value": value, "context_features": conditions})
        response[name] = {"default_value": DEFAULT, "rules": listed}
    return json.dumps({"settings": response}, separators=(",", ":")).encode()


def lines_response(settings: Mapping[str, Rules], *, rules_per_line: int = 1000) -> bytes:
    """Return the body of our service's response in lines, for settings whose rules are all of one shape."""
    lines: list[Mapping[str, object]] = [{"context_features": FEATURES}]
    rule_id = 0
    for name, rules in settings.items():
        lines.append({"setting": name, "default_value": DEFAULT, "whole": True})
        conditions, values = list(rules), list(rules.values())
        for start in range(0, len(rules), rules_per_line):
            some = conditions[start : start + rules_per_line]
            ids = list(range(rule_id + 1, rule_id + 1 + len(some)))
            rule_id += len(some)
            lines.append(
                {
                    "rule_ids": ids,
                    "context_features": [feature for feature, _ in some[0]],
                    "context_values": list(zip(*[[value for _, value in each] for each in some], strict=True)),
                    "values": values[start : start + rules_per_line],
                }
            )
    lines.append({"settings": len(settings)})
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
