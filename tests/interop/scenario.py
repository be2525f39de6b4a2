"""The declared settings, the rules of the operator, and the compared contexts."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEATURES = ("environment", "user", "theme")
VALUES = {
    "environment": ("dev", "prod", "test"),
    "user": ("ann", "bob", "nobody_special"),
    "theme": ("dark", "light", "blue"),
}
TRACKED = {"environment": ["dev", "prod"], "user": "*", "theme": ["dark", "light"]}
CONTEXT_FILTERS = "environment:(dev,prod),theme:(dark,light),user:*"
"""The same for the HTTP API."""


@dataclass(frozen=True)
class Declared:
    """A setting as one release of the program declares it, and values for its rules."""

    name: str
    kind: str
    configurable_features: Sequence[str]
    default: Any
    values: Sequence[Any]
    version: str = "1.0"
    metadata: Mapping[str, Any] | None = None
    alias: str | None = None

    def declaration(self) -> dict[str, Any]:
        """Return the arguments of Setting."""
        return {
            "name": self.name,
            "kind": self.kind,
            "configurable_features": self.configurable_features,
            "default": self.default,
            "version": self.version,
            "metadata": self.metadata,
            "alias": self.alias,
        }


_EU, _ET, _UT = ("environment", "user"), ("environment", "theme"), ("user", "theme")

FIRST_RELEASE = (
    Declared("cache_ttl", "int", _EU, 60, (0, 1, -5, 2**40)),
    Declared("ratio", "float", _ET, 0.5, (0.25, 1, 0, -1e9)),
    Declared("background", "str", _UT, "white", ("", "black", "שלום \"'\\", "a,b:(c)*")),
    Declared("enabled", "bool", ("user",), False, (True, False), metadata={"owner": "web", "levels": [1, {"a": None}]}),
    Declared("color", "color", _EU, "red", ("red", "green", 3)),
    Declared("access", "access", _UT, ["READ"], ([], ["WRITE"], ["READ", "RUN"], ["READ", "RUN", "WRITE"])),
    Declared("no_access", "access", ("theme",), [], (["RUN"], ["READ", "WRITE"])),
    Declared("ports", "ints", _ET, [], ([1], [3, 2, 1], [])),
    Declared("palette", "colors", _EU, ["red"], (["green", 3], [])),
    Declared("limits", "limits", _UT, {"cpu": 0.5}, ({}, {"cpu": 2, "gpu": 0.1})),
    Declared("teams", "teams", _EU, {"core": ["ann"]}, ({}, {"core": [], "web": ["bob", "eve"]})),
    Declared("grants", "grants", ("environment",), {"ann": ["READ"]}, ({"bob": ["READ", "WRITE"], "eve": []},)),
    Declared("table", "table", _ET, [{"a": 1}], ([], [{"a": 1, "b": 2}, {}])),
    Declared("web.max_items", "int", ("user",), 0, (1, 2)),
    Declared("general", "int", FEATURES, 100, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
    Declared("shade", "old color", _EU, "red", ("red",)),
    Declared("rights", "old access", _UT, ["READ"], (["READ"], [])),
    Declared("shades", "old colors", _ET, ["red"], (["red"], ["red", "red"])),
    Declared("width", "int", _EU, 10, (20, 30)),
    Declared("title", "str", ("user",), "first", ("x", "y")),
    Declared("wide", "int", ("environment",), 1, (2, 3)),
    Declared("narrow", "int", _EU, 1, (2, 3)),
)
"""Every type; and what later releases declare in another way."""

SECOND_RELEASE = (
    Declared("title", "str", ("user",), "second", ("x", "y", "z"), "1.1"),
    Declared("enabled", "bool", ("user",), False, (True, False), "1.1", metadata={"owner": "core"}),
    Declared("cache_ttl", "int", _EU, 60, (0, 7), "1.4"),
    Declared("width", "float", _EU, 10.5, (20, 30.5), "2.0"),
    Declared("shade", "color", _EU, "green", ("green", "red", 3), "2.0"),
    Declared("rights", "access", _UT, ["READ", "WRITE"], (["READ", "RUN"], ["WRITE"]), "2.0"),
    Declared("shades", "colors", _ET, ["red", 3], (["red", "green"], [3]), "2.0"),
    Declared("wide", "int", _EU, 1, (4, 5), "2.0"),
    Declared("narrow", "int", _EU, 5, (2, 3), "1.1"),
)
"""Upgrades: default, metadata, nothing at all, type, configurable features."""

STRAY_RELEASE = (
    Declared("general", "int", FEATURES, 101, ()),
    Declared("ratio", "float", ("environment", "user", "theme"), 0.5, ()),
    Declared("background", "str", _UT, "grey", (), "0.9"),
    Declared("ports", "colors", _ET, [], (), "1.1"),
)
"""Mistakes: mismatches, an outdated version, and an upgrade that is refused."""

RENAMED_RELEASE = (
    Declared("items.max", "int", ("user",), 0, (1, 2), "1.1", alias="web.max_items"),
    Declared("body_title", "str", ("user",), "third", ("x", "z"), "1.2", alias="title"),
)

THREE_FEATURES = frozenset({"general"})
"""Where the original breaks ties in a way that differs from the definition."""


def possible_rules(setting: Declared) -> list[dict[str, str]]:
    """Return all conditions on one or two of the setting's features."""
    return [
        dict(zip(features, values, strict=True))
        for count in (1, 2)
        for features in itertools.combinations(setting.configurable_features, count)
        for values in itertools.product(*(VALUES[feature] for feature in features))
    ]


def some_rules(setting: Declared, chance: random.Random) -> Iterator[tuple[dict[str, str], Any]]:
    """Return rules with conditions and a value."""
    for conditions in possible_rules(setting):
        if chance.random() < 0.6:
            yield conditions, chance.choice(setting.values)


def all_contexts(settings: Sequence[Declared]) -> list[tuple[str, dict[str, str]]]:
    """Return every context of every setting."""
    return [
        (setting.name, dict(zip(setting.configurable_features, values, strict=True)))
        for setting in settings
        for values in itertools.product(*(VALUES[feature] for feature in setting.configurable_features))
    ]
