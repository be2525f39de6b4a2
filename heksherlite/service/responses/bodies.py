"""Bodies of responses to queries.

The bytes of each rule are built once and kept until its setting changes, so a body is little more than joining them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from threading import Lock
from typing import Final

import orjson

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry
from heksherlite.service.responses.entity_tags import revision_of_tag
from heksherlite.service.responses.lines import build_changes, build_lines
from heksherlite.service.responses.query import QueryRequest

_MOST_RULES_ON_EVENT_LOOP: Final = 1_000
"""A body with more rules is built in a thread. Building the bytes of so many takes a few milliseconds."""


class ResponseBodies:
    """Builds the bodies of responses, and caches them and the bytes of their rules.

    Large bodies are built in a thread, one at a time, so that the event loop answers other requests meanwhile. Requests
    for the same body wait for the same thread.

    Args:
        max_bodies: The number of bodies to cache; the least recently used ones are dropped.
        max_body_bytes: The size of all cached bodies together, in bytes.
    """

    def __init__(self, *, max_bodies: int = 1_000, max_body_bytes: int = 64 * 2**20) -> None:
        self._max_bodies = max_bodies
        self._max_body_bytes = max_body_bytes
        self._body_bytes = 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._fragments: dict[tuple[int, bool], _Fragments] = {}
        self._fragments_lock = Lock()
        self._building: dict[str, asyncio.Task[bytes | None]] = {}
        self._thread = asyncio.Lock()

    async def body(self, catalog: Catalog, query: QueryRequest, entries: Sequence[Entry], tag: str) -> bytes:
        """Return the body, in JSON or in lines, for a query whose settings and tag are known."""
        body = await self._built(tag, entries, partial(self._build, catalog, query, entries))
        if body is None:
            raise AssertionError("a query always has a body")
        return body

    async def changes(
        self, catalog: Catalog, query: QueryRequest, entries: Sequence[Entry], tag: str, earlier_tag: str
    ) -> bytes | None:
        """Return the body with the changes since an earlier response, or None if everything must be sent."""
        since = revision_of_tag(earlier_tag, tag)
        if since is None or since not in catalog.lineage:
            return None
        if not query.lines or query.past:
            return None
        if query.setting_names is None and since.number < catalog.names_revision:
            return None  # a partial response does not say which names are gone
        changed = [entry for entry in entries if entry.setting.revision > since.number]
        build = partial(build_changes, catalog, entries, query.context_filter, since=since.number)
        return await self._built(f"{tag} since {since}", changed, build)

    def remembered(self, key: str) -> bytes | None:
        """Return the cached body for a key, or None."""
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def remember(self, key: str, body: bytes) -> None:
        """Cache a body. If there are too many, the least recently used ones are dropped."""
        self._body_bytes += len(body) - len(self._bodies.get(key, b""))
        self._bodies[key] = body
        while len(self._bodies) > self._max_bodies or self._body_bytes > self._max_body_bytes:
            _, dropped = self._bodies.popitem(last=False)
            self._body_bytes -= len(dropped)

    async def _built(self, key: str, entries: Sequence[Entry], build: Callable[[], bytes | None]) -> bytes | None:
        """Return what is cached for a key, or else built now: in a thread if the rules of the entries are many."""
        body = self.remembered(key)
        if body is not None:
            return body
        if sum(len(entry.rules) + 1 for entry in entries) <= _MOST_RULES_ON_EVENT_LOOP:
            body = build()
            if body is not None:
                self.remember(key, body)
            return body
        building = self._building.get(key)
        if building is None:
            building = self._building[key] = asyncio.create_task(self._build_in_thread(key, build))
            building.add_done_callback(lambda _: self._building.pop(key))
        return await asyncio.shield(building)  # a client that goes away does not stop it for the others

    async def _build_in_thread(self, key: str, build: Callable[[], bytes | None]) -> bytes | None:
        async with self._thread:
            body = await asyncio.to_thread(build)
        if body is not None:
            self.remember(key, body)
        return body

    def _build(self, catalog: Catalog, query: QueryRequest, entries: Sequence[Entry]) -> bytes:
        if query.lines:
            return build_lines(catalog, entries, query.context_filter)
        settings = b",".join([self._setting(catalog, query, entry) for entry in entries])
        return b'{"settings":{' + settings + b"}}"

    def _setting(self, catalog: Catalog, query: QueryRequest, entry: Entry) -> bytes:
        # The cached fragments are those of the current rules.
        fragments_of = _rule_fragments if query.past else self._rules
        rules: Iterable[bytes] = fragments_of(catalog, entry, include_metadata=query.include_metadata)
        if query.context_filter is not None:
            passes = query.context_filter.passes
            rules = compress(rules, (passes(rule.conditions) for rule in entry.served.values()))
        return b'%s:{"default_value":%s,"rules":[%s]}' % (
            orjson.dumps(entry.setting.name),
            orjson.dumps(entry.setting.default_value),
            b",".join(rules),
        )

    def _rules(self, catalog: Catalog, entry: Entry, *, include_metadata: bool) -> Iterable[bytes]:
        key = (entry.setting.id, include_metadata)
        kept = self._fragments.get(key)
        if kept is None or kept.entry is not entry or kept.order != catalog.context_features:
            kept = _Fragments(
                entry,
                catalog.context_features,
                _rule_fragments(catalog, entry, include_metadata=include_metadata),
            )
            with self._fragments_lock:
                self._fragments[key] = kept
                if len(self._fragments) > 2 * len(catalog.entries):
                    self._fragments = {key: kept for key, kept in self._fragments.items() if key[0] in catalog.entries}
        return kept.rules


@dataclass(frozen=True, slots=True)
class _Fragments:
    entry: Entry
    order: tuple[str, ...]
    rules: list[bytes]


def _rule_fragments(catalog: Catalog, entry: Entry, *, include_metadata: bool) -> list[bytes]:
    order = catalog.condition_order()
    fragments = []
    for rule in entry.served.values():
        shown = {
            "rule_id": rule.id,
            "value": rule.value,
            "context_features": sorted(rule.conditions, key=order),
        }
        if include_metadata:
            shown["metadata"] = rule.metadata
        fragments.append(orjson.dumps(shown))
    return fragments
