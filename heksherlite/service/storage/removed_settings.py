"""Removed settings whose rules are still stored.

The rules of a removed setting go into the history and are deleted. For very many rules, that takes minutes, in which
nobody else could write. So the write that removes such a setting only hides it: readers see neither the setting nor its
rules, and the history sees what will be moved there. `heksherlite.service.storage.rule_removal` moves the rules
afterwards, in portions.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Setting
from heksherlite.service.domain.history import Change, removed_rule
from heksherlite.service.errors import ConflictError
from heksherlite.service.storage import tables
from heksherlite.service.storage.rule_rows import read_rules_of
from heksherlite.service.storage.statements import Statements

_MOST_RULES: Final = 2_000
"""The maximum number of rules that a write deletes together with their settings."""

_RULES_AT_ONCE: Final = 10_000

_removed = tables.removed_settings.c


def too_large(catalog: Catalog, changes: Changes) -> frozenset[int]:
    """Return the ids of the removed settings that have too many rules to delete them in the same transaction."""
    deleted, hidden = 0, set()
    for setting_id in sorted(changes.removed_settings):
        count = len(catalog.entries[setting_id].rules)
        if deleted + count > _MOST_RULES:
            hidden.add(setting_id)
        else:
            deleted += count
    return frozenset(hidden)


async def hide_settings(statements: Statements, settings: Iterable[Setting], revision: int) -> None:
    """Remove settings from what readers see, and free their names. Their rules stay stored.

    Args:
        statements: A connection that holds the write lock, or a batch of it.
        settings: The settings.
        revision: The revision that removes them.
    """
    for setting in settings:
        for table in (tables.configurable_features, tables.aliases):
            await statements.execute(delete(table).where(table.c.setting_id == setting.id))
        of_setting = tables.settings.c.id == setting.id
        # No setting may have such a name.
        await statements.execute(update(tables.settings).where(of_setting).values(name=f"{setting.id}?"))
        row = {"setting_id": setting.id, "revision": revision, "setting_name": setting.name}
        await statements.execute(insert(tables.removed_settings), row)


async def require_deleted(connection: AsyncConnection, catalog: Catalog, changes: Changes) -> None:
    """Check that changes do not need the ids or context features of rules that are still to be deleted.

    Raises:
        ConflictError: They do.
    """
    features = changes.context_features
    gone = set() if features is None else set(catalog.context_features).difference(features)
    last = catalog.counters.last_setting_id
    restored = [item.id for item in changes.settings if item.id <= last and item.id not in catalog.entries]
    if not restored and not gone:
        return
    used = select(tables.conditions.c.rule_id).where(tables.conditions.c.context_feature.in_(gone)).exists()
    is_needed = or_(_removed.setting_id.in_(restored), used)
    name = await connection.scalar(select(_removed.setting_name).where(is_needed).limit(1))
    if name is not None:
        raise ConflictError(
            f"the rules of the removed setting {name!r} are still being moved into the history; try again in a minute"
        )


async def count_stored_rules(connection: AsyncConnection, revisions: Sequence[int]) -> dict[int, int]:
    """Return the number of rules that each revision removed, and that are not in the history yet."""
    query = (
        select(_removed.revision, func.count())
        .join(tables.rules, tables.rules.c.setting_id == _removed.setting_id)
        .where(_removed.revision.in_(revisions))
        .group_by(_removed.revision)
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def stored_changes(connection: AsyncConnection, *, first: int, last: int) -> AsyncIterator[tuple[int, Change]]:
    """Yield the changes that are not in the history yet, each with its revision.

    Args:
        connection: A connection in a transaction.
        first: The first revision.
        last: The last revision.
    """
    between = _removed.revision.between(first, last)
    rows = await connection.execute(select(tables.removed_settings).where(between).order_by(_removed.setting_id))
    for row in rows.all():
        after = 0
        while rules := await read_rules_of(connection, row.setting_id, limit=_RULES_AT_ONCE, after=after):
            after = rules[-1].id
            for rule in rules:
                yield row.revision, removed_rule(row.setting_name, rule)
