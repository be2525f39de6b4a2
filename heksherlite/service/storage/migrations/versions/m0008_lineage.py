"""Names of revisions: a number and a nonce, so that other writes with the same number can be told apart."""

import secrets

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0008"
down_revision = "0007"


def upgrade(op: Operations) -> None:
    """Create the table of revisions, and name the one that there is."""
    nonce = secrets.token_hex(6)
    for column in ("revision_nonce", "features_nonce", "access_nonce"):
        op.add_column("heksherlite_state", sa.Column(column, sa.String, nullable=False, server_default=nonce))
    op.add_column("settings", sa.Column("nonce", sa.String, nullable=False, server_default=nonce))
    op.create_table(
        "revisions",
        sa.Column("revision", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("nonce", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_revisions"),
    )
    op.execute("INSERT INTO revisions (revision, nonce) SELECT revision, revision_nonce FROM heksherlite_state")
