"""The credentials of applications before they were rotated."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0020"
down_revision = "0019"


def upgrade(op: Operations) -> None:
    """Add the columns. Nothing was rotated."""
    op.add_column("applications", sa.Column("previous_digests", sa.Text))
    op.add_column("applications", sa.Column("previous_expires_at", sa.BigInteger))
    op.add_column("applications", sa.Column("rotated_at", sa.BigInteger))
