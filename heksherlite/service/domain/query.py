"""The settings that a query asks for."""

from collections.abc import Iterable, Sequence

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry


def entries_of(catalog: Catalog, setting_names: Sequence[str] | None) -> list[Entry]:
    """Return the queried settings, each once, by canonical name.

    Raises:
        NotFoundError: A name is unknown.
    """
    if setting_names is None:
        found: Iterable[Entry] = catalog.entries.values()
    else:
        found = {entry.setting.id: entry for entry in map(catalog.entry, setting_names)}.values()
    return sorted(found, key=lambda entry: entry.setting.name)
