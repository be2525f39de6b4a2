"""Defaults and rules that are managed in a repository, and edited there."""

from heksherlite.names import MANAGED_BY
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.json_values import Metadata


def owner_of(rule: Rule | None) -> str:
    """Return who manages a rule in a repository, or nothing."""
    return "" if rule is None else _owner(rule.metadata)


def owner_of_default(setting: Setting) -> str:
    """Return who manages the operator's default of a setting in a repository, or nothing."""
    return _owner(setting.operator_default_metadata)


def _owner(metadata: Metadata) -> str:
    owner = metadata.get(MANAGED_BY)
    return owner if isinstance(owner, str) else ""
