"""The operator's default of a setting, and its protection."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"


def upgrade(op: Operations) -> None:
    """Add the columns. No setting has an operator's default or is protected yet."""
    op.add_column("settings", sa.Column("operator_default_value", sa.Text))
    op.add_column("settings", sa.Column("is_protected", sa.Boolean, nullable=False, server_default=sa.false()))
