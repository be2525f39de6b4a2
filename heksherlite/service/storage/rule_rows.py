"""Reads rows into rules, and writes rules to rows."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.entities import Conditions, Rule
from heksherlite.service.domain.json_values import Json, Metadata
from heksherlite.service.domain.schedule import Phase, Schedule
from heksherlite.service.storage import tables
from heksherlite.service.storage.portions import portions
from heksherlite.service.storage.statements import Statements

_RULES_AT_ONCE: Final = 10_000

_NO_METADATA: Final[Metadata] = {}

_IS_VISIBLE: Final = tables.rules.c.setting_id.not_in(select(tables.removed_settings.c.setting_id))

_INSERT_RULE: Final = insert(tables.rules)
_INSERT_CONDITION: Final = insert(tables.conditions)
_RULES_BETWEEN: Final = (
    tables.rules.c.setting_id == bindparam("owner_id"),
    tables.rules.c.id.between(bindparam("first_id"), bindparam("last_id")),
)
_DELETE_CONDITIONS: Final = delete(tables.conditions).where(
    tables.conditions.c.rule_id.in_(select(tables.rules.c.id).where(*_RULES_BETWEEN))
)
_DELETE_RULES: Final = delete(tables.rules).where(*_RULES_BETWEEN)
_UPDATE_RULE: Final = (
    update(tables.rules)
    .where(tables.rules.c.id == bindparam("changed_id"))
    .values({name: bindparam(name) for name in ("value", "metadata", "revision", "starts_at", "ends_at", "phase")})
)


async def read_rules_since(connection: AsyncConnection, revision: int) -> tuple[Rule, ...]:
    """Return the rules that were added or changed after a revision, in ascending order of their ids.

    The rules of settings that were removed are left out, although they may still be stored.
    """
    # In portions, because a million rows take more memory than the rules made of them.
    rules: list[Rule] = []
    known: dict[tuple[str, str], tuple[str, str]] = {}
    changed = (tables.rules.c.revision > revision, _IS_VISIBLE)
    while portion := await _read_portion(connection, *changed, after=rules[-1].id if rules else 0, known=known):
        rules += portion
    return tuple(rules)


async def count_rules_since(connection: AsyncConnection, revision: int, *, limit: int) -> int:
    """Return how many rules were added or changed after a revision, or a limit if there are more."""
    changed = select(tables.rules.c.id).where(tables.rules.c.revision > revision).limit(limit).subquery()
    return (await connection.execute(select(func.count()).select_from(changed))).scalar_one()


async def read_rules_of(connection: AsyncConnection, setting_id: int, *, limit: int, after: int = 0) -> list[Rule]:
    """Return rules of a setting, which may be removed, in ascending order of their ids.

    Args:
        connection: A connection in a transaction.
        setting_id: The id of the setting.
        limit: The maximum number of rules.
        after: Only rules with a higher id.
    """
    return await _read_portion(connection, tables.rules.c.setting_id == setting_id, after=after, limit=limit, known={})


async def _read_portion(
    connection: AsyncConnection,
    *where: ColumnElement[bool],
    after: int,
    known: dict[tuple[str, str], tuple[str, str]],
    limit: int = _RULES_AT_ONCE,
) -> list[Rule]:
    """Return some rules. Equal conditions are the same object, which is in ``known``."""
    rule_id = tables.rules.c.id
    query = select(tables.rules).where(*where, rule_id > after).order_by(rule_id).limit(limit)
    rows = (await connection.execute(query)).all()
    if not rows:
        return []
    columns = tables.conditions.c
    of_rules = (
        select(columns.rule_id, columns.context_feature, columns.value)
        .join(tables.rules)
        .where(*where, rule_id.between(rows[0].id, rows[-1].id))
    )
    conditions: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for owner_id, feature, value in await connection.execute(of_rules):
        condition = (feature, value)
        conditions[owner_id].append(known.setdefault(condition, condition))
    return [_rule_of(row, tuple(sorted(conditions[row.id]))) for row in rows]


def _rule_of(row: Any, conditions: Conditions) -> Rule:
    return Rule(
        id=row.id,
        setting_id=row.setting_id,
        conditions=conditions,
        value=orjson.loads(row.value),
        metadata=_NO_METADATA if row.metadata == "{}" else orjson.loads(row.metadata),
        schedule=row.phase and Schedule(row.starts_at, row.ends_at, Phase(row.phase)),
    )


async def insert_rules(statements: Statements, rules: Iterable[Rule], revision: int) -> None:
    """Store new rules of settings that are stored.

    Args:
        statements: A connection that holds the write lock, or a batch of it.
        rules: The rules.
        revision: The revision of the write.
    """
    for portion in portions(rules):
        rows = [{"id": rule.id, "setting_id": rule.setting_id, **_changing(rule, revision)} for rule in portion]
        await statements.execute(_INSERT_RULE, rows)
        conditions = [
            {"rule_id": rule.id, "context_feature": feature, "value": value}
            for rule in portion
            for feature, value in rule.conditions
        ]
        await statements.execute(_INSERT_CONDITION, conditions)


async def update_rules(statements: Statements, rules: Iterable[Rule], revision: int) -> None:
    """Store the values, metadata and schedules of rules that are stored. The arguments are those of `insert_rules`."""
    for portion in portions(rules):
        rows = [{"changed_id": rule.id, **_changing(rule, revision)} for rule in portion]
        await statements.execute(_UPDATE_RULE, rows)


async def delete_rules_of(statements: Statements, setting_id: int, rule_ids: Iterable[int]) -> None:
    """Delete rules of a setting.

    Args:
        statements: A connection that holds the write lock, or a batch of it.
        setting_id: The id of the setting.
        rule_ids: The ids of consecutive rules of the setting, in ascending order.
    """
    # In several statements, because a single one could take longer than the server may.
    for portion in portions(rule_ids, size=_RULES_AT_ONCE):
        between = {"owner_id": setting_id, "first_id": portion[0], "last_id": portion[-1]}
        await statements.execute(_DELETE_CONDITIONS, between)
        await statements.execute(_DELETE_RULES, between)


def _changing(rule: Rule, revision: int) -> dict[str, Any]:
    schedule = rule.schedule
    return {
        "value": _text(rule.value),
        "metadata": _text(rule.metadata),
        "revision": revision,
        "starts_at": schedule and schedule.starts_at,
        "ends_at": schedule and schedule.ends_at,
        "phase": schedule and schedule.phase.value,
    }


def _text(value: Json) -> str:
    return orjson.dumps(value).decode()
