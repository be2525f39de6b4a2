"""Complete contexts: combine the arguments of ``get`` with the default values of context features."""

import sys
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, Final, NoReturn, Protocol

from heksherlite.errors import ContextValueError, MissingContextError
from heksherlite.rule_sets import NO_VALUE, Context

TRACK_ALL: Final = "*"
"""Passed to ``track_contexts`` to track all values of a context feature."""

ContextDefaults = Mapping[str, str | ContextVar[str]]
"""Default values by context feature: constants, and context variables that are read at each call."""


_required_without_client = False


def require_without_client(required: bool) -> bool:
    """Set whether a missing feature is an error even before there is a client. Return the previous setting."""
    global _required_without_client
    previous, _required_without_client = _required_without_client, required
    return previous


_NoValue = type(NO_VALUE)


class _UnsetVariable:
    """The variable of a feature without a context variable."""

    def get(self) -> NoReturn:
        raise LookupError


_UNSET_VARIABLE: Final = _UnsetVariable()


class Tracking(Protocol):
    """Which context feature values a client tracks."""

    def tracked_values(self, feature: str) -> Collection[str] | None:
        """Return the tracked values of a context feature, or ``None`` if all values are tracked."""
        ...

    def is_refused(self, feature: str, value: Any) -> bool:
        """Return whether a value is tracked, but the service refuses it."""
        ...

    def warn_of_untracked(self, feature: str, value: Any) -> None:
        """Warn that a value is not tracked."""


def text_of(value: object) -> str | None:
    """Return the text of a context value, or ``None`` if it has no obvious one.

    A string, a member of a ``str`` enum, an ``int`` and a :class:`uuid.UUID` have one. A ``bool``, a ``float`` and
    ``None`` have none.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    uuid = sys.modules.get("uuid")  # without this module, nothing is a UUID
    return str(value) if uuid is not None and isinstance(value, uuid.UUID) else None


class ContextCompletion:
    """Completes the contexts of all settings with the same context features. Immutable.

    Args:
        features: The context features of the settings, in the order of the contexts.
        defaults: The default values of context features. An object with a method ``get`` counts as a variable.
        tracking: The tracked values, for warnings about contexts whose rules are not fetched.
        required: Whether a missing feature is an error; if not, :func:`require_without_client` decides.

    Attributes:
        constants: For each feature its constant default, or :data:`NO_VALUE`.
        variables: For each feature its context variable, or an object whose ``get`` raises :class:`LookupError`.
        variable_positions: The positions of the features with a context variable.
        limits: For each feature with a limited set of tracked values: its position and these values.
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
        default_values = [(defaults or {}).get(feature, NO_VALUE) for feature in features]
        limits = [tracking.tracked_values(feature) for feature in features] if tracking is not None else []
        self.features = features
        self.required = required
        variables = {i: item for i, item in enumerate(default_values) if not isinstance(item, str | _NoValue)}
        self.constants = tuple([NO_VALUE if i in variables else item for i, item in enumerate(default_values)])
        self.variables: tuple[Any, ...] = tuple([variables.get(i, _UNSET_VARIABLE) for i in range(len(features))])
        self.variable_positions = tuple(variables)
        self._constants = [(i, constant) for i, constant in enumerate(self.constants) if constant is not NO_VALUE]
        self._others = [i for i, constant in enumerate(self.constants) if constant is NO_VALUE]
        self._tracking = tracking
        self.limits = [(position, values) for position, values in enumerate(limits) if values is not None]

    def complete(self, setting_name: str, given: Context) -> Context | None:
        """Fill in the defaults of missing features, or return ``None`` if a given value is not a plain string.

        Args:
            setting_name: The name of the setting, for error messages.
            given: One value per feature, :data:`NO_VALUE` for a missing one.

        Raises:
            MissingContextError: If a feature has neither value nor default, and missing features are errors.
            ContextValueError: If the value of a context variable has no obvious text.
        """
        context = list(given)
        for position, constant in self._constants:
            if context[position] is NO_VALUE:
                context[position] = constant
            elif type(context[position]) is not str:
                return None
        is_incomplete = False
        for position in self._others:
            if type(context[position]) is not str:
                if context[position] is not NO_VALUE:
                    return None
                is_incomplete = True
        if is_incomplete:
            self._complete_from_variables(setting_name, context)
        return context

    def texts(self, setting_name: str, context: Context) -> Context:
        """Return a context with the text of each value.

        Args:
            setting_name: The name of the setting, for error messages.
            context: One value per feature, :data:`NO_VALUE` for a missing one.

        Raises:
            ContextValueError: If a value has no obvious text.
        """
        return tuple(
            [
                value if value is NO_VALUE else self._text(setting_name, position, value)
                for position, value in enumerate(context)
            ]
        )

    def untracked(self, context: Context) -> list[tuple[str, Any]]:
        """Return the features of a complete context whose values are not tracked, with these values."""
        return [
            (self.features[position], context[position])
            for position, tracked in self.limits
            if context[position] not in tracked
        ]

    def is_refused(self, feature: str, value: Any) -> bool:
        """Return whether a value is tracked, but the service refuses it."""
        return self._tracking is not None and self._tracking.is_refused(feature, value)

    @property
    def tracks_nothing(self) -> bool:
        """Whether no value of any feature is tracked."""
        return len(self.limits) == len(self.features) and not any(tracked for _, tracked in self.limits)

    @property
    def has_tracking(self) -> bool:
        """Whether a client fetches the rules. A stub does not."""
        return self._tracking is not None

    def warn_of_untracked(self, context: Context) -> None:
        """Warn if a complete context contains a value that is not tracked."""
        for position, tracked in self.limits:
            if context[position] not in tracked and self._tracking is not None:
                self._tracking.warn_of_untracked(self.features[position], context[position])

    def _text(self, setting_name: str, position: int, value: object) -> str:
        text = text_of(value)
        if text is None:
            raise ContextValueError(setting_name, self.features[position], value)
        return text

    def _complete_from_variables(self, setting_name: str, context: list[Any]) -> None:
        missing = []
        for position in self._others:
            if context[position] is NO_VALUE:
                try:
                    value = self.variables[position].get()
                except LookupError:
                    missing.append(self.features[position])
                else:
                    context[position] = self._text(setting_name, position, value)
        if missing and (self.required or _required_without_client):
            raise MissingContextError(setting_name, missing)
