"""The least that a `get` can do in plain Python. Standard library only: peers' environments import it."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar

from benchmarks.data import DEFAULT, ENVIRONMENT, THEME, Rules, value_for

theme: ContextVar[str] = ContextVar("theme")


class Floor:
    """The least for three features: a constant, an argument and a context variable.

    Args:
        values: The values by all three.
        default: What is returned for others.
    """

    __slots__ = ("default", "values")

    def __init__(self, values: Mapping[tuple[str, str, str], int], default: int) -> None:
        self.values = values
        self.default = default

    def get(self, *, user: str) -> int:
        """Return the value for a user."""
        return self.values.get((ENVIRONMENT, user, theme.get()), self.default)


class FloorOfOne:
    """The least for one feature, which is a constant.

    Args:
        values: The values by this feature.
    """

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, int]) -> None:
        self.values = values

    def get(self) -> int:
        """Return the value."""
        return self.values[ENVIRONMENT]

    def get_as_specified(self, *, environment: str = ENVIRONMENT, **others: str) -> int:
        """Return the value, or raise a ValueError for other features: the least that does so."""
        if others:
            raise ValueError(others)
        return self.values[environment]


def floor_for(rules: Rules, users: Iterable[str]) -> Floor:
    """Return a floor that gives these users the same values as the rules, and all others what they get too."""
    theme.set(THEME)
    values = {(ENVIRONMENT, user, THEME): value_for(rules, user) for user in users}
    return Floor(values, rules.get((), DEFAULT))
