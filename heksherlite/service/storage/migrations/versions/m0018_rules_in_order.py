"""The rules of a setting in the order of their ids."""

from alembic.operations import Operations

revision = "0018"
down_revision = "0017"


def upgrade(op: Operations) -> None:
    """Replace the index on the setting. A portion of the rules of a setting is found without sorting all of them."""
    op.drop_index("ix_rules_setting_id", "rules")
    op.create_index("ix_rules_setting_id_id", "rules", ["setting_id", "id"])
