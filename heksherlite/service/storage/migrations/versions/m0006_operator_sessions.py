"""Sessions of operators who are logged in on the pages."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0006"
down_revision = "0005"


def upgrade(op: Operations) -> None:
    """Create the table of sessions."""
    op.create_table(
        "operator_sessions",
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("public_prefix", sa.String, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_operator_sessions"),
        sa.ForeignKeyConstraint(
            ["public_prefix"],
            ["tokens.public_prefix"],
            name="fk_operator_sessions_public_prefix",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_operator_sessions_public_prefix", "operator_sessions", ["public_prefix"])
