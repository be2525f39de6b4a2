"""An index of the settings and rules of a catalog, so that searches and suggestions do not go through all rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import orjson

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry

_MOST_SUGGESTIONS: Final = 100
"""How many values of a context feature are suggested."""


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
        """The default and all rules with their conditions and values, in lower case."""
        lines = [orjson.dumps(self.entry.setting.default_value).decode()]
        for rule in self.entry.rules.values():
            lines.append(" ".join([f"{feature}={value}" for feature, value in rule.conditions]))
            lines.append(orjson.dumps(rule.value).decode())
        return "\n".join(lines).casefold()

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
        return all(word in self.about or word in self.contents for word in words)


@dataclass(eq=False)
class View:
    """The settings of a catalog, sorted by group and name."""

    catalog: Catalog
    settings: Sequence[Indexed]

    @cached_property
    def suggestions(self) -> Mapping[str, Sequence[str]]:
        """Values that conditions have, by context feature."""
        found: dict[str, dict[str, None]] = {feature: {} for feature in self.catalog.context_features}
        for setting in self.settings:
            for feature, values in setting.values.items():
                if len(found[feature]) < _MOST_SUGGESTIONS:
                    found[feature].update(dict.fromkeys(values))
        return {feature: sorted(values)[:_MOST_SUGGESTIONS] for feature, values in found.items()}


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
