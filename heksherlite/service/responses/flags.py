"""The answers of OFREP: flags in a context, as bytes of which most are built once."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from heksherlite.flags import Evaluation, Flag, evaluate, plain_values
from heksherlite.rule_sets import NO_VALUE, Context, RuleSet
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.ranked_rules import RankedRulesCache
from heksherlite.service.domain.tokens import Access

if TYPE_CHECKING:
    from heksherlite.service.domain.counters import Counters

_MOST_RULES_ON_EVENT_LOOP: Final = 1_000
_LARGEST_REQUEST: Final = 1_000
"""The size of the largest body whose tag is remembered, in bytes."""

_MOST_ANSWERS: Final = 1_000
"""The maximum number of rules of a flag whose answers are kept."""


class ReadyFlag:
    """A flag that is ready to be evaluated.

    Args:
        entry: The setting.
        rules: Its served rules.
    """

    def __init__(self, entry: Entry, rules: RuleSet[Any]) -> None:
        setting = entry.setting
        variant = "operator_default" if setting.has_operator_default else "default"
        self.flag = Flag(setting.name, setting.type, str(setting.version), rules, setting.default_value, variant)
        self._revision = setting.revision
        self._convert = plain_values(setting.type)
        self._answers: dict[tuple[str, int | None], bytes] = {}

    def answer(self, context: Context) -> bytes:
        """Return the successful answer in a complete context."""
        evaluation = evaluate(self.flag, context)
        key = (evaluation.reason, evaluation.rule_id)
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            answer = self._answers[key] = orjson.dumps(self.described(evaluation, self.flag.key))
        return answer

    def answer_to(self, key: str, context: Context) -> bytes:
        """Return the answer to somebody who calls the flag by an alias."""
        if key == self.flag.key:
            return self.answer(context)
        return orjson.dumps(self.described(evaluate(self.flag, context), key))

    def described(self, evaluation: Evaluation, key: str) -> dict[str, Any]:
        """Return an evaluation as JSON."""
        metadata: dict[str, Any] = {"version": self._revision, "settingVersion": self.flag.version}
        if evaluation.rule_id is not None:
            metadata["ruleId"] = evaluation.rule_id
        return {
            "key": key,
            "value": evaluation.value if self._convert is None else self._convert(evaluation.value),
            "reason": evaluation.reason,
            "variant": evaluation.variant,
            "metadata": metadata,
        }


class ReadyFlags:
    """Makes settings ready to be evaluated, and keeps them until they change."""

    def __init__(self) -> None:
        self._ranked = RankedRulesCache()
        self._flags: dict[int, tuple[str, Entry, tuple[str, ...], ReadyFlag]] = {}
        self._in_thread = asyncio.Lock()

    async def get(self, catalog: Catalog, entry: Entry) -> ReadyFlag:
        """Return a setting of a current catalog, ready to be evaluated."""
        ready = self.find(catalog, entry)
        if ready is None:
            async with self._in_thread:  # the cache of rules is for one at a time
                is_large = len(entry.rules) > _MOST_RULES_ON_EVENT_LOOP
                ready = await asyncio.to_thread(self._make, catalog, entry) if is_large else self._make(catalog, entry)
        return ready

    def find(self, catalog: Catalog, entry: Entry) -> ReadyFlag | None:
        """Return the same if it was made already, or None."""
        kept = self._flags.get(entry.setting.id)
        if kept is None:
            return None
        database_id, known, order, ready = kept
        is_same = known is entry and order == catalog.context_features and database_id == catalog.counters.database_id
        return ready if is_same else None

    def _make(self, catalog: Catalog, entry: Entry) -> ReadyFlag:
        ranked = self._ranked.get(catalog, entry)
        ready = ReadyFlag(entry, RuleSet(ranked.features, ranked.shapes))
        self._flags[entry.setting.id] = (catalog.counters.database_id, entry, catalog.context_features, ready)
        if len(self._flags) > 2 * len(catalog.entries) + _MOST_ANSWERS:
            self._flags = {key: kept for key, kept in self._flags.items() if key in catalog.entries}
        return ready


class FlagTags:
    """Remembers which requests had which entity tag, so that a repeated one need not be read. A change clears it."""

    def __init__(self) -> None:
        self._counters: Counters | None = None
        self._tags: dict[tuple[Access, bytes], str] = {}

    def is_known(self, sent: Sequence[str], catalog: Catalog, access: Access, body: bytes) -> bool:
        """Return whether the one tag that a client sent is remembered for its request."""
        return len(sent) == 1 and catalog.counters is self._counters and self._tags.get((access, body)) == sent[0]

    def remember(self, tag: str, catalog: Catalog, access: Access, body: bytes) -> None:
        """Remember the tag of a request."""
        if catalog.counters is not self._counters or len(self._tags) >= _MOST_ANSWERS:
            self._counters, self._tags = catalog.counters, {}
        if len(body) <= _LARGEST_REQUEST:
            self._tags[access, body] = tag


def missing_in(context: Context, features: tuple[str, ...]) -> list[str]:
    """Return the context features that a context has no value for."""
    return [feature for feature, value in zip(features, context, strict=True) if value is NO_VALUE]
