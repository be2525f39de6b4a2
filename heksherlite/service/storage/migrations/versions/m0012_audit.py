"""The audit record, and the ids of the authors in the history."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0012"
down_revision = "0011"


def upgrade(op: Operations) -> None:
    """Create the table of the audit record. Nothing before it is known; the authors of earlier changes have no id."""
    op.add_column("history", sa.Column("author_id", sa.String))
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("actor_kind", sa.String, nullable=False),
        sa.Column("actor_id", sa.String),
        sa.Column("actor_name", sa.String),
        sa.Column("address", sa.String),
        sa.Column("subject", sa.String),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    for column in ("time", "outcome", "actor_id", "subject"):
        op.create_index(f"ix_audit_{column}", "audit", [column])
