"""The tables, as the newest migration leaves them.

Each row that a replica may have to fetch again carries the revision at which it last changed, and what was
removed leaves a row in ``removals``, so that catching up reads only what changed. Values, metadata and types
are kept as text: what was sent comes back as it was.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from heksherlite.service.storage.utc_time import UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

state = Table(
    "heksherlite_state",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True, autoincrement=False),
    Column("database_id", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("features_revision", BigInteger, nullable=False),
    Column("last_setting_id", BigInteger, nullable=False),
    Column("last_rule_id", BigInteger, nullable=False),
    Column("changed_at", UtcTime),
    Column("access_revision", BigInteger, nullable=False, server_default="0"),
    Column("revision_nonce", String, nullable=False),
    Column("features_nonce", String, nullable=False),
    Column("access_nonce", String, nullable=False),
    Column("last_proposal_id", BigInteger, nullable=False, server_default="0"),
    Column("strict_declarations", Boolean, nullable=False, server_default=false()),
)

revisions = Table(
    "revisions",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("nonce", String, nullable=False),
)
"""The names of the latest revisions: see `heksherlite.service.domain.lineage`."""

context_features = Table(
    "context_features",
    metadata,
    Column("name", String, primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
)

settings = Table(
    "settings",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("default_value", Text, nullable=False),
    Column("version", String, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("nonce", String, nullable=False),
    Column("operator_default_value", Text),
    Column("operator_default_metadata", Text, nullable=False, server_default="{}"),
    Column("is_protected", Boolean, nullable=False, server_default=false()),
    Column("is_client_visible", Boolean, nullable=False, server_default=false()),
    Column("declarers", Text, nullable=False, server_default="[]"),
    Column("schema", Text),
)
"""``default_value`` is the declared one, ``operator_default_value`` is null if no operator set one; ``revision`` and
``nonce`` name the revision at which the setting or one of its rules last changed."""

configurable_features = Table(
    "configurable_features",
    metadata,
    Column("setting_id", ForeignKey("settings.id", ondelete="CASCADE"), primary_key=True),
    Column("context_feature", ForeignKey("context_features.name"), primary_key=True, index=True),
)

aliases = Table(
    "aliases",
    metadata,
    Column("alias", String, primary_key=True),
    Column("setting_id", ForeignKey("settings.id", ondelete="CASCADE"), nullable=False, index=True),
)

rules = Table(
    "rules",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("setting_id", ForeignKey("settings.id", ondelete="CASCADE"), nullable=False),
    Column("value", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("starts_at", UtcTime),
    Column("ends_at", UtcTime),
    Column("phase", String),
    Index(None, "setting_id", "id"),
)
"""``phase`` is null for a rule without ``starts_at`` and ``ends_at``."""

conditions = Table(
    "conditions",
    metadata,
    Column("rule_id", ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
    Column("context_feature", ForeignKey("context_features.name"), primary_key=True, index=True),
    Column("value", String, nullable=False),
)

removals = Table(
    "removals",
    metadata,
    Column("kind", String, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Index(None, "revision"),
)
"""``kind`` is ``setting`` or ``rule``; the rules of a removed setting are not listed."""

removed_settings = Table(
    "removed_settings",
    metadata,
    Column("setting_id", ForeignKey("settings.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("setting_name", String, nullable=False),
)
"""Settings that were removed at a revision, and whose rules are still stored: see
`heksherlite.service.storage.removed_settings`."""

proposals = Table(
    "proposals",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False, index=True),
    Column("proposed_at", UtcTime, nullable=False),
    Column("content", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
)
"""``content`` is the complete proposal, as JSON."""

drafts = Table(
    "drafts",
    metadata,
    Column("owner", String, primary_key=True),
    Column("content", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""``content`` is JSON; times are in seconds since the epoch."""

history = Table(
    "history",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("time", UtcTime, nullable=False, index=True),
    Column("author_kind", String, nullable=False),
    Column("author_name", String, index=True),
    Column("author_id", String),
    Column("address", String),
    Column("reason", Text),
    Column("reverts", BigInteger),
    Column("break_glass", Boolean, nullable=False, server_default=false()),
)
"""One row per write: its revision, time, author and reason."""

history_changes = Table(
    "history_changes",
    metadata,
    Column("revision", ForeignKey("history.revision", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("setting_id", BigInteger, index=True),
    Column("rule_id", BigInteger, index=True),
    Column("setting_name", String, index=True),
    Column("before", Text),
    Column("after", Text),
    Column("subject", String),
    Column("subject_name", String, index=True),
)
"""What the writes changed, in JSON. The columns are those of `heksherlite.service.domain.history.Change`."""

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("time", UtcTime, nullable=False, index=True),
    Column("action", String, nullable=False),
    Column("outcome", String, nullable=False, index=True),
    Column("actor_kind", String, nullable=False),
    Column("actor_id", String, index=True),
    Column("actor_name", String),
    Column("address", String),
    Column("subject", String, index=True),
    Column("details", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    sqlite_autoincrement=True,  # ids are not used again after the newest records were deleted
)
"""The audit record. ``details`` is JSON; the columns are those of `heksherlite.service.domain.audit.AuditEvent`. Rows
are never changed."""

tokens = Table(
    "tokens",
    metadata,
    Column("public_prefix", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("digest", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("setting_prefix", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Column("owner", String),
)
"""``digest`` is the SHA-256 of a token in hexadecimal, ``scopes`` are separated by spaces, times are in seconds since
the epoch. A write here changes the revision of the state, so that running services notice it."""

applications = Table(
    "applications",
    metadata,
    Column("id", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("approval", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("redirect_uri", String),
    Column("invite_digest", String),
    Column("public_token", String),
    Column("claim_digest", String),
    Column("token_digest", String),
    Column("secret_digest", String),
    Column("previous_digests", Text),
    Column("previous_expires_at", BigInteger),
    Column("rotated_at", BigInteger),
)
"""``manifest`` and ``approval`` are JSON, digests are SHA-256 in hexadecimal, the previous ones are in the order of the
other columns and separated by spaces, times are in seconds since the epoch. A
write here changes the revision of the state, as a write of tokens does."""

device_codes = Table(
    "device_codes",
    metadata,
    Column("digest", String, primary_key=True),
    Column("manifest", Text, nullable=False),
    Column("address", String),
    Column("chosen_by", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("opened_at", BigInteger),
    Column("decision", String),
    Column("application_id", ForeignKey("applications.id", ondelete="SET NULL"), index=True),
    Column("used_at", BigInteger),
)
"""Expired and used codes are removed some time later."""

configuration_groups = Table(
    "configuration_groups",
    metadata,
    Column("name", String, primary_key=True),
    Column("contents", Text, nullable=False),
)
"""``contents`` are JSON, with references to ``group_secrets``."""

group_secrets = Table(
    "group_secrets",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)
"""The secrets that operators set and groups refer to. Applications need them, so they are not hashed."""

keys = Table(
    "keys",
    metadata,
    Column("purpose", String, primary_key=True),
    Column("key", String, nullable=False),
    Column("created_at", BigInteger, nullable=False, server_default="0"),
)
"""Random keys that all services on the database share. ``signing`` signs access tokens and device codes, and ``previous
signing`` did before."""

token_uses = Table(
    "token_uses",
    metadata,
    Column("public_prefix", String, primary_key=True),
    Column("last_used_at", BigInteger, nullable=False),
)
"""When tokens were last used. A write here does not change the revision of the state."""

setting_declarations = Table(
    "setting_declarations",
    metadata,
    Column(
        "setting_id",
        ForeignKey("settings.id", name="fk_setting_declarations_setting_id_settings", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("declared_at", BigInteger, nullable=False),
)
"""When programs last declared settings. A write here does not change the revision of the state."""

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String, primary_key=True),
    Column("public_prefix", ForeignKey("tokens.public_prefix", ondelete="CASCADE"), index=True),
    Column("person", String),
    Column("scopes", String, nullable=False),
    Column("setting_prefix", String, nullable=False),
    Column("address", String),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""The sessions of people: ``digest`` is the SHA-256 of the cookie's secret, ``public_prefix`` names the token."""

revoked_access_tokens = Table(
    "revoked_access_tokens",
    metadata,
    Column("digest", String, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)
"""The access tokens that were revoked before they expired: ``digest`` is the SHA-256 of each in hexadecimal."""
