"""The settings of the stress test, and their contexts and values."""

import itertools

FEATURES = ("environment", "user", "theme")
VALUES = ("a", "b", "c")
SETTINGS: dict[str, tuple[type[int] | type[str], tuple[str, ...]]] = {
    "limit": (int, ("environment", "user")),
    "greeting": (str, ("user", "theme")),
    "shade": (str, ("environment", "theme")),
    "quota": (int, ("environment", "user", "theme")),
    "message": (str, ("environment", "user", "theme")),
    "size": (int, ("theme",)),
}
"""Type and configurable features by name. All programs declare all of them."""


def contexts_of(setting: str) -> list[dict[str, str]]:
    """Return every context of a setting, with one value per feature that no rule has."""
    _, features = SETTINGS[setting]
    return [
        dict(zip(features, values, strict=True)) for values in itertools.product((*VALUES, "z"), repeat=len(features))
    ]


def value_of(setting: str, number: int) -> int | str:
    """Return a value of the setting's type."""
    kind, _ = SETTINGS[setting]
    return kind(number)
