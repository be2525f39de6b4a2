"""Reads rows into the catalog, and writes changes to rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from sqlalchemy import Executable, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.declarers import Declarer
from heksherlite.service.domain.entities import Setting
from heksherlite.service.domain.json_values import Json
from heksherlite.service.domain.lineage import MOST_REVISIONS, Lineage, RevisionId
from heksherlite.service.domain.value_schemas import ValueSchema
from heksherlite.service.domain.versions import Version
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.storage import tables
from heksherlite.service.storage.portions import portions
from heksherlite.service.storage.proposals import read_proposals_since, write_proposals
from heksherlite.service.storage.removed_settings import hide_settings
from heksherlite.service.storage.rule_rows import delete_rules_of, insert_rules, read_rules_since, update_rules
from heksherlite.service.storage.statements import Statements
from heksherlite.values.type_strings import parse_type

if TYPE_CHECKING:
    from heksherlite.values.wire_types import WireType

T = TypeVar("T")

_STATE_COLUMNS = [column for column in tables.state.columns if column.name not in {"id", "strict_declarations"}]
_STATE_NAMES = [column.name for column in _STATE_COLUMNS]

# Made once, because every write needs them, and making one takes as long as sending it.
SELECT_STATE: Final = select(*_STATE_COLUMNS)
_UPDATE_STATE: Final = update(tables.state).values({name: bindparam(name) for name in _STATE_NAMES})
_TOUCH_SETTING: Final = (
    update(tables.settings)
    .where(tables.settings.c.id == bindparam("touched_id"))
    .values(revision=bindparam("new_revision"), nonce=bindparam("new_nonce"))
)
_SELECT_REVISIONS: Final = (
    select(tables.revisions.c.revision, tables.revisions.c.nonce)
    .where(tables.revisions.c.revision >= bindparam("earliest"))
    .order_by(tables.revisions.c.revision)
)
_INSERT_REVISION: Final = insert(tables.revisions)
_DELETE_REVISIONS: Final = delete(tables.revisions).where(tables.revisions.c.revision <= bindparam("oldest"))
_INSERT_SETTING: Final = insert(tables.settings)
_UPDATE_SETTING: Final = (
    update(tables.settings)
    .where(tables.settings.c.id == bindparam("changed_id"))
    .values({column.name: bindparam(column.name) for column in tables.settings.columns})
)
_RENAME_SETTING: Final = (
    update(tables.settings).where(tables.settings.c.id == bindparam("changed_id")).values(name=bindparam("new_name"))
)
_DELETE_SETTING: Final = delete(tables.settings).where(tables.settings.c.id == bindparam("removed_id"))
_INSERT_FEATURE: Final = insert(tables.configurable_features)
_INSERT_ALIAS: Final = insert(tables.aliases)
_DELETE_FEATURES: Final = delete(tables.configurable_features).where(
    tables.configurable_features.c.setting_id == bindparam("owner_id")
)
_DELETE_ALIASES: Final = delete(tables.aliases).where(tables.aliases.c.setting_id == bindparam("owner_id"))
_DELETE_RULE: Final = delete(tables.rules).where(tables.rules.c.id == bindparam("removed_id"))
_FORGET_REMOVAL: Final = delete(tables.removals).where(
    tables.removals.c.kind == bindparam("removed_kind"), tables.removals.c.id == bindparam("removed_id")
)
_INSERT_REMOVAL: Final = insert(tables.removals)
_DELETE_REMOVALS: Final = delete(tables.removals).where(tables.removals.c.revision <= bindparam("oldest"))


async def read_counters(connection: AsyncConnection) -> Counters:
    """Return the stored counters."""
    return counters_of((await connection.execute(SELECT_STATE)).one_or_none())


def counters_of(row: Sequence[Any] | None) -> Counters:
    """Return the counters in the row that `SELECT_STATE` returns.

    Raises:
        DatabaseUnavailableError: There is none.
    """
    if row is None:
        raise DatabaseUnavailableError("the table heksherlite_state is empty")
    return Counters(**dict(zip(_STATE_NAMES, row, strict=True)))


async def read_strict_declarations(connection: AsyncConnection) -> bool:
    """Return whether a database was made for services that check the rights of declarers."""
    return bool(await connection.scalar(select(tables.state.c.strict_declarations)))


async def read_catalog(connection: AsyncConnection) -> Catalog:
    """Return everything that is stored."""
    counters = await read_counters(connection)
    nothing = Catalog(Counters(counters.database_id))
    return nothing.after(await read_changes(connection, since=nothing.counters), counters)


async def read_changes(connection: AsyncConnection, *, since: Counters) -> Changes:
    """Return what changed after a revision. After revision 0, that is everything.

    The changes are a summary and not a history: what changed twice is there once.
    """
    removed = await _removals_since(connection, since.revision)
    names = select(tables.context_features.c.name).order_by(tables.context_features.c.position)
    features = tuple((await connection.scalars(names)).all())
    return Changes(
        context_features=features,
        settings=await _settings_since(connection, since.revision),
        rules=await read_rules_since(connection, since.revision),
        removed_settings=frozenset(removed["setting"]),
        removed_rules=frozenset(removed["rule"]),
        proposals=await read_proposals_since(connection, since.revision),
    )


async def write_changes(
    statements: Statements,
    catalog: Catalog,
    changes: Changes,
    counters: Counters,
    *,
    hidden: AbstractSet[int] = frozenset(),
) -> None:
    """Store changes and the counters after them. Nothing is read, so this can be part of a batch.

    Args:
        statements: A connection that holds the write lock, or a batch of it.
        catalog: The stored catalog before the changes.
        changes: What to store and remove.
        counters: The counters after this write.
        hidden: The ids of the removed settings whose rules stay stored until they are deleted in portions.
    """
    for setting_id in changes.removed_settings - hidden:
        await delete_rules_of(statements, setting_id, catalog.entries[setting_id].rules)
        await statements.execute(_DELETE_SETTING, {"removed_id": setting_id})
    await hide_settings(statements, [catalog.entries[setting_id].setting for setting_id in hidden], counters.revision)
    if changes.removed_rules:
        await statements.execute(_DELETE_RULE, [{"removed_id": rule_id} for rule_id in changes.removed_rules])
    await _note_removed(statements, "setting", changes.removed_settings, counters.revision)
    await _note_removed(statements, "rule", changes.removed_rules, counters.revision)
    if changes.context_features is not None:
        await _write_features(statements, catalog.context_features, changes.context_features)
    # New settings may have names that changed settings give up.
    known = [setting for setting in changes.settings if setting.id in catalog.entries]
    await _update_settings(statements, catalog, known)
    await insert_settings(statements, [setting for setting in changes.settings if setting.id not in catalog.entries])
    await insert_rules(statements, [rule for rule in changes.rules if rule.id not in catalog.rules], counters.revision)
    await update_rules(statements, [rule for rule in changes.rules if rule.id in catalog.rules], counters.revision)
    if touched := catalog.touched_settings(changes):
        number, nonce = counters.revision_id
        rows = [{"touched_id": setting_id, "new_revision": number, "new_nonce": nonce} for setting_id in touched]
        await statements.execute(_TOUCH_SETTING, rows)
    await write_proposals(statements, changes.proposals, counters.revision)
    await write_counters(statements, counters)
    await write_revision(statements, counters.revision_id)


async def write_counters(statements: Statements, counters: Counters) -> None:
    """Store the counters."""
    await statements.execute(_UPDATE_STATE, {name: getattr(counters, name) for name in _STATE_NAMES})


async def write_revision(statements: Statements, revision: RevisionId) -> None:
    """Store the name of a new revision, and delete what is only of use to a replica at a very old one."""
    number, nonce = revision
    await statements.execute(_INSERT_REVISION, {"revision": number, "nonce": nonce})
    # A replica at an older revision reads everything, and does not need to know what was removed. It is enough if some
    # writes delete what is that old.
    if number % (MOST_REVISIONS // 1_000 or 1) == 0:
        for delete_old in (_DELETE_REVISIONS, _DELETE_REMOVALS):
            await statements.execute(delete_old, {"oldest": number - MOST_REVISIONS})


async def read_lineage(connection: AsyncConnection, known: Lineage, revision: RevisionId) -> Lineage | None:
    """Return the revisions that led to what is stored.

    Args:
        connection: A connection in a transaction.
        known: The revisions that led to an earlier state.
        revision: The revision of that state.

    Returns:
        The lineage, or None if the earlier state is on another branch, or too old to tell.
    """
    found = [RevisionId(*row) for row in await connection.execute(_SELECT_REVISIONS, {"earliest": revision.number})]
    return known.after(found[1:]) if found[:1] == [revision] else None


async def read_whole_lineage(connection: AsyncConnection) -> Lineage:
    """Return the revisions that led to what is stored, as far as they are remembered."""
    rows = await connection.execute(_SELECT_REVISIONS, {"earliest": 0})
    return Lineage().after(RevisionId(*row) for row in rows)


async def insert_settings(statements: Statements, settings: Iterable[Setting]) -> None:
    """Store new settings, without rules."""
    for portion in portions(settings):
        await statements.execute(_INSERT_SETTING, [_setting_row(setting) for setting in portion])
        await _insert_names(statements, portion)


async def _removals_since(connection: AsyncConnection, revision: int) -> Mapping[str, list[int]]:
    removed: dict[str, list[int]] = defaultdict(list)
    if not revision:  # everything is read, and nothing of it was removed
        return removed
    query = select(tables.removals.c.kind, tables.removals.c.id).where(tables.removals.c.revision > revision)
    for kind, removed_id in await connection.execute(query):
        removed[kind].append(removed_id)
    return removed


async def _settings_since(connection: AsyncConnection, revision: int) -> tuple[Setting, ...]:
    changed = select(tables.settings.c.id).where(tables.settings.c.revision > revision).scalar_subquery()
    features = await _grouped(
        connection,
        select(tables.configurable_features.c.setting_id, tables.configurable_features.c.context_feature).where(
            tables.configurable_features.c.setting_id.in_(changed)
        ),
    )
    aliases = await _grouped(
        connection,
        select(tables.aliases.c.setting_id, tables.aliases.c.alias).where(tables.aliases.c.setting_id.in_(changed)),
    )
    is_visible = tables.settings.c.id.not_in(select(tables.removed_settings.c.setting_id))
    rows = await connection.execute(select(tables.settings).where(tables.settings.c.revision > revision, is_visible))
    types: dict[str, WireType] = {}
    return tuple(
        Setting(
            id=row.id,
            name=row.name,
            type=types.get(row.type) or types.setdefault(row.type, parse_type(row.type)),
            declared_default_value=orjson.loads(row.default_value),
            configurable_features=frozenset(features[row.id]),
            version=Version.parse(row.version),
            metadata=orjson.loads(row.metadata),
            aliases=frozenset(aliases[row.id]),
            revision=row.revision,
            nonce=row.nonce,
            operator_default_value=(
                NO_VALUE if row.operator_default_value is None else orjson.loads(row.operator_default_value)
            ),
            operator_default_metadata=orjson.loads(row.operator_default_metadata),
            is_protected=row.is_protected,
            is_client_visible=row.is_client_visible,
            declarers=frozenset(Declarer(**each) for each in orjson.loads(row.declarers)),
            schema=None if row.schema is None else ValueSchema(orjson.loads(row.schema)),
        )
        for row in rows
    )


async def _grouped(connection: AsyncConnection, query: Executable) -> defaultdict[int, list[str]]:
    """Group the texts in the second column by the ids in the first one."""
    grouped: defaultdict[int, list[str]] = defaultdict(list)
    for owner_id, text in await connection.execute(query):
        grouped[owner_id].append(text)
    return grouped


async def _note_removed(statements: Statements, kind: str, ids: Iterable[int], revision: int) -> None:
    rows = [{"kind": kind, "id": removed_id, "revision": revision} for removed_id in ids]
    if rows:
        # They may have been removed earlier and restored.
        await statements.execute(_FORGET_REMOVAL, [{"removed_kind": kind, "removed_id": row["id"]} for row in rows])
        await statements.execute(_INSERT_REMOVAL, rows)


async def _write_features(statements: Statements, known: tuple[str, ...], features: tuple[str, ...]) -> None:
    table = tables.context_features
    # Positions are unique, so the old ones are moved away first.
    await statements.execute(update(table).values(position=-1 - table.c.position))
    for removed in set(known).difference(features):
        await statements.execute(delete(table).where(table.c.name == removed))
    for position, name in enumerate(features):
        if name in known:
            await statements.execute(update(table).where(table.c.name == name).values(position=position))
        else:
            await statements.execute(insert(table).values(name=name, position=position))


async def _update_settings(statements: Statements, catalog: Catalog, settings: Sequence[Setting]) -> None:
    # Names and aliases are unique, so settings that exchange them give all of them up first.
    if len(settings) > 1:
        renamed = [setting.id for setting in settings if setting.name != catalog.entries[setting.id].setting.name]
        # No setting may have such a name.
        await _execute_each(
            statements, _RENAME_SETTING, [{"changed_id": each, "new_name": f"{each}?"} for each in renamed]
        )
        await _execute_each(statements, _DELETE_ALIASES, [{"owner_id": setting.id} for setting in settings])
    for portion in portions(settings):
        rows = [{**_setting_row(setting), "changed_id": setting.id} for setting in portion]
        await _execute_each(statements, _UPDATE_SETTING, rows)
        for delete_names in (_DELETE_FEATURES, _DELETE_ALIASES):
            await _execute_each(statements, delete_names, [{"owner_id": setting.id} for setting in portion])
        await _insert_names(statements, portion)


async def _insert_names(statements: Statements, settings: Iterable[Setting]) -> None:
    features = [
        {"setting_id": setting.id, "context_feature": name}
        for setting in settings
        for name in sorted(setting.configurable_features)
    ]
    await _execute_each(statements, _INSERT_FEATURE, features)
    aliases = [{"setting_id": setting.id, "alias": name} for setting in settings for name in sorted(setting.aliases)]
    await _execute_each(statements, _INSERT_ALIAS, aliases)


async def _execute_each(statements: Statements, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await statements.execute(statement, rows)


def _setting_row(setting: Setting) -> dict[str, Any]:
    return {
        "id": setting.id,
        "name": setting.name,
        "type": str(setting.type),
        "default_value": _text(setting.declared_default_value),
        "version": str(setting.version),
        "metadata": _text(setting.metadata),
        "revision": setting.revision,
        "nonce": setting.nonce,
        "operator_default_value": _text(setting.operator_default_value) if setting.has_operator_default else None,
        "operator_default_metadata": _text(setting.operator_default_metadata),
        "is_protected": setting.is_protected,
        "is_client_visible": setting.is_client_visible,
        "declarers": _text([each.as_json() for each in sorted(setting.declarers)]),
        "schema": None if setting.schema is None else _text(setting.schema.document),
    }


def _text(value: Json) -> str:
    return orjson.dumps(value).decode()
