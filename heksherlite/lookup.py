"""From a context to a value: the table that :meth:`heksherlite.Setting.get` reads.

A lookup is made anew whenever something that a value depends on has changed, and replaces the previous one in a single
assignment, so that a reader sees the old state of a setting or the new one.
"""

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, Literal, NoReturn

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


class Lookup(dict[Any, Any]):
    """The values of one setting by context, computed when first asked for.

    A key is what the caller gave: the value for the only feature, or a tuple of one value per feature, with
    :data:`NO_VALUE` for each feature that was left out.

    Args:
        setting_name: For messages.
        rules: The rules in force.
        default: What the value is where no rule matches.
        default_source: Where that default was taken from.
        context_defaults: What stands in for features that the caller leaves out.
        check_tracked: Called with each context for which a value is computed.
        complete_contexts: Whether a context that lacks a feature is an error.

    Attributes:
        variables: The context variables among ``context_defaults``, in one place per feature, as the generated
            ``get`` reads them.
        loaded: Whether rules and default are from a service or a stub.
    """

    __slots__ = (
        "check_tracked",
        "complete_contexts",
        "context_defaults",
        "default",
        "default_source",
        "rules",
        "setting_name",
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
        check_tracked: Callable[[RuleSet[Any], Context], None] | None = None,
        complete_contexts: bool = True,
    ) -> None:
        super().__init__()
        self.setting_name = setting_name
        self.rules = rules
        self.default = default
        self.default_source: DefaultSource = default_source
        self.context_defaults = context_defaults or {}
        self.check_tracked = check_tracked
        self.complete_contexts = complete_contexts
        self.variables = tuple(
            stand_in if isinstance(stand_in := self.context_defaults.get(feature), ContextVar) else _UNSET_VARIABLE
            for feature in rules.features
        )

    def __missing__(self, key: Any) -> Any:
        context = self.complete(key)
        value = self.rules.value(context)
        if value is NO_VALUE:
            value = self.default
        if self.check_tracked is not None:
            self.check_tracked(self.rules, context)
        if not self._leaves_out_variable(key):
            if len(self) >= MEMORY:
                self.clear()
            self[key] = value
        return value

    def complete(self, key: Any) -> Context:
        """Fill in what the caller left out.

        Raises:
            MissingContextError: If a feature was left out and nothing stands in, and contexts must be complete.
        """
        features = self.rules.features
        given: Context = (key,) if len(features) == 1 else key
        if NO_VALUE not in given:
            return given
        context = tuple(
            self._stand_in(feature) if value is NO_VALUE else value
            for feature, value in zip(features, given, strict=True)
        )
        if self.complete_contexts and NO_VALUE in context:
            missing = [feature for feature, value in zip(features, context, strict=True) if value is NO_VALUE]
            raise MissingContextError(self.setting_name, missing)
        return context

    @property
    def variable_positions(self) -> tuple[int, ...]:
        """The places of the features that have a context variable."""
        return tuple(i for i, variable in enumerate(self.variables) if variable is not _UNSET_VARIABLE)

    def replaced(self, **changes: Any) -> "Lookup":
        """Return a lookup of the same kind, made with other values for the named parameters."""
        parameters: dict[str, Any] = {
            "setting_name": self.setting_name,
            "rules": self.rules,
            "default": self.default,
            "default_source": self.default_source,
            "context_defaults": self.context_defaults,
            "check_tracked": self.check_tracked,
            "complete_contexts": self.complete_contexts,
        }
        return type(self)(**(parameters | changes))

    def _stand_in(self, feature: str) -> Any:
        stand_in = self.context_defaults.get(feature, NO_VALUE)
        if not isinstance(stand_in, ContextVar):
            return stand_in
        try:
            return stand_in.get()
        except LookupError:
            return NO_VALUE

    def _leaves_out_variable(self, key: Any) -> bool:
        given: Context = (key,) if len(self.rules.features) == 1 else key
        return any(given[position] is NO_VALUE for position in self.variable_positions)


class UnloadedLookup(Lookup):
    """The lookup of a setting whose rules were never read from a service: its default, as it says once in the log."""

    __slots__ = ("announced",)

    loaded = False

    def __init__(self, setting_name: str, rules: RuleSet[Any], default: Any, **options: Any) -> None:
        super().__init__(setting_name, rules, default, **options)
        self.announced = False

    def __missing__(self, key: Any) -> Any:
        if not self.announced:
            self.announced = True
            logger.info(
                "the value of setting was never retrieved from service",
                extra={"setting": self.setting_name, "default_value": self.default},
            )
        self.complete(key)
        return self.default
