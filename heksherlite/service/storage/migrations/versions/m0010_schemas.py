"""The schema of a setting."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0010"
down_revision = "0009"


def upgrade(op: Operations) -> None:
    """Add the column. No setting has a schema yet."""
    op.add_column("settings", sa.Column("schema", sa.Text))
