"""Applications that get their configuration from the service: device codes, configuration groups, secrets."""

import secrets

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision = "0004"


def upgrade(op: Operations) -> None:
    """Create the tables, make a key, and let the history tell of applications and groups."""
    never = sa.Column("access_revision", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("heksherlite_state", never)
    op.add_column("history_changes", sa.Column("subject", sa.String))
    op.add_column("history_changes", sa.Column("subject_name", sa.String))
    op.create_index("ix_history_changes_subject_name", "history_changes", ["subject_name"])
    op.create_table(
        "applications",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("approval", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("redirect_uri", sa.String),
        sa.Column("invite_digest", sa.String),
        sa.Column("public_token", sa.String),
        sa.Column("claim_digest", sa.String),
        sa.Column("token_digest", sa.String),
        sa.Column("secret_digest", sa.String),
        sa.PrimaryKeyConstraint("id", name="pk_applications"),
    )
    application = sa.ForeignKey("applications.id", name="fk_device_codes_application_id", ondelete="SET NULL")
    op.create_table(
        "device_codes",
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("address", sa.String),
        sa.Column("chosen_by", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger),
        sa.Column("decision", sa.String),
        sa.Column("application_id", sa.String, application),
        sa.Column("used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("digest", name="pk_device_codes"),
    )
    for column in ("expires_at", "application_id"):
        op.create_index(f"ix_device_codes_{column}", "device_codes", [column])
    for table, value in (("configuration_groups", "contents"), ("group_secrets", "value")):
        op.create_table(
            table,
            sa.Column("name", sa.String, nullable=False),
            sa.Column(value, sa.Text, nullable=False),
            sa.PrimaryKeyConstraint("name", name=f"pk_{table}"),
        )
    keys = op.create_table(
        "keys",
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("purpose", name="pk_keys"),
    )
    op.bulk_insert(keys, [{"purpose": "signing", "key": secrets.token_hex(32)}])
