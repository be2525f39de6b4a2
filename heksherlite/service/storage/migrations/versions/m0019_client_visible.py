"""Which settings tokens see that have only the scope ``evaluate``."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0019"
down_revision = "0018"


def upgrade(op: Operations) -> None:
    """Add the column. No setting is visible to them."""
    op.add_column("settings", sa.Column("is_client_visible", sa.Boolean, nullable=False, server_default=sa.false()))
