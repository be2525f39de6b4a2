"""Which queries a client sends: names of settings and context filters, divided so that each fits into a URL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from heksherlite.contexts import TRACK_ALL
from heksherlite.rule_sets import RuleSet

_COMMA: Final = 3
"""The number of characters of a comma in a URL."""


class QuerySize(NamedTuple):
    """The maximum size of a query, in characters of the URL.

    Attributes:
        names: The size of the names of settings.
        filters: The size of the context filters.
    """

    names: int = 30_000
    filters: int = 25_000

    def halved(self) -> "QuerySize | None":
        """Return half the size, for a service that refuses long URLs, or ``None`` if this is short already."""
        return QuerySize(self.names // 2, self.filters // 2) if self.names > _SHORT else None


_SHORT: Final = 500
_LARGEST: Final = QuerySize()


@dataclass(frozen=True, slots=True)
class ContextFilter:
    """One of the context filters that together select the rules of everything that is tracked.

    Attributes:
        text: The filter in the notation of the query parameter ``context_filters``.
        values: The values that this filter selects, by context feature, for the features whose tracked values are
            divided among several filters.
    """

    text: str
    values: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False)

    def selects(self, conditions: Iterable[tuple[str, str]]) -> bool:
        """Return whether this filter selects a rule with these conditions, which are all tracked."""
        return all(value in self.values[name] for name, value in conditions if name in self.values)

    def selected_ids(self, rules: RuleSet[Any]) -> Iterator[int]:
        """Yield the ids of the rules that this filter selects, among rules that are all tracked."""
        for shape in rules.shapes:
            limits = [(shape.features.index(name), v) for name, v in self.values.items() if name in shape.features]
            if not limits:
                yield from shape.rule_ids
                continue
            for rule_id, selected in zip(shape.rule_ids, shape.values, strict=True):
                wanted = (selected,) if len(shape.features) == 1 else selected
                if all(wanted[position] in values for position, values in limits):
                    yield rule_id


class Query(NamedTuple):
    """What is requested in one request: the rules of some settings that pass a filter.

    Attributes:
        names: The names of the settings, separated by commas.
        context_filter: The filter.
    """

    names: str
    context_filter: ContextFilter


def divide_names(names: Iterable[str], size: QuerySize = _LARGEST) -> Sequence[str]:
    """Join names with commas into as few texts as possible, in order, of which each fits into a URL."""
    return _divided_names(tuple(names), size)


@lru_cache(maxsize=8)  # each poll of a client asks for the same
def _divided_names(names: tuple[str, ...], size: QuerySize) -> Sequence[str]:
    return [",".join(part) for part in _divided(names, [len(name) + _COMMA for name in names], size.names)]


def context_filters(tracked: Mapping[str, set[str] | str]) -> str:
    """Return one filter that selects the rules of everything that is tracked.

    Args:
        tracked: The tracked values by context feature, or :data:`TRACK_ALL`.
    """
    return ",".join(_term(feature, values) for feature, values in sorted(tracked.items()))


def divide_filters(tracked: Mapping[str, set[str] | str], size: QuerySize = _LARGEST) -> list[ContextFilter]:
    """Return filters that together select the rules of everything that is tracked. Each of them fits into a URL.

    A rule that has no condition on a divided feature is selected by several filters.

    Args:
        tracked: The tracked values by context feature, or :data:`TRACK_ALL`.
        size: The maximum size.
    """
    listed = {feature: sorted(values) for feature, values in tracked.items() if not isinstance(values, str)}
    lengths = {feature: [len(quote_plus(value)) + _COMMA for value in values] for feature, values in listed.items()}
    sizes = {feature: sum(of_values) for feature, of_values in lengths.items()}
    if sum(sizes.values()) <= size.filters:
        return [ContextFilter(context_filters(tracked))]
    # Small features are sent whole with each query. The others share what remains.
    remaining = size.filters
    large = sorted(sizes, key=lambda feature: sizes[feature])
    while large and sizes[large[0]] <= remaining // len(large):
        remaining -= sizes[large.pop(0)]
    parts = [_divided(listed[feature], lengths[feature], remaining // len(large)) for feature in large]
    filters = []
    for combination in product(*parts):
        values = {feature: set(part) for feature, part in zip(large, combination, strict=True)}
        selected = {feature: frozenset(part) for feature, part in values.items()}
        filters.append(ContextFilter(context_filters({**tracked, **values}), selected))
    return filters


def _term(feature: str, values: set[str] | str) -> str:
    return f"{feature}:*" if values == TRACK_ALL else f"{feature}:({','.join(sorted(values))})"


def _divided(texts: Sequence[str], lengths: Sequence[int], limit: int) -> list[list[str]]:
    """Divide texts, in order, into as few lists as possible whose total length is within a limit."""
    parts: list[list[str]] = [[]]
    total = 0
    for text, length in zip(texts, lengths, strict=True):
        if total + length > limit and parts[-1]:
            parts.append([])
            total = 0
        parts[-1].append(text)
        total += length
    return parts
