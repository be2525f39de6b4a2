"""The first schema: everything that the v1 API needs."""

import secrets

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Create the tables and the one row of counters."""
    state = op.create_table(
        "heksherlite_state",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("database_id", sa.String, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("features_revision", sa.BigInteger, nullable=False),
        sa.Column("last_setting_id", sa.BigInteger, nullable=False),
        sa.Column("last_rule_id", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_heksherlite_state_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_heksherlite_state"),
    )
    counters = {"revision": 0, "features_revision": 0, "last_setting_id": 0, "last_rule_id": 0}
    op.bulk_insert(state, [{"id": 1, "database_id": secrets.token_hex(8), **counters}])
    op.create_table(
        "context_features",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_context_features"),
        sa.UniqueConstraint("position", name="uq_context_features_position"),
    )
    op.create_table(
        "settings",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("default_value", sa.Text, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_settings"),
        sa.UniqueConstraint("name", name="uq_settings_name"),
    )
    op.create_index("ix_settings_revision", "settings", ["revision"])
    op.create_table(
        "configurable_features",
        _reference("setting_id", "configurable_features", "settings.id", ondelete="CASCADE"),
        _reference("context_feature", "configurable_features", "context_features.name"),
        sa.PrimaryKeyConstraint("setting_id", "context_feature", name="pk_configurable_features"),
    )
    op.create_index("ix_configurable_features_context_feature", "configurable_features", ["context_feature"])
    op.create_table(
        "aliases",
        sa.Column("alias", sa.String, nullable=False),
        _reference("setting_id", "aliases", "settings.id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alias", name="pk_aliases"),
    )
    op.create_index("ix_aliases_setting_id", "aliases", ["setting_id"])
    op.create_table(
        "rules",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        _reference("setting_id", "rules", "settings.id", ondelete="CASCADE"),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
    )
    op.create_index("ix_rules_setting_id", "rules", ["setting_id"])
    op.create_index("ix_rules_revision", "rules", ["revision"])
    op.create_table(
        "conditions",
        _reference("rule_id", "conditions", "rules.id", ondelete="CASCADE"),
        _reference("context_feature", "conditions", "context_features.name"),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "context_feature", name="pk_conditions"),
    )
    op.create_index("ix_conditions_context_feature", "conditions", ["context_feature"])
    op.create_table(
        "removals",
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_removals"),
    )
    op.create_index("ix_removals_revision", "removals", ["revision"])


def _reference(name: str, table: str, target: str, *, ondelete: str | None = None) -> sa.Column[object]:
    foreign_key = sa.ForeignKey(target, name=f"fk_{table}_{name}", ondelete=ondelete)
    kind = sa.BigInteger if target.endswith(".id") else sa.String
    return sa.Column(name, kind, foreign_key, nullable=False)
