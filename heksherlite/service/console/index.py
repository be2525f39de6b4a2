"""An index of the settings and rules of a catalog, so that searches and suggestions do not go through all rules."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Final

import orjson

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry

_MOST_SUGGESTIONS: Final = 100
"""How many values of a context feature are suggested."""

_MOST_RULES_FOR_SUGGESTIONS: Final = 50_000
"""How many rules are looked at to find suggestions for all settings."""

_PORTION: Final = 100
"""How many settings are prepared for searches at a time."""


@dataclass(eq=False)
class Indexed:
    """What is looked up about a setting. It is as the setting was when it was indexed."""

    entry: Entry

    @property
    def name(self) -> str:
        """The name of the setting."""
        return self.entry.setting.name

    @cached_property
    def description(self) -> str:
        """The description in the metadata."""
        text = self.entry.setting.metadata.get("description", "")
        return text if isinstance(text, str) else orjson.dumps(text).decode()

    @cached_property
    def about(self) -> str:
        """The name, the aliases and the description, in lower case."""
        return "\n".join([self.name, *sorted(self.entry.setting.aliases), self.description]).casefold()

    @cached_property
    def contents(self) -> str:
        """The default and all rules with their conditions and values, as one JSON text, in lower case."""
        rules = [(rule.conditions, rule.value) for rule in self.entry.rules.values()]
        return orjson.dumps((self.entry.setting.default_value, rules)).decode().casefold()

    @cached_property
    def values(self) -> Mapping[str, Sequence[str]]:
        """Values that conditions of the rules have, by context feature."""
        found: dict[str, dict[str, None]] = {}
        for rule in self.entry.rules.values():
            for feature, value in rule.conditions:
                known = found.setdefault(feature, {})
                if len(known) < _MOST_SUGGESTIONS:
                    known[value] = None
        return {feature: list(known) for feature, known in found.items()}

    def matches(self, words: Sequence[str]) -> bool:
        """Return whether each word is in the name, an alias, the description, a condition or a value."""
        return all(
            word in self.about or ("=" in word and _condition(word) in self.contents) or word in self.contents
            for word in words
        )


def _condition(word: str) -> str:
    """Return a condition, such as ``environment=dev``, as it is in the contents of a setting."""
    return word.replace("=", '","', 1)


@dataclass(eq=False)
class View:
    """The settings of a catalog, sorted by group and name."""

    catalog: Catalog
    settings: Sequence[Indexed]

    def indexed(self, entry: Entry) -> Indexed:
        """Return what is looked up about a setting of the catalog."""
        place = bisect_left(self.settings, entry.setting.name, key=lambda indexed: indexed.name)
        return self.settings[place]

    def search_preparation(self) -> Iterator[Callable[[], None]]:
        """Yield functions that index the contents of all settings, some at a time, so that searches do not have to."""
        for start in range(0, len(self.settings), _PORTION):
            yield partial(_prepare_search, self.settings[start : start + _PORTION])

    def prepare_search(self) -> None:
        """Index the contents of all settings, so that the next search does not have to."""
        _prepare_search(self.settings)

    @cached_property
    def suggestions(self) -> Mapping[str, Sequence[str]]:
        """Values that conditions have, by context feature. If there are many rules, only some are looked at."""
        found: dict[str, dict[str, None]] = {feature: {} for feature in self.catalog.context_features}
        rules_of_each = max(1, _MOST_RULES_FOR_SUGGESTIONS // max(1, len(self.settings)))
        for setting in self.settings:
            for rule in islice(setting.entry.rules.values(), rules_of_each):
                for feature, value in rule.conditions:
                    if len(found[feature]) < _MOST_SUGGESTIONS:
                        found[feature][value] = None
        return {feature: sorted(values) for feature, values in found.items()}


def _prepare_search(settings: Iterable[Indexed]) -> None:
    for setting in settings:
        _ = setting.contents, setting.about


@dataclass(eq=False)
class Index:
    """Indexes the newest catalogs. Only what changed is indexed again."""

    _known: dict[int, Indexed] = field(default_factory=dict)
    _views: dict[str, View] = field(default_factory=dict)

    def view(self, catalog: Catalog) -> View:
        """Return the settings of a current catalog."""
        view = self._views.get(catalog.setting_prefix)
        if view is None or view.catalog is not catalog:
            settings = [self._indexed(entry) for entry in catalog.entries.values()]
            settings.sort(key=lambda indexed: indexed.name)
            view = self._views[catalog.setting_prefix] = View(catalog, settings)
        return view

    def _indexed(self, entry: Entry) -> Indexed:
        known = self._known.get(entry.setting.id)
        if known is None or known.entry is not entry:
            known = self._known[entry.setting.id] = Indexed(entry)
        return known
