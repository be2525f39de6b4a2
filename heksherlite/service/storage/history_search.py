"""What can be looked for in the history, and how SQL says it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from heksherlite.service.storage import tables

_history = tables.history.c
_changes = tables.history_changes.c


@dataclass(frozen=True, slots=True)
class Search:
    """A search for records, the newest first. None means no restriction.

    Attributes:
        limit: The maximum number of records.
        before: Only records with a lower revision.
        setting_name: Only records about settings that have or had this name, and about their rules.
        setting_id: The id of the setting that has this name now, if it is known.
        rule_id: Only records about this rule.
        application: Only records about applications with this identifier.
        author_name: Only records of this token or person.
        reason: Only records with this text in their reason, in upper or lower case.
        since: Only records at this time or later.
        until: Only records before this time.
    """

    limit: int
    before: int | None = None
    setting_name: str | None = None
    setting_id: int | None = None
    rule_id: int | None = None
    application: str | None = None
    author_name: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def record_conditions(search: Search) -> list[ColumnElement[bool]]:
    """Return the conditions on the record itself."""
    conditions: list[ColumnElement[bool]] = []
    if search.before is not None:
        conditions.append(_history.revision < search.before)
    if search.author_name is not None:
        conditions.append(_history.author_name == search.author_name)
    if search.reason is not None:
        conditions.append(_history.reason.icontains(search.reason, autoescape=True))
    if search.since is not None:
        conditions.append(_history.time >= search.since)
    if search.until is not None:
        conditions.append(_history.time < search.until)
    return conditions


def change_conditions(search: Search) -> list[ColumnElement[bool]]:
    """Return the conditions on the changes of a record. At least one change must meet them."""
    conditions: list[ColumnElement[bool]] = []
    if search.setting_name is not None:
        of_setting: ColumnElement[bool] = _changes.setting_id.in_(
            select(_changes.setting_id).where(_changes.setting_name == search.setting_name)
        )
        if search.setting_id is not None:
            of_setting = or_(of_setting, _changes.setting_id == search.setting_id)
        conditions.append(of_setting)
    if search.rule_id is not None:
        conditions.append(_changes.rule_id == search.rule_id)
    if search.application is not None:
        conditions += [_changes.subject == "application", _changes.subject_name == search.application]
    return conditions
