"""Answers to queries, which is what most requests are.

The tag of an answer comes from revisions, so it is known before anything is built. The bytes of each rule are
built once and kept until its setting changes, so an answer is little more than joining them.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import compress

import orjson

from heksherlite.service.domain.catalog import Catalog, Entry
from heksherlite.service.domain.filters import ContextFilter
from heksherlite.service.domain.lines import build_changes, build_lines

_FORMAT = 1  # to be raised whenever the same revision gets another body, so that no client keeps the old one

_MOST_DIGITS = 19  # of a revision


@dataclass(frozen=True, slots=True)
class Query:
    """Which settings, which of their rules, and how much of them; None stands for all."""

    setting_names: Sequence[str] | None
    context_filter: ContextFilter | None
    include_metadata: bool = False
    lines: bool = False
    """Whether the answer is to come in lines, see ``docs/reference/partial-responses.md``."""
    coding: str | None = None
    """The content coding that large answers come in."""
    past: bool = False
    """Whether it asks what was, so that nothing that changes now changes the answer."""


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


def tag_of(catalog: Catalog, query: Query, entries: Sequence[Entry], query_string: bytes) -> str:
    """Return the entity tag of an answer, quotes included.

    It changes with every change to one of the settings, and with the order of the context features. A catalog that
    is limited to some settings has tags of its own.

    Args:
        catalog: The catalog to answer from.
        query: What is asked for. If that is all settings, a removed one matters too.
        entries: The queried settings.
        query_string: The query as it was sent: a client may send along the tag of another query's answer.
    """
    state = catalog.state
    revision = state.features_revision
    if query.setting_names is None or query.past:
        revision = state.revision
    elif entries:
        revision = max(revision, *(entry.setting.revision for entry in entries))
    identity = f"{_FORMAT}\n{query.lines}\n{query.coding}\n{state.database_id}\n{catalog.setting_prefix}\n".encode()
    identity += query_string
    return f'"{revision}-{blake2b(identity, digest_size=12).hexdigest()}"'


def revision_of(earlier_tag: str, tag: str) -> int | None:
    """Return the revision of the answer that had a tag, if that was an answer to the query that has the other now."""
    revision, _, identity = earlier_tag.strip('"').partition("-")
    same_query = identity == tag.strip('"').partition("-")[2]
    is_number = revision.isdecimal() and revision.isascii() and len(revision) <= _MOST_DIGITS
    return int(revision) if same_query and is_number else None


def seen_revision(catalog: Catalog, query: Query, query_string: bytes, known_tags: Iterable[str]) -> int:
    """Return the newest revision of the tags that a client has of earlier answers to a query, or 0."""
    tag = tag_of(catalog, query, (), query_string)
    return max((revision_of(known, tag) or 0 for known in known_tags), default=0)


class AnswerBuilder:
    """Builds the bodies of answers, and remembers the bytes that they are made of.

    Args:
        max_bodies: How many whole bodies to remember, the latest used.
        max_body_bytes: How large, in sum, these may be.
    """

    def __init__(self, *, max_bodies: int = 1_000, max_body_bytes: int = 64 * 2**20) -> None:
        self._max_bodies = max_bodies
        self._max_body_bytes = max_body_bytes
        self._body_bytes = 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._fragments: dict[tuple[int, bool], _Fragments] = {}

    def body(self, catalog: Catalog, query: Query, entries: Sequence[Entry], tag: str) -> bytes:
        """Return the body, in JSON or in lines, for a query whose settings and tag are known."""
        body = self.remembered(tag)
        if body is None:
            body = self._build(catalog, query, entries)
            self.remember(tag, body)
        return body

    def changes(
        self, catalog: Catalog, query: Query, entries: Sequence[Entry], tag: str, earlier_tag: str
    ) -> bytes | None:
        """Return the body with what changed since an earlier answer, or None if everything has to be sent."""
        since = revision_of(earlier_tag, tag)
        if since is None or query.setting_names is None or not query.lines or query.past:
            return None
        key = f"{tag} since {since}"
        body = self.remembered(key)
        if body is None:
            body = build_changes(catalog, entries, query.context_filter, since=since)
            if body is not None:
                self.remember(key, body)
        return body

    def remembered(self, key: str) -> bytes | None:
        """Return the body that is remembered under a key, if there is one."""
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def remember(self, key: str, body: bytes) -> None:
        """Remember a body, and forget those that were not used for the longest time if there are too many."""
        self._body_bytes += len(body) - len(self._bodies.get(key, b""))
        self._bodies[key] = body
        while len(self._bodies) > self._max_bodies or self._body_bytes > self._max_body_bytes:
            _, dropped = self._bodies.popitem(last=False)
            self._body_bytes -= len(dropped)

    def _build(self, catalog: Catalog, query: Query, entries: Sequence[Entry]) -> bytes:
        if query.lines:
            return build_lines(catalog, entries, query.context_filter)
        settings = b",".join([self._setting(catalog, query, entry) for entry in entries])
        return b'{"settings":{' + settings + b"}}"

    def _setting(self, catalog: Catalog, query: Query, entry: Entry) -> bytes:
        # What is remembered of each setting is what it is now.
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
