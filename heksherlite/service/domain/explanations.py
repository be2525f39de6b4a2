"""Explanations: why a setting has its value in a context, or which values it may have if only some of it is known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from heksherlite.regions import RankedRules, winning_regions
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry, Rule
from heksherlite.service.domain.impact import decided_by, show_region
from heksherlite.service.domain.snapshots import of_schedule


@dataclass(frozen=True, slots=True)
class Page:
    """Which rules of each setting an explanation lists, in the order in which they win.

    Attributes:
        limit: How many at most.
        offset: How many are left out before. None: so many that the winner is among those that are listed.
    """

    limit: int = 100
    offset: int | None = None


def explain(
    catalog: Catalog, entry: Entry, rules: RankedRules[Rule], context: Mapping[str, str], page: Page
) -> dict[str, Any]:
    """Explain the value of a setting, as the API shows it.

    Args:
        catalog: The catalog that has the setting.
        entry: The setting.
        rules: The setting's served rules.
        context: The values of the context features that are known. Those the setting does not use do not matter.
        page: Which rules to list.
    """
    known = {feature: context[feature] for feature in rules.features if feature in context}
    missing = [feature for feature in rules.features if feature not in context]
    shown = {"setting": entry.setting.name, **possible_values(entry, rules, context, limit=page.limit)}
    total = len(entry.rules)
    offset = page.offset if page.offset is not None else _offset_of_winner(rules, known, page.limit, total)
    listed = islice(_listed(catalog, entry, rules, known), offset, offset + page.limit)
    return {**shown, "missing": missing, "rules": list(listed), "rule_count": total, "rule_offset": offset}


def possible_values(
    entry: Entry, rules: RankedRules[Rule], context: Mapping[str, str], *, limit: int
) -> dict[str, Any]:
    """Return the value of a setting in a context and what decides it, or the regions with the possible values.

    Args:
        entry: The setting.
        rules: The setting's served rules.
        context: As for `explain`.
        limit: The maximum number of regions.
    """
    known = {feature: context[feature] for feature in rules.features if feature in context}
    if len(known) == len(rules.features):
        _, winner = rules.covering(known, above=len(rules)) or (None, None)
        value = entry.setting.default_value if winner is None else winner.value
        return {"value": value, "decided_by": decided_by(entry.setting, winner)}
    found = winning_regions(rules, known)
    regions = [
        {
            **show_region(winning.region),
            "value": entry.setting.default_value if winning.winner is None else winning.winner.value,
            "decided_by": decided_by(entry.setting, winning.winner),
        }
        for winning in islice(found, limit)
    ]
    more = next(found, None) is not None
    if len(regions) == 1 and not more:
        return {"value": regions[0]["value"], "decided_by": regions[0]["decided_by"], "regions": regions}
    return {"regions": regions, **({"regions_truncated": True} if more else {})}


def _offset_of_winner(rules: RankedRules[Rule], known: Mapping[str, str], limit: int, total: int) -> int:
    """Return the offset of the page that has the winner in its middle, or the first page if none matches for sure."""
    rank, winner = rules.covering(known, above=len(rules)) or (0, None)
    if winner is None:
        return 0
    position = sum(len(shape.values) for shape in rules.shapes[:rank])
    position += next(index for index, rule in enumerate(rules.shapes[rank].values.values()) if rule is winner)
    return max(0, min(position - limit // 2, total - limit))


def _listed(
    catalog: Catalog, entry: Entry, rules: RankedRules[Rule], known: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield every rule with its outcome: first those that are served, the heaviest first."""
    order = catalog.condition_order()
    certain_rank, certain = rules.covering(known, above=len(rules)) or (len(rules), None)
    may_be_outranked = certain is not None and any(
        True for rank in range(certain_rank) for _ in rules.compatible(known, rank)
    )
    for rank, shape in enumerate(rules.shapes):
        for rule in shape.values.values():
            shown = {
                "rule_id": rule.id,
                "feature_values": dict(sorted(rule.conditions, key=order)),
                "value": rule.value,
            }
            failed = next(((f, wanted) for f, wanted in rule.conditions if known.get(f, wanted) != wanted), None)
            if failed is not None:
                feature, wanted = failed
                shown |= {
                    "outcome": "no_match",
                    "failed": {"feature": feature, "wanted": wanted, "given": known[feature]},
                }
            elif rank > certain_rank or rules.covering({**known, **dict(rule.conditions)}, above=rank) is not None:
                shown["outcome"] = "outranked"
            elif rule is certain and not may_be_outranked:
                shown["outcome"] = "wins"
            else:
                shown["outcome"] = "possible"
            yield shown
    for rule_id in sorted(entry.unserved):
        rule = entry.rules[rule_id]
        assert rule.schedule is not None  # noqa: S101 - all others are served
        yield {
            "rule_id": rule.id,
            "feature_values": dict(sorted(rule.conditions, key=order)),
            "value": rule.value,
            "outcome": "not_served",
            **of_schedule(rule.schedule),
        }
