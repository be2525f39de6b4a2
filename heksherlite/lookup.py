"""Map contexts to values, for :meth:`heksherlite.Setting.get`.

Every change of a setting creates a new lookup, which replaces the previous one in a single assignment. A reader
therefore sees either the old state of a setting or the new one.
"""

import logging
import reprlib
import sys
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from heksherlite.contexts import ContextCompletion
from heksherlite.errors import ContextValueError
from heksherlite.rule_sets import NO_VALUE, Context, RuleSet

logger = logging.getLogger(__name__)

CACHE_SIZE: Final = 1024
"""The maximum number of contexts whose values a lookup caches. A full cache is cleared."""

DefaultSource = Literal["local", "service", "operator", "stub"]


class RejectedValue(NamedTuple):
    """A value from the service that its type, a validator or ``on_coerce`` rejected.

    Attributes:
        rule_id: The id of the rule, or ``None`` for the default of the service.
        context_features: The conditions of the rule: pairs of a context feature and the value it must have.
        raw_value: The rejected value, as JSON.
        reason: Why it was rejected.
        is_kept: Whether the last good value of the rule, or the last good default, is still in force.
    """

    rule_id: int | None
    context_features: tuple[tuple[str, str], ...]
    raw_value: Any
    reason: str
    is_kept: bool

    def __str__(self) -> str:
        name = "the default" if self.rule_id is None else f"rule {self.rule_id}"
        kept = "; its last good value stays in force" if self.is_kept else ""
        return f"{name}: the value {reprlib.repr(self.raw_value)} was rejected: {self.reason}{kept}"


class Lookup(dict[Any, Any]):
    """The values of one setting by context, computed on first use and then cached.

    A key is a context as the caller gave it: the value of the only feature, or a tuple with one value per feature. A
    missing feature is :data:`NO_VALUE`.

    Args:
        setting_name: The name of the setting, for messages.
        rules: The rules in force.
        default: The value if no rule matches.
        contexts: Completes contexts of the features of the rules.
        default_source: The origin of the default.
        rejected: The values from the service that are not in force because they were rejected.

    Attributes:
        variables: The variables of ``contexts``.
    """

    __slots__ = ("contexts", "default", "default_source", "rejected", "rules", "setting_name", "variables")

    def __init__(
        self,
        setting_name: str,
        rules: RuleSet[Any],
        default: Any,
        contexts: ContextCompletion,
        default_source: DefaultSource = "local",
        rejected: Sequence[RejectedValue] = (),
    ) -> None:
        self.setting_name = setting_name
        self.rejected = rejected
        self.rules = rules
        self.default = default
        self.contexts = contexts
        self.default_source: DefaultSource = default_source
        self.variables = contexts.variables

    def __missing__(self, key: Any) -> Any:
        """Compute the value for a context that is not cached, and cache it.

        Only strings are cached, because ``1``, ``1.0`` and ``True`` are equal as keys.

        Raises:
            MissingContextError: If a feature has neither value nor default.
            ContextValueError: If a value has no obvious text.
        """
        contexts = self.contexts
        given: Context = key if len(contexts.constants) > 1 else (key,)
        context = contexts.complete(self.setting_name, given)
        if context is None:
            texts = contexts.texts(self.setting_name, given)
            return self[texts if len(texts) > 1 else texts[0]]
        value = self.rules.value(context)
        if value is NO_VALUE:
            value = self.default
        if contexts.limits:
            contexts.warn_of_untracked(context)
        for position in contexts.variable_positions:
            if given[position] is NO_VALUE:
                return value
        if len(self) >= CACHE_SIZE:
            self.clear()
        self[key] = value
        return value

    @property
    def loaded(self) -> bool:
        """Whether rules and default come from a service or a stub."""
        return True

    def observed(self) -> "Lookup":
        """Return this lookup, or the one that this one observes."""
        return self

    def served(self) -> "Lookup":
        """Return what the client of the setting put in force: this lookup, or the one that this one replaces."""
        return self

    def chosen(self, given: Context) -> "Lookup":
        """Return the lookup from which a read gets its value.

        Args:
            given: One value per feature, :data:`NO_VALUE` for a missing one.
        """
        del given
        return self

    def with_default(self, default: Any, default_source: DefaultSource) -> "Lookup":
        """Return a lookup with the same rules and another default."""
        rejected = [value for value in self.rejected if value.rule_id is not None]
        return type(self)(self.setting_name, self.rules, default, self.contexts, default_source, rejected)

    def with_contexts(self, contexts: ContextCompletion) -> "Lookup":
        """Return a lookup with the same rules and default that completes contexts differently."""
        return type(self)(self.setting_name, self.rules, self.default, contexts, self.default_source, self.rejected)


def context_error(error: TypeError, lookup: Lookup, given: Context) -> TypeError:
    """Return the error to raise after a lookup failed: one that names the value that cannot be hashed, if there is one.

    Args:
        error: The error of the lookup.
        lookup: The lookup.
        given: One value per feature, :data:`NO_VALUE` for a missing one.
    """
    if not isinstance(error, ContextValueError):
        for feature, value in zip(lookup.contexts.features, given, strict=True):
            try:
                hash(value)
            except TypeError:
                return ContextValueError(lookup.setting_name, feature, value)
    return error


_warned_of_spawned_process = False


def _warn_of_spawned_process() -> None:
    """Warn once if this process was started by :mod:`multiprocessing`, and has no client."""
    global _warned_of_spawned_process  # noqa: PLW0603 - once for the process
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None or multiprocessing.parent_process() is None or _warned_of_spawned_process:
        return
    _warned_of_spawned_process = True
    logger.warning("settings have their defaults in this process: no heksher client was started in it")


class UnloadedLookup(Lookup):
    """The lookup of a setting that was never loaded. It returns the default, and logs this once."""

    __slots__ = ("announced",)

    def __init__(
        self,
        setting_name: str,
        rules: RuleSet[Any],
        default: Any,
        contexts: ContextCompletion,
        default_source: DefaultSource = "local",
        rejected: Sequence[RejectedValue] = (),
    ) -> None:
        super().__init__(setting_name, rules, default, contexts, default_source, rejected)
        self.announced = False

    @property
    def loaded(self) -> bool:
        """Whether rules and default come from a service or a stub. Always false."""
        return False

    def __missing__(self, key: Any) -> Any:
        """Return the default.

        Raises:
            MissingContextError: If a feature has neither value nor default, and there is a client.
            ContextValueError: If a value has no obvious text.
        """
        if not self.announced:
            self.announced = True
            logger.info(
                "the value of setting was never retrieved from service: %s",
                f"{self.setting_name!r} has its default, {reprlib.repr(self.default)}",
                extra={"setting": self.setting_name, "default_value": self.default},
            )
        given = key if len(self.contexts.constants) > 1 else (key,)
        self.contexts.complete(self.setting_name, self.contexts.texts(self.setting_name, given))
        return self.default
