"""The history of changes, and rules that are served for some time only."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Create the tables of the history, and add the columns for times."""
    time = sa.DateTime(timezone=True)
    op.add_column("heksherlite_state", sa.Column("changed_at", time))
    op.add_column("rules", sa.Column("starts_at", time))
    op.add_column("rules", sa.Column("ends_at", time))
    op.add_column("rules", sa.Column("phase", sa.String))
    op.create_table(
        "history",
        sa.Column("revision", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("time", time, nullable=False),
        sa.Column("author_kind", sa.String, nullable=False),
        sa.Column("author_name", sa.String),
        sa.Column("address", sa.String),
        sa.Column("reason", sa.Text),
        sa.Column("reverts", sa.BigInteger),
        sa.PrimaryKeyConstraint("revision", name="pk_history"),
    )
    op.create_index("ix_history_time", "history", ["time"])
    op.create_index("ix_history_author_name", "history", ["author_name"])
    op.create_table(
        "history_changes",
        sa.Column(
            "revision",
            sa.BigInteger,
            sa.ForeignKey("history.revision", name="fk_history_changes_revision", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("setting_id", sa.BigInteger),
        sa.Column("rule_id", sa.BigInteger),
        sa.Column("setting_name", sa.String),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.PrimaryKeyConstraint("revision", "position", name="pk_history_changes"),
    )
    for column in ("setting_id", "rule_id", "setting_name"):
        op.create_index(f"ix_history_changes_{column}", "history_changes", [column])
