"""Creates the schema of a new database, with the rows that it starts with, as all migrations together would."""

import secrets
from typing import Final

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert

from heksherlite.service.storage import tables

NEWEST_REVISION: Final = "0022"
"""The revision of the newest migration."""

VERSION_TABLE: Final = "heksherlite_schema"
"""The table with the newest applied migration. Its presence identifies a database of the service."""

_version: Final = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""As Alembic creates it."""


def create_schema(connection: Connection) -> None:
    """Create the tables in an empty database.

    Args:
        connection: A connection in a transaction.
    """
    tables.metadata.create_all(connection, checkfirst=False)
    _version.create(connection, checkfirst=False)
    connection.execute(insert(_version).values(version_num=NEWEST_REVISION))
    nonce = secrets.token_hex(6)
    connection.execute(
        insert(tables.state).values(
            id=1,
            database_id=secrets.token_hex(8),
            revision=0,
            features_revision=0,
            access_revision=0,
            last_setting_id=0,
            last_rule_id=0,
            last_proposal_id=0,
            revision_nonce=nonce,
            features_nonce=nonce,
            access_nonce=nonce,
            strict_declarations=True,
        )
    )
    connection.execute(insert(tables.revisions).values(revision=0, nonce=nonce))
    connection.execute(insert(tables.keys).values(purpose="signing", key=secrets.token_hex(32)))
