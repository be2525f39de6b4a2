"""Inserting many rows at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection


async def insert_many(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, without conversions of their values.

    PostgreSQL takes them by ``COPY``, which takes a tenth of the time, unless statements are sent in a pipeline.

    Args:
        connection: A connection in a transaction that may write.
        table: The table.
        rows: At least one row.
    """
    if connection.dialect.name == "postgresql":
        driver: Any = (await connection.get_raw_connection()).driver_connection
        if not driver.pgconn.pipeline_status:
            await _copy(driver, table.name, rows)
            connection.info["idle_timeout"].restart()
            return
    await connection.execute(insert(table), list(rows))


async def _copy(driver: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ", ".join(rows[0])
    async with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            await copy.write_row(tuple(row.values()))
