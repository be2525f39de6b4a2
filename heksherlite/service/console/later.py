"""What a draft with schedules comes to later: at each time at which one of its rules starts or ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from heksherlite import operations as ops
from heksherlite.service.api.context import ServiceContext
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Rule
from heksherlite.service.domain.impact import Impact
from heksherlite.service.domain.rights import Rights
from heksherlite.service.domain.rules import conditions_of

_MOST_OPERATIONS: Final = 200
"""A larger draft is not looked at, because each time takes as long as the impact of the draft."""

_MOST_TIMES: Final = 4


@dataclass(frozen=True, slots=True)
class Later:
    """What operations come to from a time on.

    Attributes:
        at: The time.
        impact: In which contexts values differ from the present ones.
    """

    at: datetime
    impact: Impact


async def impacts_later(
    context: ServiceContext, catalog: Catalog, operations: Sequence[ops.AnyOperation], prefix: str
) -> Sequence[Later]:
    """Return what operations come to at the times at which their rules start or end, the earliest first.

    Args:
        context: The service.
        catalog: What the person sees.
        operations: The operations, without conflicts.
        prefix: The prefix of the names of the settings that the person may access.
    """
    if len(operations) > _MOST_OPERATIONS:
        return ()
    now = context.store.now()
    times = sorted({time for each in operations for time in _times(each, catalog) if time is not None and time > now})
    rights = Rights(None, prefix, ignores_protection=True)
    found = []
    for at in times[:_MOST_TIMES]:
        preview = await context.changer.preview(list(_at(operations, at, catalog)), rights)
        impact = await context.changer.impact(preview)
        if impact is not None:
            found.append(Later(at, impact))
    return found


def loses_value(operations: Sequence[ops.AnyOperation], catalog: Catalog) -> bool:
    """Return whether an operation gives an end to a rule that has none: its present value does not come back."""
    for operation in operations:
        if isinstance(operation, ops.PutRule) and isinstance(operation.ends_at, datetime):
            rule = _rule(operation, catalog)
            if rule is not None and (rule.schedule is None or rule.schedule.ends_at is None):
                return True
    return False


def _at(operations: Sequence[ops.AnyOperation], at: datetime, catalog: Catalog) -> Iterator[ops.AnyOperation]:
    """Yield operations that make at once what the given ones come to at a time."""
    for operation in operations:
        if not isinstance(operation, ops.AddRule | ops.PutRule):
            yield operation
            continue
        starts_at, ends_at = _times(operation, catalog)
        if (starts_at is None or starts_at <= at) and (ends_at is None or at < ends_at):
            yield replace(operation, starts_at=None, ends_at=None)
        elif _rule(operation, catalog) is not None:
            yield ops.DeleteRule(setting=operation.setting, feature_values=operation.feature_values)


def _times(operation: ops.AnyOperation, catalog: Catalog) -> tuple[datetime | None, datetime | None]:
    """Return when the rule of an operation starts and ends."""
    if not isinstance(operation, ops.AddRule | ops.PutRule):
        return None, None
    rule = _rule(operation, catalog)
    known = None if rule is None else rule.schedule
    starts_at = (
        (None if known is None else known.starts_at) if operation.starts_at is ops.NOT_GIVEN else operation.starts_at
    )
    ends_at = (None if known is None else known.ends_at) if operation.ends_at is ops.NOT_GIVEN else operation.ends_at
    return starts_at, ends_at


def _rule(operation: ops.AddRule | ops.PutRule, catalog: Catalog) -> Rule | None:
    entry = catalog.find(operation.setting)
    if entry is None:
        return None
    rule_id = entry.ids_by_conditions.get(conditions_of(operation.feature_values))
    return None if rule_id is None else entry.rules[rule_id]
