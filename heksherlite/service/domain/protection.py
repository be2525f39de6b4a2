"""Protection: settings that only proposals change."""

from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.errors import NotPermittedError


def require_unprotected(catalog: Catalog, changes: Changes) -> None:
    """Check that changes do not touch a protected setting or one of its rules.

    Args:
        catalog: What there is before the changes.
        changes: The changes.

    Raises:
        NotPermittedError: They do.
    """
    touched = catalog.touched_settings(changes) | changes.removed_settings | {each.id for each in changes.settings}
    protected = sorted(
        catalog.entries[setting_id].setting.name
        for setting_id in touched
        if setting_id in catalog.entries and catalog.entries[setting_id].setting.is_protected
    )
    if protected:
        names = ", ".join(map(repr, protected[:10]))
        raise NotPermittedError(
            f"protected settings are only changed by proposals that somebody else approves: {names}"
        )
