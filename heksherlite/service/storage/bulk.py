"""Inserting many rows at once."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from heksherlite.service.storage.batches import MOST_ROWS, Batch
from heksherlite.service.storage.statements import Statements


async def insert_many(statements: Statements, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, without conversions of their values.

    PostgreSQL takes them by ``COPY``, which takes a tenth of the time, unless they are few and part of a batch.

    Args:
        statements: A connection in a transaction that may write, or a batch of it.
        table: The table.
        rows: At least one row.
    """
    if isinstance(statements, Batch) and len(rows) > MOST_ROWS:
        statements = await statements.flushed()
    if isinstance(statements, AsyncConnection) and statements.dialect.name == "postgresql":
        driver: Any = (await statements.get_raw_connection()).driver_connection
        await _copy(driver, table.name, rows)
        statements.info["idle_timeout"].restart()
    else:
        await statements.execute(_insert_into(table), rows)


@cache
def _insert_into(table: Table) -> Insert:
    return insert(table)


async def _copy(driver: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ", ".join(rows[0])
    async with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            await copy.write_row(tuple(row.values()))
