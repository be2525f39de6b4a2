"""The operator's default of a setting, its protection, and proposals."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"


def upgrade(op: Operations) -> None:
    """Add the columns and the table. No setting has an operator's default or is protected yet."""
    op.add_column("settings", sa.Column("operator_default_value", sa.Text))
    op.add_column("settings", sa.Column("is_protected", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("heksherlite_state", sa.Column("last_proposal_id", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("history", sa.Column("break_glass", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "proposals",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_proposals"),
    )
    op.create_index("ix_proposals_state", "proposals", ["state"])
    op.create_index("ix_proposals_revision", "proposals", ["revision"])
