"""Rules as they come from a service, and the rule sets that are made of them.

A program that only reads settings does not import this module; see :mod:`heksherlite.rule_sets`.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, islice, repeat
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

from heksherlite.rule_sets import Context, RuleSet

T = TypeVar("T")

_FEW: Final = 10
"""Up to how many rules are taken out one by one."""


class QueriedRule(NamedTuple, Generic[T]):
    """A rule as it came from the service.

    Attributes:
        rule_id: The service's number for it, never used for another rule.
        context_features: The exact-match conditions: pairs of a context feature and the value it must have.
        value: What the setting's value is where the rule wins.
    """

    rule_id: int
    context_features: tuple[tuple[str, str], ...]
    value: T


class RuleBatch(NamedTuple, Generic[T]):
    """Rules whose conditions are on the same context features, in columns.

    Attributes:
        rule_ids: Their ids.
        features: The context features.
        columns: For each context feature, the values that the rules want it to have.
        values: The rules' values.
    """

    rule_ids: Sequence[int]
    features: Sequence[str]
    columns: Sequence[Sequence[str]]
    values: Sequence[T]

    def rules(self) -> Iterator[QueriedRule[T]]:
        """Yield the rules one by one."""
        conditions = zip(*self.columns, strict=True) if self.columns else repeat((), len(self.rule_ids))
        for rule_id, wanted, value in zip(self.rule_ids, conditions, self.values, strict=True):
            yield QueriedRule(rule_id, tuple(zip(self.features, wanted, strict=True)), value)

    def only(self, keep: Sequence[bool], values: Sequence[T]) -> "RuleBatch[T]":
        """Return the batch without the rules that are not to be kept, with other values for those that are."""
        columns = [list(compress(column, keep)) for column in self.columns]
        return RuleBatch(list(compress(self.rule_ids, keep)), self.features, columns, values)


class RuleShape(Generic[T]):
    """The rules of a setting whose conditions are on the same context features.

    Attributes:
        features: The names of these features, in the setting's order.
        select: Takes the condition values out of a context: a bare value for one feature, else a tuple.
        values: The rules' values by what ``select`` returns.
        rule_ids: The rules' ids, in the order of ``values``. An array: it costs 8 bytes a rule.
    """

    __slots__ = ("features", "rule_ids", "select", "values")

    def __init__(self, features: tuple[str, ...], select: Callable[[Context], Any]) -> None:
        self.features = features
        self.select = select
        self.values: dict[Any, T] = {}
        self.rule_ids = array("q")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RuleShape):
            return NotImplemented
        return self.features == other.features and self.values == other.values and self.rule_ids == other.rule_ids

    __hash__ = object.__hash__

    def copy(self) -> "RuleShape[T]":
        """Return a shape of the same rules, to be changed."""
        copy: RuleShape[T] = RuleShape(self.features, self.select)
        copy.values = self.values.copy()
        copy.rule_ids = self.rule_ids[:]
        return copy

    def __iter__(self) -> Iterator[QueriedRule[T]]:
        """Yield the rules in the order of ``values``."""
        for rule_id, (selected, value) in zip(self.rule_ids, self.values.items(), strict=True):
            yield QueriedRule(rule_id, self.conditions(selected), value)

    def conditions(self, selected: Any) -> tuple[tuple[str, Any], ...]:
        """Return the conditions of the rule that is kept under ``selected``, as pairs of feature and value."""
        wanted = (selected,) if len(self.features) == 1 else selected
        return tuple(zip(self.features, wanted, strict=True))

    def rule(self, selected: Any) -> QueriedRule[T]:
        """Return the rule that is kept under ``selected``, in time linear in the number of rules."""
        return QueriedRule(self.rule_id(selected), self.conditions(selected), self.values[selected])

    def rule_id(self, selected: Any) -> int:
        """Return the id of the rule that is kept under ``selected``, in time linear in the number of rules."""
        return next(rule_id for rule_id, key in zip(self.rule_ids, self.values, strict=True) if key == selected)


class _Placement(NamedTuple):
    """Where rules with conditions on some features belong.

    Attributes:
        features: These features, in the order of the setting.
        select: Takes their values out of a context.
        order: The positions of these features among those of the rules.
    """

    features: tuple[str, ...]
    select: Callable[[Context], Any]
    order: tuple[int, ...]


@lru_cache(maxsize=1024)  # settings share them
def _placement(features: tuple[str, ...], of_rules: tuple[str, ...]) -> _Placement:
    """Return where rules belong in a setting of some features.

    Raises:
        ValueError: If there are conditions on something else than the features.
    """
    positions = list(map(features.index, of_rules))
    select = itemgetter(*sorted(positions)) if positions else _select_nothing
    order = tuple(sorted(range(len(positions)), key=positions.__getitem__))
    return _Placement(tuple([of_rules[index] for index in order]), select, order)


def _select_nothing(_: Context) -> tuple[()]:
    return ()


class RuleSetBuilder(Generic[T]):
    """Makes a rule set, from nothing or from another one.

    Args:
        features: The context features that contexts will give values for, in their order.
        base: The rule set, of the same features, to start from. It stays as it is.

    Attributes:
        conflicts: The rules that took the place of an earlier one with the same conditions.
    """

    __slots__ = ("_base", "_features", "_shapes", "conflicts")

    def __init__(self, features: Sequence[str], base: RuleSet[T] | None = None) -> None:
        self._features = tuple(features)
        self._base = {shape.features: shape for shape in base.shapes} if base is not None else {}
        self._shapes = self._base.copy()
        self.conflicts: list[QueriedRule[T]] = []

    def add(self, batch: RuleBatch[T]) -> None:
        """Add rules, or give those that are there already other values.

        Raises:
            ValueError: If there are conditions on something else than the features.
        """
        features, select, order = _placement(self._features, tuple(batch.features))
        selected: Sequence[Any]
        if len(order) == 1:
            selected = batch.columns[0]
        elif order:
            selected = list(zip(*[batch.columns[index] for index in order], strict=True))
        else:
            selected = [()] * len(batch.rule_ids)
        shape = self._shape_to_change(features, select)
        if features in self._base:
            _change(shape, selected, batch)
        else:
            self._fill(shape, selected, batch)

    def _fill(self, shape: RuleShape[T], selected: Sequence[Any], batch: RuleBatch[T]) -> None:
        values = shape.values
        known = len(values)
        values.update(zip(selected, batch.values, strict=True))
        if len(values) == known + len(selected):
            shape.rule_ids.extend(batch.rule_ids)
            return
        rule_ids = dict(zip(islice(shape.values, known), shape.rule_ids, strict=True))
        for key, rule in zip(selected, batch.rules(), strict=True):
            if rule_ids.setdefault(key, rule.rule_id) != rule.rule_id:
                self.conflicts.append(rule)
                rule_ids[key] = rule.rule_id
        shape.rule_ids = array("q", rule_ids.values())

    def remove(self, rule_ids: Iterable[int]) -> None:
        """Take out rules; those that are not there do not matter."""
        leaving = set(rule_ids)
        if not leaving:
            return
        for features, shape in self._shapes.items():
            if found := leaving.intersection(shape.rule_ids):
                _remove(self._shape_to_change(features, shape.select), found)

    def build(self, global_order: Sequence[str]) -> RuleSet[T]:
        """Return the rule set. The builder is not to be used any more.

        Args:
            global_order: The service's order of all context features, most general first. A feature that it lacks
                counts as more general than all that it has.
        """
        shapes = [shape for shape in self._shapes.values() if shape.values]
        if len(shapes) > 1:
            unordered = [feature for feature in self._features if feature not in global_order]
            weight = {feature: 1 << index for index, feature in enumerate([*unordered, *global_order])}
            shapes.sort(key=lambda shape: sum([weight[feature] for feature in shape.features]), reverse=True)
        return RuleSet(self._features, tuple(shapes))

    def _shape_to_change(self, features: tuple[str, ...], select: Callable[[Context], Any]) -> RuleShape[T]:
        shape = self._shapes.get(features)
        if shape is None:
            shape = RuleShape(features, select)
        elif shape is self._base.get(features):
            shape = shape.copy()
        else:
            return shape
        self._shapes[features] = shape
        return shape


def _change(shape: RuleShape[Any], selected: Sequence[Any], batch: RuleBatch[Any]) -> None:
    # In time proportional to the batch. The conditions of a rule never change, so equal ones are of the same rule.
    for key, rule_id, value in zip(selected, batch.rule_ids, batch.values, strict=True):
        if key not in shape.values:
            shape.rule_ids.append(rule_id)
        shape.values[key] = value


def _remove(shape: RuleShape[Any], rule_ids: set[int]) -> None:
    if len(rule_ids) <= _FEW:
        for rule_id in rule_ids:
            index = shape.rule_ids.index(rule_id)
            del shape.rule_ids[index]
            del shape.values[next(islice(shape.values, index, None))]
    else:
        kept = [rule_id not in rule_ids for rule_id in shape.rule_ids]
        shape.values = dict(compress(shape.values.items(), kept))
        shape.rule_ids = array("q", compress(shape.rule_ids, kept))


def build_rule_set(
    features: Sequence[str], global_order: Sequence[str], rules: Iterable[QueriedRule[T]]
) -> tuple[RuleSet[T], list[QueriedRule[T]]]:
    """Make a rule set of rules; see :class:`RuleSetBuilder`.

    Returns:
        The rule set, and the rules that took the place of an earlier one with the same conditions.
    """
    builder: RuleSetBuilder[T] = RuleSetBuilder(features)
    for rule in rules:
        names, wanted = zip(*rule.context_features, strict=True) if rule.context_features else ((), ())
        builder.add(RuleBatch((rule.rule_id,), names, [(value,) for value in wanted], (rule.value,)))
    return builder.build(global_order), builder.conflicts
