"""The drafts of people."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0011"
down_revision = "0010"


def upgrade(op: Operations) -> None:
    """Create the table of drafts."""
    op.create_table(
        "drafts",
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_drafts"),
    )
