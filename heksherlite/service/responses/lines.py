"""Responses to queries in lines, either full or with only what changed: see ``docs/reference/partial-responses.md``."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry, Rule
from heksherlite.service.domain.filters import ContextFilter

_RULES_PER_LINE: Final = 1_000


def build_lines(catalog: Catalog, entries: Sequence[Entry], context_filter: ContextFilter | None) -> bytes:
    """Return the body that holds the settings with all their rules that pass a filter."""
    parts = [_line({"context_features": catalog.context_features})]
    for entry in entries:
        parts.append(_setting_line(entry, {"whole": True}))
        parts += _rule_lines(catalog, _passing(entry.served.values(), context_filter))
    parts.append(_line({"settings": len(entries)}))
    return b"".join(parts)


def build_changes(
    catalog: Catalog, entries: Sequence[Entry], context_filter: ContextFilter | None, *, since: int
) -> bytes | None:
    """Return the body that holds what changed after a revision, or None if everything has to be sent.

    Args:
        catalog: The catalog to read.
        entries: The queried settings.
        context_filter: Which rules are asked for.
        since: The revision of the response that the client has.
    """
    if not catalog.counters.features_revision <= since <= catalog.counters.revision:
        return None
    changed = [entry for entry in entries if entry.setting.revision > since]
    parts = [_line({"context_features": catalog.context_features})]
    for entry in changed:
        rule_ids = entry.log.since(since)
        if rule_ids is None:
            parts.append(_setting_line(entry, {"whole": True}))
            parts += _rule_lines(catalog, _passing(entry.served.values(), context_filter))
        else:
            served = entry.served
            removed = sorted(rule_ids - served.keys())
            parts.append(_setting_line(entry, {"whole": False, "removed": removed}))
            stored = [served[rule_id] for rule_id in sorted(rule_ids & served.keys())]
            parts += _rule_lines(catalog, _passing(stored, context_filter))
    parts.append(_line({"settings": len(changed)}))
    return b"".join(parts)


def _passing(rules: Iterable[Rule], context_filter: ContextFilter | None) -> Iterable[Rule]:
    if context_filter is None:
        return rules
    return (rule for rule in rules if context_filter.passes(rule.conditions))


def _setting_line(entry: Entry, more: dict[str, Any]) -> bytes:
    source = {"default_source": "operator"} if entry.setting.has_operator_default else {}
    return _line({"setting": entry.setting.name, "default_value": entry.setting.default_value, **source, **more})


def _rule_lines(catalog: Catalog, rules: Iterable[Rule]) -> Iterator[bytes]:
    in_order = catalog.condition_order()
    groups: dict[tuple[str, ...], list[tuple[int, tuple[str, ...], Any]]] = defaultdict(list)
    for rule in rules:
        names, wanted = zip(*sorted(rule.conditions, key=in_order), strict=True)
        groups[names].append((rule.id, wanted, rule.value))
    for names, group in groups.items():
        for start in range(0, len(group), _RULES_PER_LINE):
            rule_ids, wanted_values, values = zip(*group[start : start + _RULES_PER_LINE], strict=True)
            columns = list(zip(*wanted_values, strict=True))
            yield _line({"rule_ids": rule_ids, "context_features": names, "context_values": columns, "values": values})


def _line(data: dict[str, Any]) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)
