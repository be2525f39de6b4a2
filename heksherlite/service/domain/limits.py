"""Limits on what the service accepts and stores."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import orjson

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.catalog import Catalog, Changes
from heksherlite.service.domain.entities import Setting
from heksherlite.service.domain.json_values import Json
from heksherlite.service.errors import ConflictError, DeclarationConflictError, TooLargeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a service.

    Raises:
        ValueError: A limit is not positive.
    """

    max_body_size: int = 2**20
    """The maximum size of a request body, in bytes."""
    max_settings: int = 100_000
    """The maximum number of settings."""
    max_rules: int = 1_000_000
    """The maximum number of rules of all settings together."""
    max_value_size: int = 2**18
    """The maximum size of a value, a default value, a type, a name or metadata, in bytes of JSON."""
    max_operations: int = 10_000
    """The maximum number of operations in one change."""
    max_changes_size: int = 16 * 2**20
    """The maximum size of a request body with operations, in bytes."""
    max_import_size: int = 2**31
    """The maximum size of an export that is imported over HTTP, in bytes. It is kept in a temporary file meanwhile."""
    request_timeout: float = 30.0
    """The maximum time for a request to arrive, and then for its response, in seconds each."""
    writes_per_second: float = 500.0
    """The sustained write rate of each client. Ten seconds' worth of writes may arrive in a burst."""
    max_reads_per_client: int = 200
    """The maximum number of reads of each client at the same time, until their responses are sent."""
    max_streams_per_client: int = 10_000
    """The maximum number of streams of each client. A client gets three quarters of all streams at most."""
    history_bytes_per_second: float = 2.0**20
    """The sustained rate at which the changes of each client add to the history. 64 seconds' worth may come at once."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            if not getattr(self, limit.name) > 0:
                raise ValueError(f"{limit.name} must be positive, not {getattr(self, limit.name)!r}")

    def check(self, catalog: Catalog, changes: Changes) -> None:
        """Check that a write stays within the limits.

        What exceeds a limit already may stay or shrink.

        Raises:
            ConflictError: There would be too many settings or rules.
            TooLargeError: A value would be too large.
        """
        added = sum(setting.id not in catalog.entries for setting in changes.settings)
        if added and len(catalog.entries) - len(changes.removed_settings) + added > self.max_settings:
            reason = f"there are {len(catalog.entries)} settings; the maximum is {self.max_settings}"
            raise DeclarationConflictError(reason)
        added = sum(rule.id not in catalog.rules for rule in changes.rules)
        if added and len(catalog.rules) - len(changes.removed_rules) + added > self.max_rules:
            raise ConflictError(f"there are {len(catalog.rules)} rules; the maximum is {self.max_rules}")
        self.check_values(catalog, changes)

    def check_values(self, catalog: Catalog, changes: Changes) -> None:
        """Check that a write stays within the limit on the size of values.

        Raises:
            TooLargeError: A value would be too large.
        """
        for what, value in _new_values(catalog, changes):
            size = len(orjson.dumps(value))
            if size > self.max_value_size:
                raise TooLargeError(f"the {what} has {size} bytes; the maximum is {self.max_value_size}")

    def check_counts(self, settings: int, rules: int) -> None:
        """Check that there may be so many settings and rules.

        Raises:
            ConflictError: There are too many.
        """
        for number, most, what in ((settings, self.max_settings, "settings"), (rules, self.max_rules, "rules")):
            if number > most:
                raise ConflictError(f"there are more than {most} {what}, which is the maximum")


def _new_values(catalog: Catalog, changes: Changes) -> Iterator[tuple[str, Json]]:
    for setting in changes.settings:
        known = catalog.entries.get(setting.id)
        yield from _new_values_of(setting, None if known is None else known.setting)
    for rule in changes.rules:
        stored_rule = catalog.rules.get(rule.id)
        if stored_rule is None or rule.value is not stored_rule.value:
            yield "value", rule.value
        if stored_rule is None or rule.metadata is not stored_rule.metadata:
            yield "metadata", rule.metadata
        if stored_rule is None:
            yield "conditions", rule.conditions


def _new_values_of(setting: Setting, stored: Setting | None) -> Iterator[tuple[str, Json]]:
    if stored is None or setting.declared_default_value is not stored.declared_default_value:
        yield "default value", setting.declared_default_value
    known_default = NO_VALUE if stored is None else stored.operator_default_value
    if setting.has_operator_default and setting.operator_default_value is not known_default:
        yield "operator's default value", setting.operator_default_value
    if stored is None or setting.operator_default_metadata is not stored.operator_default_metadata:
        yield "metadata of the operator's default", setting.operator_default_metadata
    if stored is None or setting.metadata is not stored.metadata:
        yield "metadata", setting.metadata
    if stored is None or setting.type is not stored.type:
        yield "type", str(setting.type)
    if stored is None or setting.name != stored.name:
        yield "name", setting.name
