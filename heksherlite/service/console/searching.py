"""The search of the table of settings: words and filters, which are in the URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.datastructures import QueryParams

from heksherlite.service.api.store_view import StoreView
from heksherlite.service.console.index import Indexed, View
from heksherlite.service.console.numbers import read_number
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.declarations import MOST_DAYS, is_undeclared
from heksherlite.service.errors import BadRequestError

FILTERS: Final[Mapping[str, str]] = {
    "rules": "with rules",
    "scheduled": "with scheduled rules",
    "default": "with an operator's default",
    "protected": "protected",
    "no_rules": "without rules",
    "undeclared": "probably unused",
}

UNDECLARED_DAYS: Final = 30
"""For how many days no program has declared a setting that is undeclared for long, unless the URL says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSearch:
    """Which settings are looked for.

    Attributes:
        words: The words that each of them has somewhere, in lower case.
        kind: What the type begins with, or nothing.
        prefix: What the name begins with, or nothing.
        has: One of the filters, or nothing.
        days: For how many days no program has declared them, if that is the filter.
        declared: When programs last declared settings, by the id of the setting, if that is the filter.
        before: The time that many days ago.
    """

    words: Sequence[str]
    kind: str
    prefix: str
    has: str
    days: int
    declared: Mapping[int, datetime]
    before: datetime

    def found(self, view: View) -> list[Indexed]:
        """Return the settings of a view that the search finds, by name."""
        return [each for each in view.settings if self._finds(view.catalog, each)]

    def _finds(self, catalog: Catalog, indexed: Indexed) -> bool:
        setting = indexed.entry.setting
        if not setting.name.startswith(self.prefix) or not str(setting.type).startswith(self.kind):
            return False
        if self.has == "undeclared" and not is_undeclared(self.declared, setting, self.before):
            return False
        if self.has not in {"", "undeclared"} and not _has(catalog, indexed, self.has):
            return False
        return not self.words or indexed.matches(self.words)


async def search_of(query: QueryParams, store: StoreView) -> SettingSearch:
    """Return the search that a URL describes.

    Args:
        query: The query of the URL.
        store: The store.

    Raises:
        BadRequestError: There is no such filter, or the number of days is malformed.
    """
    has = query.get("has", "")
    if has and has not in FILTERS:
        raise BadRequestError(f"there is no filter {has[:100]!r}; the filters are {', '.join(FILTERS)}")
    days = min(read_number(query.get("days") or str(UNDECLARED_DAYS), "day"), MOST_DAYS)
    return SettingSearch(
        words=query.get("q", "").casefold().split(),
        kind=query.get("type", ""),
        prefix=query.get("prefix", ""),
        has=has,
        days=days,
        declared=await store.last_declared.all() if has == "undeclared" else {},
        before=store.now() - timedelta(days=days),
    )


def _has(catalog: Catalog, indexed: Indexed, what: str) -> bool:
    entry = indexed.entry
    match what:
        case "rules":
            return bool(entry.rules)
        case "no_rules":
            return not entry.rules
        case "default":
            return entry.setting.has_operator_default
        case "protected":
            return entry.setting.is_protected
        case "scheduled":
            return _is_scheduled(catalog.scheduled, entry.rules)
    raise AssertionError(f"the filter {what!r} was checked before")


def _is_scheduled(scheduled: Mapping[int, Any], rules: Mapping[int, Any]) -> bool:
    if len(scheduled) < len(rules):
        return any(rule_id in rules for rule_id in scheduled)
    return any(rule_id in scheduled for rule_id in rules)
