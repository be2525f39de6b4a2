"""From what a caller of ``get`` gives to a whole context: constants and context variables stand in for the rest."""

from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, Final, NoReturn, Protocol

from heksherlite.errors import MissingContextError
from heksherlite.rules import NO_VALUE, Context

TRACK_ALL: Final = "*"
"""Passed to ``track_contexts`` to track all values of a context feature."""

ContextDefaults = Mapping[str, str | ContextVar[str]]
"""What stands in for context features that a caller leaves out: constants, and variables that are read at each call."""


class _UnsetVariable:
    """Stands where a feature has no context variable."""

    def get(self) -> NoReturn:
        raise LookupError


_UNSET_VARIABLE: Final = _UnsetVariable()


class Tracking(Protocol):
    """What a client knows about the contexts that it asks rules for."""

    def tracked_values(self, feature: str) -> Collection[str] | None:
        """Return the values of a context feature that rules are asked for, ``None`` for all."""
        ...

    def warn_of_untracked(self, feature: str, value: Any) -> None:
        """Warn of a value that rules are not asked for."""


class ContextCompletion:
    """Completes the contexts of settings that have the same context features. Immutable.

    Args:
        features: The context features of the settings, in the order of the contexts.
        defaults: What stands in for features that the caller leaves out.
        tracking: Knows which rules are asked for, to warn of contexts that have none for this reason.
        required: Whether a context that lacks a feature is an error.

    Attributes:
        constants: The constants among the defaults, in one place per feature, :data:`NO_VALUE` for none.
        variables: The context variables among them, likewise, or something whose ``get`` raises :class:`LookupError`.
        variable_positions: The places of the features that have a variable.
        limits: The places of the features of which not all values are tracked, with those that are.
    """

    __slots__ = (
        "_constants",
        "_others",
        "_tracking",
        "constants",
        "features",
        "limits",
        "required",
        "variable_positions",
        "variables",
    )

    def __init__(
        self,
        features: tuple[str, ...],
        defaults: ContextDefaults | None = None,
        tracking: Tracking | None = None,
        *,
        required: bool = True,
    ) -> None:
        stand_ins = [(defaults or {}).get(feature, NO_VALUE) for feature in features]
        limits = [tracking.tracked_values(feature) for feature in features] if tracking is not None else []
        self.features = features
        self.required = required
        self.constants = tuple([NO_VALUE if isinstance(item, ContextVar) else item for item in stand_ins])
        self.variables = tuple([item if isinstance(item, ContextVar) else _UNSET_VARIABLE for item in stand_ins])
        self.variable_positions = tuple([i for i, item in enumerate(stand_ins) if isinstance(item, ContextVar)])
        self._constants = [(i, constant) for i, constant in enumerate(self.constants) if constant is not NO_VALUE]
        self._others = [i for i, constant in enumerate(self.constants) if constant is NO_VALUE]
        self._tracking = tracking
        self.limits = [(position, values) for position, values in enumerate(limits) if values is not None]

    def complete(self, setting_name: str, given: Context) -> Context:
        """Fill in what the caller left out.

        Args:
            setting_name: For the message of the error.
            given: One value per feature, :data:`NO_VALUE` for each that was left out.

        Raises:
            MissingContextError: If a feature was left out and nothing stands in, and that is an error.
        """
        context = list(given)
        for position, constant in self._constants:
            if context[position] is NO_VALUE:
                context[position] = constant
        for position in self._others:
            if context[position] is NO_VALUE:
                self._complete_from_variables(setting_name, context)
                break
        return context

    def warn_of_untracked(self, context: Context) -> None:
        """Warn if rules for a complete context are not asked for."""
        for position, tracked in self.limits:
            if context[position] not in tracked and self._tracking is not None:
                self._tracking.warn_of_untracked(self.features[position], context[position])

    def _complete_from_variables(self, setting_name: str, context: list[Any]) -> None:
        missing = []
        for position in self._others:
            if context[position] is NO_VALUE:
                try:
                    context[position] = self.variables[position].get()
                except LookupError:
                    missing.append(self.features[position])
        if missing and self.required:
            raise MissingContextError(setting_name, missing)
