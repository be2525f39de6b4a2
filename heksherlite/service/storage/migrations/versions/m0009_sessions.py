"""Sessions of people with any scopes, who logged in with a token or at an identity provider."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0009"
down_revision = "0008"


def upgrade(op: Operations) -> None:
    """Replace the table of operators' sessions. Operators have to log in again."""
    op.drop_table("operator_sessions")
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("public_prefix", sa.String),
        sa.Column("person", sa.String),
        sa.Column("scopes", sa.String, nullable=False),
        sa.Column("setting_prefix", sa.String, nullable=False),
        sa.Column("address", sa.String),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["public_prefix"], ["tokens.public_prefix"], name="fk_sessions_public_prefix", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sessions_public_prefix", "sessions", ["public_prefix"])
