"""The people that tokens belong to."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0014"
down_revision = "0013"


def upgrade(op: Operations) -> None:
    """Add the column. Nobody said yet whose the tokens are."""
    op.add_column("tokens", sa.Column("owner", sa.String))
