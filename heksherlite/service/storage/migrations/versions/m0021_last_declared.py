"""When programs last declared each setting."""

import time

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0021"
down_revision = "0020"


def upgrade(op: Operations) -> None:
    """Create the table. Settings that exist may have been declared just now: when they were is not known."""
    table = op.create_table(
        "setting_declarations",
        sa.Column("setting_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("declared_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("setting_id", name="pk_setting_declarations"),
        sa.ForeignKeyConstraint(
            ["setting_id"], ["settings.id"], name="fk_setting_declarations_setting_id_settings", ondelete="CASCADE"
        ),
    )
    settings = sa.table("settings", sa.column("id", sa.BigInteger))
    known = sa.select(settings.c.id, sa.literal(int(time.time()), sa.BigInteger))
    op.execute(sa.insert(table).from_select(["setting_id", "declared_at"], known))
