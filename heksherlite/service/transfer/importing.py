"""Putting an export into a database, as one write."""

import secrets
from dataclasses import replace as with_fields
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.history import Change, added_rule, added_setting, changes_between
from heksherlite.service.domain.lineage import NONCE_BYTES
from heksherlite.service.errors import NotEmptyError
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.history import write_changes_of_record, write_record
from heksherlite.service.storage.portions import portions
from heksherlite.service.storage.rows import insert_settings, read_catalog, write_changes, write_counters
from heksherlite.service.storage.rule_removal import move_portion
from heksherlite.service.storage.rule_rows import insert_rules
from heksherlite.service.storage.writing import Writer
from heksherlite.service.transfer.lines import ExportReader


async def import_export(database: Database, export: ExportReader, cause: Cause, *, replace: bool) -> None:
    """Make the settings, rules and context features of an export those of a database, all of them or none.

    They are stored as they are read, so there may be any number. It is one write, with a record in the history, which
    services on the database notice like any other.

    Args:
        database: The database, already prepared.
        export: The export.
        cause: Who imports it, and why.
        replace: Whether to delete the existing settings first.

    Raises:
        NotEmptyError: There are settings, and they are not to be replaced.
        ExportError: The export is malformed.
        DatabaseUnavailableError: The database cannot be reached.
    """

    async def work(connection: AsyncConnection) -> None:
        catalog = await read_catalog(connection)
        if catalog.entries and not replace:
            raise NotEmptyError(len(catalog.entries))
        while await move_portion(connection):  # the export may have rules with the ids of these
            continue
        await _import(connection, catalog, export, cause, database.now())

    await Writer(database).write(work, attempts=1)  # the export can be read only once


async def _import(
    connection: AsyncConnection, catalog: Catalog, export: ExportReader, cause: Cause, now: datetime
) -> None:
    features = None if export.context_features == catalog.context_features else export.context_features
    making_room = Changes(context_features=features, removed_settings=frozenset(catalog.entries))
    state = catalog.counters_after(making_room, secrets.token_hex(NONCE_BYTES)).dated(now)
    await write_changes(connection, catalog, making_room, state)
    written = await write_record(connection, state, cause, changes_between(catalog, making_room))
    setting_name = ""
    last_setting_id = catalog.counters.last_setting_id
    for portion in portions(export.read(last_setting_id=last_setting_id, revision=state.revision_id)):
        changes: list[Change] = []
        for item in portion:
            if isinstance(item, Setting):
                setting_name, last_setting_id = item.name, item.id
                changes.append(added_setting(item))
            else:
                changes.append(added_rule(setting_name, item))
        await insert_settings(connection, [item for item in portion if isinstance(item, Setting)])
        await insert_rules(connection, [item for item in portion if isinstance(item, Rule)], state.revision)
        written = await write_changes_of_record(connection, state.revision, changes, written)
    last_rule_id = max(state.last_rule_id, export.last_rule_id)
    await write_counters(connection, with_fields(state, last_setting_id=last_setting_id, last_rule_id=last_rule_id))
