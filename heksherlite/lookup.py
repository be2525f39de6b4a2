"""From a context to a value: what :meth:`heksherlite.Setting.get` reads.

A lookup is made anew whenever something that a value depends on has changed, and replaces the previous one in a single
assignment, so that a reader sees the old state of a setting or the new one.
"""

import logging
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, Final, Literal, NoReturn, Protocol

from heksherlite.errors import MissingContextError
from heksherlite.rules import NO_VALUE, Context, RuleSet

logger = logging.getLogger(__name__)

MEMORY: Final = 4096
"""How many contexts a lookup remembers the values of. Past that it forgets all of them and starts again."""

DefaultSource = Literal["local", "service", "stub"]

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


class Lookup:
    """The values of one setting by context, computed when first asked for.

    Args:
        setting_name: For messages.
        rules: The rules in force.
        default: What the value is where no rule matches.
        default_source: Where that default was taken from.
        context_defaults: What stands in for features that the caller leaves out.
        tracking: Knows which rules are asked for, to warn of contexts that have none for this reason.
        complete_contexts: Whether a context that lacks a feature is an error.

    Attributes:
        remembered: Values by context: the value of the only feature, or a tuple with one value per feature.
        constants: The constants among ``context_defaults``, in one place per feature, :data:`NO_VALUE` for none.
        variables: The context variables among them, likewise.
        loaded: Whether rules and default are from a service or a stub.
    """

    __slots__ = (
        "_limits",
        "complete_contexts",
        "constants",
        "context_defaults",
        "default",
        "default_source",
        "remembered",
        "rules",
        "setting_name",
        "tracking",
        "variables",
    )

    loaded = True

    def __init__(
        self,
        setting_name: str,
        rules: RuleSet[Any],
        default: Any,
        *,
        default_source: DefaultSource = "local",
        context_defaults: ContextDefaults | None = None,
        tracking: Tracking | None = None,
        complete_contexts: bool = True,
    ) -> None:
        self.setting_name = setting_name
        self.rules = rules
        self.default = default
        self.default_source: DefaultSource = default_source
        self.context_defaults: ContextDefaults = context_defaults or {}
        self.tracking = tracking
        self.complete_contexts = complete_contexts
        self.remembered: dict[Any, Any] = {}
        stand_ins = [self.context_defaults.get(feature, NO_VALUE) for feature in rules.features]
        self.constants = tuple([NO_VALUE if isinstance(item, ContextVar) else item for item in stand_ins])
        self.variables = tuple([item if isinstance(item, ContextVar) else _UNSET_VARIABLE for item in stand_ins])
        limits = [tracking.tracked_values(feature) for feature in rules.features] if tracking is not None else []
        self._limits = [(position, values) for position, values in enumerate(limits) if values is not None]

    def resolve(self, context: Any) -> Any:
        """Compute the value for a context that is not remembered, and remember it.

        Args:
            context: The value of the only feature, or a tuple with one value per feature, :data:`NO_VALUE` for one
                that was left out and has no constant default.

        Raises:
            MissingContextError: As :meth:`complete`.
        """
        given: Context = context if len(self.constants) > 1 else (context,)
        completed = self.complete(given)
        value = self.rules.value(completed)
        if value is NO_VALUE:
            value = self.default
        for position, tracked in self._limits:
            if completed[position] not in tracked and self.tracking is not None:
                self.tracking.warn_of_untracked(self.rules.features[position], completed[position])
        if completed is given:
            if len(self.remembered) >= MEMORY:
                self.remembered.clear()
            self.remembered[context] = value
        return value

    def complete(self, given: Context) -> Context:
        """Fill in what the caller left out; return the same object if that is nothing.

        Raises:
            MissingContextError: If a feature was left out and nothing stands in, and contexts must be complete.
        """
        if NO_VALUE not in given:
            return given
        context = tuple([self._stand_in(i) if value is NO_VALUE else value for i, value in enumerate(given)])
        if self.complete_contexts and NO_VALUE in context:
            features = self.rules.features
            missing = [feature for feature, value in zip(features, context, strict=True) if value is NO_VALUE]
            raise MissingContextError(self.setting_name, missing)
        return context

    @property
    def variable_positions(self) -> tuple[int, ...]:
        """The places of the features that have a context variable."""
        return tuple([i for i, variable in enumerate(self.variables) if variable is not _UNSET_VARIABLE])

    def replaced(self, **changes: Any) -> "Lookup":
        """Return a lookup of the same kind, made with other values for the named parameters."""
        parameters: dict[str, Any] = {
            "setting_name": self.setting_name,
            "rules": self.rules,
            "default": self.default,
            "default_source": self.default_source,
            "context_defaults": self.context_defaults,
            "tracking": self.tracking,
            "complete_contexts": self.complete_contexts,
        }
        return type(self)(**(parameters | changes))

    def _stand_in(self, position: int) -> Any:
        try:
            return self.variables[position].get()
        except LookupError:
            return self.constants[position]


class UnloadedLookup(Lookup):
    """The lookup of a setting whose rules were never read from a service: its default, as it says once in the log."""

    __slots__ = ("announced",)

    loaded = False

    def __init__(self, setting_name: str, rules: RuleSet[Any], default: Any, **options: Any) -> None:
        super().__init__(setting_name, rules, default, **options)
        self.announced = False

    def resolve(self, context: Any) -> Any:
        """Return the default.

        Raises:
            MissingContextError: As :meth:`complete`.
        """
        if not self.announced:
            self.announced = True
            logger.info(
                "the value of setting was never retrieved from service",
                extra={"setting": self.setting_name, "default_value": self.default},
            )
        self.complete(context if len(self.constants) > 1 else (context,))
        return self.default
