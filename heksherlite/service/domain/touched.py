"""What operations touch, compared with what others changed after the revision that their author looked at."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Conditions, Rule
from heksherlite.service.domain.history import Change
from heksherlite.service.domain.snapshots import of_setting

Key: TypeAlias = tuple[int | None, int | Conditions | None]
"""A setting and one of its rules, by its id or by its conditions. No rule: the setting's own fields. No setting: the
order of the context features."""

Touched: TypeAlias = tuple[Key, ...]

CONTEXT_FEATURES: Key = (None, None)


def touched_by(changes: Changes, catalog: Catalog) -> Touched:
    """Return what changes touch.

    Args:
        changes: The changes of one operation.
        catalog: What there is before them.
    """
    return (*_keys_of_rules(changes.rules), *_other_keys(changes, catalog))


def changed_since(undone: Iterable[Change], touched: Sequence[Touched]) -> Iterator[tuple[int, Change]]:
    """Yield what operations touch and others changed before, with the index of the operation, the first one each.

    Args:
        undone: The first change of everything that has changed since the revision that the author looked at.
        touched: What each of the operations touches.
    """
    first: dict[Key, int] = {}
    for index, keys in enumerate(touched):
        for key in keys:
            first.setdefault(key, index)
    for change in undone:
        found = [first[key] for key in _keys_of(change) if key in first]
        if found:
            yield min(found), change


def same_touched(before: Catalog, after: Catalog, touched: Iterable[Touched]) -> bool:
    """Return whether what operations touch is the same in two catalogs.

    Args:
        before: The catalog on which the operations were decided.
        after: A later one.
        touched: What each of the operations touches.
    """
    return all(
        _subject(before, key) == _subject(after, key) for keys in touched for key in keys if _existed(before, key)
    )


def _existed(catalog: Catalog, key: Key) -> bool:
    """Return whether a key is of something that others may have changed, and not of a rule that operations add."""
    rule = key[1]
    return not isinstance(rule, int) or rule <= catalog.counters.last_rule_id


def _subject(catalog: Catalog, key: Key) -> object:
    setting_id, rule = key
    if setting_id is None:
        return catalog.context_features
    entry = catalog.entries.get(setting_id)
    if entry is None:
        return None
    if rule is None:
        return of_setting(entry.setting)
    return entry.rules.get(rule) if isinstance(rule, int) else entry.ids_by_conditions.get(rule)


def _keys_of_rules(rules: Iterable[Rule]) -> list[Key]:
    return [key for rule in rules for key in ((rule.setting_id, rule.id), (rule.setting_id, rule.conditions))]


def _other_keys(changes: Changes, catalog: Catalog) -> Iterator[Key]:
    if changes.context_features is not None:
        yield CONTEXT_FEATURES
    for setting in changes.settings:
        yield setting.id, None
    for setting_id in changes.removed_settings:
        yield setting_id, None
        yield from ((setting_id, rule_id) for rule_id in catalog.entries[setting_id].rules)
    for rule_id in changes.removed_rules:
        yield catalog.rules[rule_id].setting_id, rule_id


def _keys_of(change: Change) -> Iterator[Key]:
    yield change.setting_id, change.rule_id
    if change.rule_id is not None:
        for shown in (change.before, change.after):
            if isinstance(shown, Mapping):
                yield change.setting_id, tuple(sorted(shown["feature_values"].items()))
