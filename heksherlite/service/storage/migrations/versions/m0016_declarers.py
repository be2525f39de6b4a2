"""The declarers of settings, and whether only they upgrade them."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0016"
down_revision = "0015"


def upgrade(op: Operations) -> None:
    """Add the columns. Only in a new database, the rights of declarers are checked by default."""
    op.add_column("settings", sa.Column("declarers", sa.Text, nullable=False, server_default="[]"))
    op.add_column(
        "heksherlite_state",
        sa.Column("strict_declarations", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.execute("UPDATE heksherlite_state SET strict_declarations = (revision = 0)")
