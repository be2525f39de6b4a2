"""Rules that are managed in a repository, and edited there."""

from heksherlite.names import MANAGED_BY
from heksherlite.service.domain.entities import Rule


def owner_of(rule: Rule | None) -> str:
    """Return who manages a rule in a repository, or nothing."""
    owner = None if rule is None else rule.metadata.get(MANAGED_BY)
    return owner if isinstance(owner, str) else ""
