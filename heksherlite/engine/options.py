"""The context options of a client: tracked values, and defaults of context features."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Final, TypeVar

from heksherlite.contexts import TRACK_ALL, ContextCompletion
from heksherlite.engine.queries import ContextFilter, QuerySize, context_filters, divide_filters
from heksherlite.names import is_context_feature_value

logger = logging.getLogger(__name__)

T = TypeVar("T")

_WARNINGS: Final = 100
"""The maximum number of untracked values that a client warns about."""


class ContextOptions:
    """Tracking and defaults of one client.

    Attributes:
        tracked: The tracked values by context feature, or :data:`TRACK_ALL`.
        defaults: The default values of context features that a caller of ``get`` omits.
        refused: The tracked values that the service refuses in queries, with the reasons. They are left out.
    """

    def __init__(self) -> None:
        self.tracked: dict[str, set[str] | str] = {}
        self.defaults: dict[str, str | ContextVar[str]] = {}
        self.refused: Mapping[tuple[str, str], str] = {}
        self._contexts: dict[tuple[str, ...], ContextCompletion] = {}
        self._filter_portions: dict[QuerySize, Sequence[ContextFilter]] = {}
        self._warned_of: set[tuple[str, object]] = set()

    def track(self, features: Mapping[str, str | Iterable[str]]) -> None:
        """Track more: by context feature, one value, several values, or :data:`TRACK_ALL`.

        Raises:
            RuntimeError: If this mixes :data:`TRACK_ALL` and single values of a feature.
            ValueError: If the service would refuse a value.
            TypeError: If the values of a feature are neither a string nor iterable.
        """
        tracked = dict(self.tracked)
        for feature, values in features.items():
            if not isinstance(values, Iterable):
                raise TypeError(
                    f"track_contexts({feature}=...) takes a value, several values or TRACK_ALL, not {values!r}"
                )
            before = tracked.get(feature, set())
            added = {_plain(value) for value in ([values] if isinstance(values, str) else values)}
            if added == {TRACK_ALL}:
                if before != TRACK_ALL and before:
                    raise RuntimeError(f"cannot track all values of context feature {feature!r}: it tracks {before}")
                tracked[feature] = TRACK_ALL
            elif isinstance(before, str):
                raise RuntimeError(
                    f"cannot track {added} of context feature {feature!r}: all values are tracked already"
                )
            else:
                for value in added:
                    _check_value(feature, value)
                tracked[feature] = before | added
        self.tracked = tracked
        self._contexts = {}
        self._filter_portions = {}

    def leave_out(self, refused: Mapping[tuple[str, str], str]) -> None:
        """Leave tracked values out of queries.

        Args:
            refused: Context features and values, or :data:`TRACK_ALL` for a whole feature, with the reasons.
        """
        self._set_refused({**self.refused, **refused})

    def send_everything(self) -> None:
        """Leave nothing out of queries any more."""
        self._set_refused({})

    def _set_refused(self, refused: Mapping[tuple[str, str], str]) -> None:
        self.refused = refused
        self._contexts = {}
        self._filter_portions = {}

    @property
    def queried(self) -> dict[str, set[str] | str]:
        """What is tracked, without the values that are left out of queries."""
        if not self.refused:
            return self.tracked
        queried: dict[str, set[str] | str] = {}
        for feature, values in self.tracked.items():
            if not isinstance(values, str):
                queried[feature] = {value for value in values if (feature, value) not in self.refused}
            elif (feature, values) not in self.refused:
                queried[feature] = values
        return {feature: values for feature, values in queried.items() if values}

    def set_defaults(self, features: Mapping[str, str | ContextVar[str]]) -> None:
        """Set defaults of context features.

        Raises:
            ValueError: If a feature already has a default.
            TypeError: If a default is neither a string nor a context variable.
        """
        if again := sorted(self.defaults.keys() & features.keys()):
            raise ValueError(f"context features {', '.join(map(repr, again))} already have defaults")
        for feature, default in features.items():
            if not isinstance(default, str | ContextVar):
                raise TypeError(
                    f"the default of context feature {feature!r} must be a str or a ContextVar: {default!r}"
                )
        self.defaults.update({feature: _plain(default) for feature, default in features.items()})
        self._contexts = {}

    def contexts(self, features: tuple[str, ...]) -> ContextCompletion:
        """Return the completion of contexts of these features: the same object until an option changes."""
        contexts = self._contexts.get(features)
        if contexts is None:
            contexts = self._contexts[features] = ContextCompletion(features, self.defaults, self)
        return contexts

    def context_filters(self) -> str:
        """Return what is tracked, in the notation of the query parameter ``context_filters``."""
        return context_filters(self.tracked)

    def filter_portions(self, size: QuerySize) -> Sequence[ContextFilter]:
        """Return what is tracked and not left out, as filters of at most this size."""
        portions = self._filter_portions.get(size)
        if portions is None:
            portions = self._filter_portions[size] = divide_filters(self.queried, size)
        return portions

    def tracked_values(self, feature: str) -> Collection[str] | None:
        """Return the tracked values of a context feature that are not left out, or ``None`` for all values."""
        values = self.queried.get(feature)
        if values is None:
            return ()
        return None if isinstance(values, str) else values

    def is_refused(self, feature: str, value: object) -> bool:
        """Return whether a value is tracked, but left out of queries."""
        return (feature, value) in self.refused or (feature, TRACK_ALL) in self.refused

    def warn_of_untracked(self, feature: str, value: object) -> None:
        """Warn about a value in a context that is not tracked, once for each value, up to a limit."""
        if (feature, value) not in self._warned_of and len(self._warned_of) < _WARNINGS:
            self._warned_of.add((feature, value))
            refused = ", which the service refuses" if self.is_refused(feature, value) else ""
            logger.warning(
                "context feature value is not tracked by client: %s",
                f"{feature}={value!r}{refused}; rules for it are not fetched",
                extra={"context_feature": feature, "context_feature_value": value},
            )


def _plain(value: T) -> T | str:
    """Return a string for a member of a ``str`` enum, and everything else unchanged."""
    return str.__str__(value) if isinstance(value, str) else value


def _check_value(feature: str, value: object) -> None:
    if not isinstance(value, str) or not is_context_feature_value(value):
        raise ValueError(
            f"{value!r} cannot be a value of context feature {feature!r}: "
            "a value is a string that consists of letters, combining marks, digits and any of _ . @ + = ~ / -"
        )
