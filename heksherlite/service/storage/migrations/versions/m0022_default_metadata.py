"""Metadata of operators' defaults, such as who manages them in a repository."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0022"
down_revision = "0021"


def upgrade(op: Operations) -> None:
    """Add the column. Defaults that exist have no metadata."""
    op.add_column("settings", sa.Column("operator_default_metadata", sa.Text, nullable=False, server_default="{}"))
