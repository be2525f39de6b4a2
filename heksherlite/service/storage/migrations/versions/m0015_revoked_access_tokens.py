"""Access tokens that were revoked before they expired."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0015"
down_revision = "0014"


def upgrade(op: Operations) -> None:
    """Create the table of revoked access tokens."""
    op.create_table(
        "revoked_access_tokens",
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_revoked_access_tokens"),
    )
