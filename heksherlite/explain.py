"""Why a setting has the value it has: what :meth:`heksherlite.Setting.explain` returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from heksherlite.lookup import DefaultSource, Lookup
from heksherlite.rules import NO_VALUE, Context, QueriedRule

T = TypeVar("T")

ContextSource = Literal["argument", "constant", "context variable", "missing"]


@dataclass(frozen=True, slots=True)
class ContextValue:
    """The value of one context feature, and where it was taken from.

    Attributes:
        feature: The name of the context feature.
        value: Its value; ``None`` if it is missing.
        source: ``"argument"`` of the call, ``"constant"`` default or ``"context variable"`` default of the client, or
            ``"missing"``, which only a setting that was never loaded allows.
    """

    feature: str
    value: Any
    source: ContextSource


@dataclass(frozen=True, slots=True)
class FailedCondition:
    """The first exact-match condition of a rule that the context does not meet."""

    feature: str
    wanted: str
    actual: Any


@dataclass(frozen=True, slots=True)
class RuleOutcome(Generic[T]):
    """What became of one rule.

    Attributes:
        rule: The rule.
        failed: The condition that failed, or ``None`` if the rule matches.
        wins: Whether it decides the value.
    """

    rule: QueriedRule[T]
    failed: FailedCondition | None
    wins: bool

    @property
    def matches(self) -> bool:
        """Whether every condition is met."""
        return self.failed is None


@dataclass(frozen=True, slots=True)
class Explanation(Generic[T]):
    """Why a setting has a value in a context. Prints as a table.

    Attributes:
        setting: The name of the setting.
        value: The value that ``get`` returns.
        context: The context features in the setting's order, with their values and sources.
        rules: Every rule, those that would win over others first.
        winner: The rule that decides, or ``None`` if a default applies.
        default: The value where no rule matches.
        default_source: Where that default is from: ``"local"`` (the declaration in the program), ``"service"``, or
            ``"stub"`` (set by a test).
        loaded: Whether the setting was ever read from a service (or set by a stub).
    """

    setting: str
    value: T
    context: tuple[ContextValue, ...]
    rules: tuple[RuleOutcome[T], ...]
    winner: QueriedRule[T] | None
    default: T
    default_source: DefaultSource
    loaded: bool

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
                        ", ".join(f"{f}={v}" for f, v in outcome.rule.context_features) or "(always)",
                        repr(outcome.rule.value),
                        _outcome_text(outcome),
                    )
                    for outcome in self.rules
                ],
            )

    def _reason(self) -> str:
        if self.winner is not None:
            return f"by rule {self.winner.rule_id}"
        origin = {
            "local": "default of the declaration",
            "service": "default of the service",
            "stub": "set by a stub",
        }
        reason = origin[self.default_source]
        if not self.loaded:
            return f"{reason}: it was never retrieved from a service"
        return f"{reason}: " + ("no rule matches" if self.rules else "there are no rules")


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
    """Explain what a lookup answers.

    Args:
        lookup: The lookup of the setting.
        given: One value per feature, :data:`NO_VALUE` where the caller gave none.

    Raises:
        MissingContextError: As ``get`` does.
    """
    features = lookup.rules.features
    context = lookup.contexts.complete(lookup.setting_name, given)
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
    )


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
            FailedCondition(feature, wanted, actual[feature])
            for feature, wanted in rule.context_features
            if actual[feature] != wanted
        ),
        None,
    )
    return RuleOutcome(rule, failed, wins=winner is not None and rule.rule_id == winner.rule_id)
