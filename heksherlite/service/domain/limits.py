"""How much the service takes in, so that no client can fill it up."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import orjson

from heksherlite.rules import NO_VALUE
from heksherlite.service.domain.catalog import Catalog, Changes, Setting
from heksherlite.service.domain.json_values import Json
from heksherlite.service.errors import ConflictError, DeclarationConflictError, TooLargeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the service refuses to go beyond.

    Raises:
        ValueError: A limit is not positive.
    """

    max_body_size: int = 2**20
    """Bytes that the body of a request may have."""
    max_settings: int = 100_000
    """How many settings there may be."""
    max_rules: int = 1_000_000
    """How many rules there may be, of all settings together."""
    max_value_size: int = 2**18
    """Bytes of JSON that a value, a default value, a type, a name, or the metadata of one thing may have."""
    max_operations: int = 10_000
    """How many operations one change may have."""
    max_changes_size: int = 16 * 2**20
    """Bytes that the body of a request with operations may have."""
    request_timeout: float = 30.0
    """Seconds that a request may take to come in, and again to be answered."""
    writes_per_second: float = 500.0
    """Writes that each client may make in the long run; ten seconds' worth of them may come at once."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            if not getattr(self, limit.name) > 0:
                raise ValueError(f"{limit.name} must be positive, not {getattr(self, limit.name)!r}")

    def check(self, catalog: Catalog, changes: Changes) -> None:
        """Check that a write stays within the limits.

        What is over a limit already may stay so, and may become less.

        Raises:
            ConflictError: There would be too many settings or rules.
            TooLargeError: A value would be too large.
        """
        added = sum(setting.id not in catalog.entries for setting in changes.settings)
        if added and len(catalog.entries) - len(changes.removed_settings) + added > self.max_settings:
            reason = f"there are {len(catalog.entries)} settings, and there may be {self.max_settings}"
            raise DeclarationConflictError(reason)
        added = sum(rule.id not in catalog.rules for rule in changes.rules)
        if added and len(catalog.rules) - len(changes.removed_rules) + added > self.max_rules:
            raise ConflictError(f"there are {len(catalog.rules)} rules, and there may be {self.max_rules}")
        for what, value in _new_values(catalog, changes):
            size = len(orjson.dumps(value))
            if size > self.max_value_size:
                raise TooLargeError(f"the {what} has {size} bytes, and it may have {self.max_value_size}")


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
    if stored is None or setting.metadata is not stored.metadata:
        yield "metadata", setting.metadata
    if stored is None or setting.type is not stored.type:
        yield "type", str(setting.type)
    if stored is None or setting.name != stored.name:
        yield "name", setting.name
