"""Regions of contexts: where each rule wins, and where two rule sets give different values.

A region is the set of all contexts that meet some conditions (``where``) and none of its exceptions. Conditions are
equalities, and a context feature may have any text as its value. A region is therefore empty only if an exception
follows from ``where``: otherwise a text that no rule mentions leads past all exceptions. This makes it possible to
compute regions exactly without knowing which contexts exist.

Everything here is arithmetic on rule sets (`heksherlite.rules`), as reading a setting is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from heksherlite.rule_sets import RuleSet
from heksherlite.rules import RuleShape

T = TypeVar("T")

Conditions: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of context feature and value, in the order of a rule set's features."""


_SEARCHES: Final = 2
"""How many times the rules of a shape are searched for some values before an index of them is made."""


@dataclass(frozen=True, slots=True)
class Region:
    """The contexts that meet all conditions of ``where`` and not all conditions of any exception.

    Attributes:
        where: The conditions that all contexts of the region meet.
        exceptions: What is left out of it. They list what a context must meet in addition to ``where``.
        exceptions_truncated: Whether there are more exceptions than those that are listed.
    """

    where: Conditions
    exceptions: tuple[Conditions, ...]
    exceptions_truncated: bool = False


@dataclass(frozen=True, slots=True)
class WinningRegion(Generic[T]):
    """A region in which one rule wins.

    Attributes:
        region: The region.
        winner: What the rule set holds for the winning rule, or None where no rule matches.
    """

    region: Region
    winner: T | None


class Difference(NamedTuple, Generic[T]):
    """A region whose value differs between two rule sets.

    Attributes:
        before: What the first rule set holds for its winning rule, or None where no rule matches.
        after: The same for the second rule set.
        compute_region: Returns the region.
    """

    before: T | None
    after: T | None
    compute_region: Callable[[], Region]

    @property
    def region(self) -> Region:
        """The region, computed when it is asked for."""
        return self.compute_region()


class _Pair(NamedTuple, Generic[T]):
    """Two rules that may win in the same contexts, with their ranks in their rule sets."""

    where: Mapping[str, str]
    before: T | None
    before_rank: int
    after: T | None
    after_rank: int


class RankedRules(Generic[T]):
    """A rule set with the indexes that computing regions needs. They are built when they are needed first.

    The rank of a rule is the number of shapes that are heavier than its own: rules of a lower rank win over it.

    Args:
        rules: The rule set. Its values are what regions name as winners.
    """

    def __init__(self, rules: RuleSet[T]) -> None:
        self.features = rules.features
        self.shapes = rules.shapes
        self.ranks = {shape.features: rank for rank, shape in enumerate(rules.shapes)}
        self._indexes: dict[tuple[int, tuple[str, ...]], dict[Any, list[Any]]] = {}
        self._searches: Counter[tuple[int, tuple[str, ...]]] = Counter()

    def __len__(self) -> int:
        return len(self.shapes)

    def find(self, conditions: Mapping[str, str]) -> tuple[int, T] | None:
        """Return the rank of the rule with exactly these conditions and what is held for it, or None."""
        if not self.shapes:
            return None
        features = tuple([feature for feature in self.features if feature in conditions])
        rank = self.ranks.get(features) if len(features) == len(conditions) else None
        if rank is None:
            return None
        shape = self.shapes[rank]
        selected = _selected(shape, conditions)
        return (rank, shape.values[selected]) if selected in shape.values else None

    def covering(self, where: Mapping[str, str], *, above: int) -> tuple[int, T] | None:
        """Return the rank of the heaviest rule that matches wherever ``where`` does, and what is held for it, or None.

        Args:
            where: Conditions.
            above: Only rules of a lower rank than this one count.
        """
        for rank, shape in enumerate(self.shapes[:above]):
            if where.keys() >= set(shape.features):
                selected = _selected(shape, where)
                if selected in shape.values:
                    return rank, shape.values[selected]
        return None

    def compatible(self, where: Mapping[str, str], rank: int) -> Iterator[dict[str, str]]:
        """Yield the conditions of the rules of one rank that match in some of the contexts that meet ``where``."""
        shape = self.shapes[rank]
        common = tuple([feature for feature in shape.features if feature in where])
        found: Iterable[Any]
        if len(common) == len(shape.features):
            selected = _selected(shape, where)
            found = (selected,) if selected in shape.values else ()
        elif common:
            found = self._agreeing(rank, common, tuple([where[feature] for feature in common]))
        else:
            found = shape.values
        for selected in found:
            yield dict(shape.conditions(selected))

    def _agreeing(self, rank: int, common: tuple[str, ...], wanted: tuple[str, ...]) -> Iterable[Any]:
        """Return the keys of a shape that have these values of some of its features."""
        shape = self.shapes[rank]
        select = itemgetter(*[shape.features.index(feature) for feature in common])
        key = wanted[0] if len(wanted) == 1 else wanted
        # The keys are tuples: a shape of one feature has no part of its features.
        if (rank, common) in self._indexes:
            return self._indexes[rank, common].get(key, ())
        self._searches[rank, common] += 1
        if self._searches[rank, common] <= _SEARCHES:
            return (selected for selected in shape.values if select(selected) == key)
        index: dict[Any, list[Any]] = {}
        for selected in shape.values:
            index.setdefault(select(selected), []).append(selected)
        self._indexes[rank, common] = index
        return index.get(key, ())


def winning_rules(rules: RankedRules[T], known: Mapping[str, str]) -> Iterator[T | None]:
    """Yield the rules that win in some of the contexts that have some known values, the heaviest first.

    Args:
        rules: The rules.
        known: The values of the features that are known, of those that the rules are about.

    Returns:
        The rules, and None at last if no rule matches in some of these contexts.
    """
    for rank in range(len(rules)):
        shape = rules.shapes[rank]
        for conditions in rules.compatible(known, rank):
            if rules.covering({**known, **conditions}, above=rank) is None:
                yield shape.values[_selected(shape, conditions)]
    if rules.covering(known, above=len(rules)) is None:
        yield None


def winning_regions(
    rules: RankedRules[T], known: Mapping[str, str], *, most_exceptions: int = 100
) -> Iterator[WinningRegion[T]]:
    """Yield where each rule wins in the contexts that have some known values.

    The regions do not overlap, and together they are all of these contexts. Their conditions and exceptions are about
    the features that are not known. The heaviest rules come first. The region in which no rule matches is the last.

    Args:
        rules: The rules.
        known: The values of the features that are known, of those that the rules are about.
        most_exceptions: How many exceptions of a region are listed.
    """
    for rank in range(len(rules)):
        shape = rules.shapes[rank]
        for conditions in rules.compatible(known, rank):
            where = {**known, **conditions}
            if rules.covering(where, above=rank) is None:
                region = _region([(rules, rank)], where, known, rules.features, most_exceptions)
                yield WinningRegion(region, shape.values[_selected(shape, conditions)])
    if rules.covering(known, above=len(rules)) is None:
        yield WinningRegion(_region([(rules, len(rules))], dict(known), known, rules.features, most_exceptions), None)


def differences(
    before: RankedRules[T],
    after: RankedRules[T],
    changed: Iterable[Mapping[str, str]],
    same: Callable[[T | None, T | None], bool],
    *,
    most_exceptions: int = 100,
) -> Iterator[Difference[T]]:
    """Yield every region whose value differs between two rule sets. The regions do not overlap.

    Args:
        before: The first rule set.
        after: The second one. Its features may be others, and in another order.
        changed: The conditions of all rules that only one of the two has, or that differ between them; each once.
        same: Tells whether the values are equal where the given rules win. None stands for the default.
        most_exceptions: How many exceptions of a region are listed.
    """
    features = (*after.features, *[feature for feature in before.features if feature not in after.features])
    pairs = chain(_pairs_of_changed(before, after, changed), _pairs_of_reordered(before, after))
    for pair in pairs:
        if (
            not same(pair.before, pair.after)
            and before.covering(pair.where, above=pair.before_rank) is None
            and after.covering(pair.where, above=pair.after_rank) is None
        ):
            winners = ((before, pair.before_rank), (after, pair.after_rank))
            region_of = partial(_region, winners, pair.where, {}, features, most_exceptions)
            yield Difference(pair.before, pair.after, region_of)


def _pairs_of_changed(
    before: RankedRules[T], after: RankedRules[T], changed: Iterable[Mapping[str, str]]
) -> Iterator[_Pair[T]]:
    """Yield the pairs of which at least one rule is changed, and the pair of the defaults.

    The winner of a context is unique in each rule set, so pairs never overlap. Each is made once: where the earlier
    winner was removed, by that rule, and otherwise by the later winner.
    """
    yield _Pair({}, None, len(before), None, len(after))
    added: dict[int, list[Mapping[str, str]]] = {}
    removed: list[Mapping[str, str]] = []
    for conditions in changed:
        earlier, later = before.find(conditions), after.find(conditions)
        if earlier is not None and later is not None:
            yield _Pair(conditions, earlier[1], earlier[0], later[1], later[0])
        elif earlier is not None:
            removed.append(conditions)
        elif later is not None:
            added.setdefault(later[0], []).append(conditions)
    for conditions in removed:
        yield from _pairs_of_removed(before, after, conditions, added)
    for rank, same_features in added.items():
        yield from _pairs_of_added(before, after, same_features, rank)


def _pairs_of_removed(
    before: RankedRules[T],
    after: RankedRules[T],
    removed: Mapping[str, str],
    added: Mapping[int, Sequence[Mapping[str, str]]],
) -> Iterator[_Pair[T]]:
    found = before.find(removed)
    assert found is not None  # noqa: S101 - by the caller
    before_rank, earlier = found
    for rank, shape in enumerate(after.shapes):
        # A rule that was there before and is heavier won over the removed one already.
        if before.ranks.get(shape.features, len(before)) < before_rank:
            candidates = _agreeing(added.get(rank, ()), removed)
        else:
            candidates = after.compatible(removed, rank)
        for conditions in candidates:
            later = shape.values[_selected(shape, conditions)]
            yield _Pair({**removed, **conditions}, earlier, before_rank, later, rank)
    yield _Pair(removed, earlier, before_rank, None, len(after))


def _pairs_of_added(
    before: RankedRules[T], after: RankedRules[T], added: Iterable[Mapping[str, str]], after_rank: int
) -> Iterator[_Pair[T]]:
    """Yield the pairs of added rules, which have the same rank afterwards."""
    shape_after = after.shapes[after_rank]
    outranked = [rank for rank, shape in enumerate(before.shapes) if after.ranks.get(shape.features, -1) > after_rank]
    for conditions in added:
        later = shape_after.values[_selected(shape_after, conditions)]
        for rank in outranked:
            shape = before.shapes[rank]
            for others in before.compatible(conditions, rank):
                if after.find(others) is not None:
                    earlier = shape.values[_selected(shape, others)]
                    yield _Pair({**conditions, **others}, earlier, rank, later, after_rank)
        yield _Pair(conditions, None, len(before), later, after_rank)


def _pairs_of_reordered(before: RankedRules[T], after: RankedRules[T]) -> Iterator[_Pair[T]]:
    """Yield the pairs of rules that are in both rule sets, if the second one outranks the first one only afterwards."""
    for before_rank, shape in enumerate(before.shapes):
        rank_after = after.ranks.get(shape.features)
        if rank_after is None:
            continue
        for after_rank in range(rank_after):
            other = after.shapes[after_rank]
            if before.ranks.get(other.features, -1) <= before_rank:
                continue
            for selected, earlier in shape.values.items():
                if selected not in after.shapes[rank_after].values:
                    continue
                conditions = dict(shape.conditions(selected))
                for others in after.compatible(conditions, after_rank):
                    if before.find(others) is not None:
                        later = other.values[_selected(other, others)]
                        yield _Pair({**conditions, **others}, earlier, before_rank, later, after_rank)


def _region(
    winners: Iterable[tuple[RankedRules[Any], int]],
    where: Mapping[str, str],
    known: Mapping[str, str],
    features: Sequence[str],
    most_exceptions: int,
) -> Region:
    exceptions: dict[Conditions, None] = {}
    heavier = (
        conditions for rules, above in winners for rank in range(above) for conditions in rules.compatible(where, rank)
    )
    for conditions in heavier:
        exceptions[_pairs({key: value for key, value in conditions.items() if key not in where}, features)] = None
        if len(exceptions) > most_exceptions:
            break
    listed = list(exceptions)[:most_exceptions]
    sets = {conditions: frozenset(conditions) for conditions in listed}
    needed = [conditions for conditions in listed if not any(sets[other] < sets[conditions] for other in listed)]
    own = _pairs({key: value for key, value in where.items() if key not in known}, features)
    return Region(own, tuple(needed), len(exceptions) > most_exceptions)


def _agreeing(rules: Iterable[Mapping[str, str]], where: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    for conditions in rules:
        if all(where.get(feature, value) == value for feature, value in conditions.items()):
            yield conditions


def _selected(shape: RuleShape[Any], conditions: Mapping[str, str]) -> Any:
    """Return the key of the shape's rule with these conditions; see `RuleShape.select`."""
    if len(shape.features) == 1:
        return conditions[shape.features[0]]
    return tuple([conditions[feature] for feature in shape.features])


def _pairs(conditions: Mapping[str, str], features: Iterable[str]) -> Conditions:
    return tuple([(feature, conditions[feature]) for feature in features if feature in conditions])
