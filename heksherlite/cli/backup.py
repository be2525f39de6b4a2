"""The export of a database."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import click

from heksherlite.cli.database import existing_database
from heksherlite.cli.progress import progress
from heksherlite.errors import ServiceStartError
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.portions import portions
from heksherlite.service.storage.rows import read_catalog
from heksherlite.service.transfer.lines import lines_of


@contextmanager
def exported(location: str | None) -> Iterator[Iterator[bytes]]:
    """Read a database, and yield the lines of its export in portions.

    Raises:
        click.ClickException: The database cannot be read.
    """
    try:
        catalog = anyio.run(_read, existing_database(location))
    except (ServiceStartError, DatabaseUnavailableError) as error:
        raise click.ClickException(str(error)) from error
    with progress("exporting", len(catalog.entries) + len(catalog.rules) + 2) as advance:

        def pieces() -> Iterator[bytes]:
            for portion in portions(lines_of(catalog)):
                yield b"".join(portion)
                advance(len(portion))

        yield pieces()


async def _read(database: Database) -> Catalog:
    try:
        await database.prepare()
        async with database.reading() as connection:
            return await read_catalog(connection)
    finally:
        await database.close()
