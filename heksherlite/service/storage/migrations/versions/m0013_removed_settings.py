"""Removed settings whose rules are deleted in portions."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0013"
down_revision = "0012"


def upgrade(op: Operations) -> None:
    """Add the table, which is empty at first."""
    op.create_table(
        "removed_settings",
        sa.Column("setting_id", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("setting_name", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("setting_id", name="pk_removed_settings"),
        sa.ForeignKeyConstraint(
            ["setting_id"], ["settings.id"], name="fk_removed_settings_setting_id", ondelete="CASCADE"
        ),
    )
