"""From a context to a value: what :meth:`heksherlite.Setting.get` reads.

A lookup is made anew whenever something that a value depends on has changed, and replaces the previous one in a single
assignment, so that a reader sees the old state of a setting or the new one.
"""

import logging
from typing import Any, Final, Literal

from heksherlite.contexts import ContextCompletion
from heksherlite.rules import NO_VALUE, Context, RuleSet

logger = logging.getLogger(__name__)

MEMORY: Final = 1024
"""How many contexts a lookup remembers the values of. Past that it forgets all of them and starts again."""

DefaultSource = Literal["local", "service", "stub"]


class Lookup(dict[Any, Any]):
    """The values of one setting by context, computed when first asked for, and remembered.

    Its keys are contexts as they were given: the value of the only feature, or a tuple with one value per feature, with
    :data:`NO_VALUE` for those that were left out.

    Args:
        setting_name: For messages.
        rules: The rules in force.
        default: What the value is where no rule matches.
        contexts: Completes the contexts, which have the features of the rules.
        default_source: Where the default was taken from.

    Attributes:
        variables: Those of ``contexts``.
    """

    __slots__ = ("contexts", "default", "default_source", "rules", "setting_name", "variables")

    def __init__(
        self,
        setting_name: str,
        rules: RuleSet[Any],
        default: Any,
        contexts: ContextCompletion,
        default_source: DefaultSource = "local",
    ) -> None:
        self.setting_name = setting_name
        self.rules = rules
        self.default = default
        self.contexts = contexts
        self.default_source: DefaultSource = default_source
        self.variables = contexts.variables

    def __missing__(self, key: Any) -> Any:
        """Compute the value for a context that is not remembered, and remember it.

        Raises:
            MissingContextError: If a feature was left out and nothing stands in.
        """
        contexts = self.contexts
        given: Context = key if len(contexts.constants) > 1 else (key,)
        context = contexts.complete(self.setting_name, given)
        value = self.rules.value(context)
        if value is NO_VALUE:
            value = self.default
        if contexts.limits:
            contexts.warn_of_untracked(context)
        for position in contexts.variable_positions:
            if given[position] is NO_VALUE:
                return value
        if len(self) >= MEMORY:
            self.clear()
        self[key] = value
        return value

    @property
    def loaded(self) -> bool:
        """Whether rules and default are from a service or a stub."""
        return True

    def with_default(self, default: Any, default_source: DefaultSource) -> "Lookup":
        """Return a lookup of the same rules, which has another default."""
        return type(self)(self.setting_name, self.rules, default, self.contexts, default_source)

    def with_contexts(self, contexts: ContextCompletion) -> "Lookup":
        """Return a lookup of the same rules and default, which completes contexts in another way."""
        return type(self)(self.setting_name, self.rules, self.default, contexts, self.default_source)


class UnloadedLookup(Lookup):
    """The lookup of a setting whose rules were never read from a service: its default, as it says once in the log."""

    __slots__ = ("announced",)

    def __init__(
        self,
        setting_name: str,
        rules: RuleSet[Any],
        default: Any,
        contexts: ContextCompletion,
        default_source: DefaultSource = "local",
    ) -> None:
        super().__init__(setting_name, rules, default, contexts, default_source)
        self.announced = False

    @property
    def loaded(self) -> bool:
        """Whether rules and default are from a service or a stub: no."""
        return False

    def __missing__(self, key: Any) -> Any:
        """Return the default.

        Raises:
            MissingContextError: If a feature was left out and nothing stands in, and the client is known.
        """
        if not self.announced:
            self.announced = True
            logger.info(
                "the value of setting was never retrieved from service",
                extra={"setting": self.setting_name, "default_value": self.default},
            )
        self.contexts.complete(self.setting_name, key if len(self.contexts.constants) > 1 else (key,))
        return self.default
