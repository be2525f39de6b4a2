"""When tokens were last used, and when the signing key was rotated."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0017"
down_revision = "0016"


def upgrade(op: Operations) -> None:
    """Create the table of the uses of tokens, and date the keys."""
    op.create_table(
        "token_uses",
        sa.Column("public_prefix", sa.String, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("public_prefix", name="pk_token_uses"),
    )
    op.add_column("keys", sa.Column("created_at", sa.BigInteger, nullable=False, server_default="0"))
