"""Entity tags of responses to queries.

A tag comes from revisions, so it is known before anything is built. It looks like ``"17-3fa2b1c09d8e-<digest>"``: the
name of the latest revision that the response depends on, and a digest of everything else.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import orjson

from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry
from heksherlite.service.domain.json_values import Json
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.snapshots import of_rule, of_setting
from heksherlite.service.responses.query import QueryRequest

_FORMAT = 3  # to be raised whenever the same revision gets another body, so that no client keeps the old one


def tag_of(catalog: Catalog, query: QueryRequest, entries: Sequence[Entry]) -> str:
    """Return the entity tag of a response, quotes included.

    It changes with every change to one of the settings, and with the order of the context features. A catalog that
    is limited to some settings has tags of its own.

    Args:
        catalog: The catalog that the response comes from.
        query: What is asked for. If that is all settings, a removed one matters too.
        entries: The queried settings.
    """
    state = catalog.counters
    revision = state.features_id
    if query.setting_names is None or query.past:
        revision = state.revision_id
    elif entries:
        revision = max(revision, *(entry.setting.revision_id for entry in entries))
    identity = f"{_FORMAT}\n{state.database_id}\n{catalog.setting_prefix}\n{query.canonical()}".encode()
    return f'"{revision}-{blake2b(identity, digest_size=12).hexdigest()}"'


def revision_of_tag(earlier_tag: str, tag: str) -> RevisionId | None:
    """Return the revision that an earlier tag names, or None if it is not a tag of the query that has the other now."""
    revision, _, identity = earlier_tag.strip('"').rpartition("-")
    same_query = identity == tag.strip('"').rpartition("-")[2]
    return RevisionId.parse(revision) if same_query else None


def known_revisions(catalog: Catalog, query: QueryRequest, known_tags: Iterable[str]) -> list[RevisionId]:
    """Return the revisions that are named by the tags that a client has of earlier responses to a query."""
    tag = tag_of(catalog, query, ())
    revisions = [revision_of_tag(known, tag) for known in known_tags]
    return [revision for revision in revisions if revision is not None]


def rule_tag(catalog: Catalog, rule_id: int) -> str:
    """Return the entity tag of a rule, quotes included. It changes whenever the rule does.

    Raises:
        NotFoundError: There is no such rule.
        OutsidePrefixError: The catalog is limited to other settings than the one it belongs to.
    """
    return _tag_of_content(catalog, f"rule {rule_id}", of_rule(catalog.rule(rule_id)))


def setting_tag(catalog: Catalog, name: str) -> str:
    """Return the entity tag of a setting without its rules, quotes included. It changes whenever the setting does.

    Raises:
        NotFoundError: There is no such setting.
        OutsidePrefixError: The catalog is limited to other settings.
    """
    setting = catalog.entry(name).setting
    return _tag_of_content(catalog, f"setting {setting.id}", of_setting(setting))


def _tag_of_content(catalog: Catalog, subject: str, content: Json) -> str:
    identity = f"{catalog.counters.database_id}\n{subject}\n".encode() + orjson.dumps(content)
    return f'"{blake2b(identity, digest_size=12).hexdigest()}"'
