"""Explain the value of a setting: the result of :meth:`heksherlite.Setting.explain`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

from heksherlite.lookup import DefaultSource, Lookup, RejectedValue
from heksherlite.rule_sets import NO_VALUE, Context
from heksherlite.rules import QueriedRule

T = TypeVar("T")

ContextSource = Literal["argument", "constant", "context variable", "missing"]


@dataclass(frozen=True, slots=True)
class ContextValue:
    """The value of one context feature and its origin.

    Attributes:
        feature: The name of the context feature.
        value: Its value, or ``None`` if it is missing.
        source: ``"argument"`` for an argument of the call, ``"constant"`` or ``"context variable"`` for a default of
            the client, ``"missing"`` if there is no value, which is possible only before there is a main client.
    """

    feature: str
    value: Any
    source: ContextSource


@dataclass(frozen=True, slots=True)
class FailedCondition:
    """The first exact-match condition of a rule that the context does not meet.

    Attributes:
        feature: The context feature.
        expected: The value that the rule requires.
        actual: The value in the context.
    """

    feature: str
    expected: str
    actual: Any


@dataclass(frozen=True, slots=True)
class RuleOutcome(Generic[T]):
    """How one rule was evaluated.

    Attributes:
        rule: The rule.
        failed: The first condition that failed, or ``None`` if the rule matches.
        wins: Whether the rule determines the value.
    """

    rule: QueriedRule[T]
    failed: FailedCondition | None
    wins: bool

    @property
    def matches(self) -> bool:
        """Whether the context meets every condition of the rule."""
        return self.failed is None


@dataclass(frozen=True, slots=True)
class Explanation(Generic[T]):
    """Why a setting has its value in a context. ``str()`` formats it as a table.

    Attributes:
        setting: The name of the setting.
        value: The value that ``get`` returns.
        context: The context features in the order of the setting, with their values and origins.
        rules: All rules, highest priority first.
        winner: The rule that determines the value, or ``None`` if the default applies.
        default: The value if no rule matches.
        default_source: The origin of the default: ``"local"`` for the declaration in the program, ``"service"`` for the
            declaration that the service stores, ``"operator"`` for a default that an operator set in the service, or
            ``"stub"`` for a value from a test. Services other than ours do not tell the second and third apart.
        loaded: Whether the setting was loaded from a service or set by a stub.
        rejected: The values from the service that were rejected, with the reasons.
        notes: Why the service may have rules that are not listed.
    """

    setting: str
    value: T
    context: tuple[ContextValue, ...]
    rules: tuple[RuleOutcome[T], ...]
    winner: QueriedRule[T] | None
    default: T
    default_source: DefaultSource
    loaded: bool
    rejected: tuple[RejectedValue, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.setting} = {self.value!r}, {self._reason()}"
        width = max((len(item.feature) for item in self.context), default=0)
        for item in self.context:
            shown = "(no value)" if item.source == "missing" else f"{item.value!r} ({item.source})"
            yield f"  {item.feature:<{width}}  {shown}"
        if self.rules:
            yield ""
            yield from _table(
                ("", "rule", "conditions", "value", "outcome"),
                [
                    (
                        "->" if outcome.wins else "",
                        str(outcome.rule.rule_id),
                        _conditions_text(outcome.rule.context_features) or "(always)",
                        repr(outcome.rule.value),
                        _outcome_text(outcome),
                    )
                    for outcome in self.rules
                ],
            )
        if self.rejected or self.notes:
            yield ""
        for value in self.rejected:
            conditions = _conditions_text(value.context_features) if value.rule_id is not None else ""
            yield f"  {value}{conditions and f' ({conditions})'}"
        for note in self.notes:
            yield f"  {note}"

    def _reason(self) -> str:
        if self.winner is not None:
            return f"by rule {self.winner.rule_id}"
        origin = {
            "local": "default of the declaration",
            "service": "default of the service",
            "operator": "default of the operator",
            "stub": "set by a stub",
        }
        reason = origin[self.default_source]
        if not self.loaded:
            return f"{reason}: it was never retrieved from a service"
        if self.rules:
            return f"{reason}: no rule matches"
        rejected = sum(value.rule_id is not None for value in self.rejected)
        if rejected:
            return (
                f"{reason}: " + ("the only rule was" if rejected == 1 else f"all {rejected} rules were") + " rejected"
            )
        return f"{reason}: " + ("no rules were fetched" if self.notes else "there are no rules")


def _conditions_text(conditions: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{feature}={value}" for feature, value in conditions)


def _outcome_text(outcome: RuleOutcome[Any]) -> str:
    if outcome.wins:
        return "wins"
    if outcome.failed is None:
        return "matches, but a more specific rule wins"
    return f"{outcome.failed.feature} is {outcome.failed.actual!r}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        yield ("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))).rstrip()


def explain(lookup: Lookup, given: Context) -> Explanation[Any]:
    """Explain the value that a lookup has for a context.

    Args:
        lookup: The lookup of the setting.
        given: One value per feature, :data:`NO_VALUE` for a missing one.

    Raises:
        MissingContextError: If a feature has neither value nor default.
        ContextValueError: If a value has no obvious text.
    """
    features = lookup.rules.features
    contexts, name = lookup.contexts, lookup.setting_name
    context = cast("Context", contexts.complete(name, contexts.texts(name, given)))  # texts are plain strings
    winner = lookup.rules.winner(context)
    actual = dict(zip(features, context, strict=True))
    return Explanation(
        setting=lookup.setting_name,
        value=lookup.default if winner is None else winner.value,
        context=tuple(
            ContextValue(feature, None if actual[feature] is NO_VALUE else actual[feature], source)
            for feature, source in zip(features, _sources(lookup, given, context), strict=True)
        ),
        rules=tuple(_outcome(rule, actual, winner) for rule in lookup.rules),
        winner=winner,
        default=lookup.default,
        default_source=lookup.default_source,
        loaded=lookup.loaded,
        rejected=tuple(lookup.rejected),
        notes=tuple(_notes(lookup, context, winner)),
    )


def _notes(lookup: Lookup, context: Context, winner: QueriedRule[Any] | None) -> Iterator[str]:
    contexts = lookup.contexts
    if not contexts.has_tracking:
        return
    if contexts.tracks_nothing:
        features = ", ".join(contexts.features)
        yield f"this client tracks no contexts of {features}, so it fetches no rules: see track_contexts"
        return
    for feature, value in contexts.untracked(context):
        if contexts.is_refused(feature, value):
            yield (
                f"the service refuses {feature}={value!r} in queries, so this client fetches no rules for it: see the "
                "problems in the status of the client"
            )
        elif value is not NO_VALUE:
            yield f"this client does not track {feature}={value!r}, so it fetches no rules for it: see track_contexts"
    if not lookup.loaded:
        yield "its rules were not fetched yet: if this lasts, see the problems in the status of the client"
    elif winner is None:
        yield "rules that start later, and rules that have ended, are not fetched"


def _sources(lookup: Lookup, given: Context, context: Context) -> Iterator[ContextSource]:
    for argument, constant, value in zip(given, lookup.contexts.constants, context, strict=True):
        if argument is not NO_VALUE:
            yield "argument"
        elif constant is not NO_VALUE:
            yield "constant"
        else:
            yield "missing" if value is NO_VALUE else "context variable"


def _outcome(rule: QueriedRule[Any], actual: dict[str, Any], winner: QueriedRule[Any] | None) -> RuleOutcome[Any]:
    failed = next(
        (
            FailedCondition(feature, expected, actual[feature])
            for feature, expected in rule.context_features
            if actual[feature] != expected
        ),
        None,
    )
    return RuleOutcome(rule, failed, wins=winner is not None and rule.rule_id == winner.rule_id)
