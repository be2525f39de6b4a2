"""The event of a write that ignored the protection of settings."""

from datetime import UTC, datetime
from typing import Final

from heksherlite.service.domain.audit import Action, AuditEvent, DatedEvent
from heksherlite.service.domain.authors import Cause
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.counters import Counters

_MOST_NAMED_SETTINGS: Final = 100


def break_glass_event(catalog: Catalog, changes: Changes, counters: Counters, cause: Cause) -> DatedEvent:
    """Return the event for the audit record. It names at most 100 of the settings that the write touched."""
    names = sorted(catalog.entries[each].setting.name for each in catalog.touched_settings(changes))
    details = {"reason": cause.reason, "revision": counters.revision, "settings": names[:_MOST_NAMED_SETTINGS]}
    return DatedEvent(
        counters.changed_at or datetime.now(UTC),
        AuditEvent(action=Action.BREAK_GLASS, actor=cause.author, details=details),
    )
