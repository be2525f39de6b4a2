"""The changes of a setting's value in a context, each with its record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.api.context import ServiceContext
from heksherlite.service.api.store_view import StoreView
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.history import Record
from heksherlite.service.domain.values_over_time import value_steps

_MOST_CHANGES: Final = 20_000
"""How many changes of a setting, whichever contexts they are for, are looked at."""


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A change of the value.

    Attributes:
        record: The record of the change, without its parts.
        existed: Whether the setting existed before.
        before: The value before, or None.
        after: The value since then, or None.
        exists: Whether the setting existed since then.
    """

    record: Record
    existed: bool
    before: Any
    exists: bool
    after: Any


@dataclass(frozen=True, slots=True)
class ValueChanges:
    """The changes of a value.

    Attributes:
        changes: The changes, the newest first.
        is_complete: Whether there were none before them.
    """

    changes: Sequence[ValueChange]
    is_complete: bool

    def last_until(self, revision: int) -> ValueChange | None:
        """Return the change that made the value of a revision."""
        return next((each for each in self.changes if each.record.revision <= revision), None)


async def value_changes(
    context: ServiceContext, store: StoreView, entry: Entry, known: Mapping[str, str]
) -> ValueChanges:
    """Return the changes of a setting's value.

    Args:
        context: The service.
        store: The store.
        entry: The setting, in the store's catalog.
        known: The context. Where it lacks a feature, no rule with a condition on that feature applies.
    """
    catalog = store.catalog
    found, has_more = await store.history.changes_of_setting(
        entry.setting.id, until=catalog.counters.revision, limit=_MOST_CHANGES
    )
    steps = await context.changer.computed(lambda: list(value_steps(catalog, entry, found, known)))
    records = await store.history.headers({step.revision for step in steps})
    changes = [
        ValueChange(
            records[step.revision],
            step.before is not NO_VALUE,
            None if step.before is NO_VALUE else step.before,
            step.after is not NO_VALUE,
            None if step.after is NO_VALUE else step.after,
        )
        for step in steps
        if step.revision in records
    ]
    is_complete = not has_more and (not changes or not changes[-1].existed)
    return ValueChanges(changes, is_complete)
