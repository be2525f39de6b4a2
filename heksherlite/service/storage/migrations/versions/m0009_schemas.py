"""The schema of a setting."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0009"
down_revision = "0008"


def upgrade(op: Operations) -> None:
    """Add the column. No setting has a schema yet."""
    op.add_column("settings", sa.Column("schema", sa.Text))
