"""The differences between a declaration and the stored setting, and how much each one matters."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.entities import Entry, Rule
from heksherlite.service.domain.json_values import Json, Metadata, same_json
from heksherlite.service.domain.value_schemas import ValueSchema, same_schema
from heksherlite.values.wire_types import WireType, is_subtype

_MAX_LISTED_RULES: Final = 100
"""The maximum number of rules that a response lists with what is wrong with their values."""


class Level(IntEnum):
    """How much a difference matters. The API shows the name in lower case."""

    MINOR = 1
    """Programs that were written before the change still work."""
    MAJOR = 2
    """Programs that were written before the change may fail."""
    MISMATCH = 3
    """The change contradicts the stored rules and cannot be made."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference: either in an attribute, with its stored value, or described by a message."""

    level: Level
    attribute: str | None = None
    latest_value: Json = None
    message: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the difference as the API shows it."""
        level = self.level.name.lower()
        if self.attribute is None:
            return {"level": level, "message": self.message}
        return {"level": level, "attribute": self.attribute, "latest_value": self.latest_value}


@dataclass(frozen=True, slots=True)
class Shape:
    """The attributes of a declaration or a stored setting that are compared."""

    name: str
    configurable_features: frozenset[str]
    type: WireType
    default_value: Json
    metadata: Metadata
    schema: ValueSchema | None = None


def shape_of(entry: Entry) -> Shape:
    """Return the shape of a stored setting."""
    setting = entry.setting
    return Shape(
        name=setting.name,
        configurable_features=setting.configurable_features,
        type=setting.type,
        default_value=setting.declared_default_value,
        metadata=setting.metadata,
        schema=setting.schema,
    )


def differences(
    before: Shape,
    after: Shape,
    *,
    latest: Shape,
    rules: Iterable[Rule],
    catalog: Catalog,
    operator_default: Json = NO_VALUE,
) -> list[Difference]:
    """List the differences between two shapes of a setting, the least serious first.

    Args:
        before: The older shape.
        after: The newer shape.
        latest: The one of the two that is stored.
        rules: The rules that must fit the newer shape.
        catalog: The catalog, for the order of the context features.
        operator_default: The operator's default, if there is one. It must fit the newer shape too.
    """
    rules = list(rules)
    found = [
        *_of_features(before, after, latest, features_in_use(rules), catalog),
        *_of_type(before.type, after.type, latest.type, rules),
        *_of_operator_default(after.type, operator_default),
        *_of_schema(before, after, latest, rules, operator_default),
    ]
    if before.name != after.name:
        found.append(Difference(Level.MINOR, "name", latest.name))
    if not same_json(before.default_value, after.default_value):
        found.append(Difference(Level.MINOR, "default_value", latest.default_value))
    if not same_json(before.metadata, after.metadata):
        found.append(Difference(Level.MINOR, "metadata", latest.metadata))
    return sorted(found, key=lambda difference: difference.level)


def _of_operator_default(type: WireType, operator_default: Json) -> Iterable[Difference]:
    if operator_default is not NO_VALUE and not type.accepts(operator_default):
        yield Difference(Level.MISMATCH, message="setting type incompatible with the operator's default value")


def _of_schema(
    before: Shape, after: Shape, latest: Shape, rules: list[Rule], operator_default: Json
) -> Iterable[Difference]:
    if same_schema(before.schema, after.schema):
        return
    if after.schema is not None:
        unfit = 0
        for rule in rules:
            if after.type.accepts(rule.value) and (faults := after.schema.faults(rule.value)):
                unfit += 1
                if unfit <= _MAX_LISTED_RULES:
                    message = f"setting schema incompatible with the value of rule {rule.id}: {'; '.join(faults)}"
                    yield Difference(Level.MISMATCH, message=message)
        if unfit > _MAX_LISTED_RULES:
            message = f"setting schema incompatible with the values of {unfit - _MAX_LISTED_RULES} more rules"
            yield Difference(Level.MISMATCH, message=message)
        if operator_default is not NO_VALUE and after.type.accepts(operator_default):
            faults = after.schema.faults(operator_default)
            unfit += bool(faults)
            if faults:
                message = f"setting schema incompatible with the operator's default value: {'; '.join(faults)}"
                yield Difference(Level.MISMATCH, message=message)
        if unfit:
            return
    latest_schema = None if latest.schema is None else latest.schema.document
    yield Difference(Level.MINOR, "schema", latest_schema)


def features_in_use(rules: Iterable[Rule]) -> dict[str, list[int]]:
    """Return the ids of the rules that have a condition on a context feature, for each such feature."""
    in_use: dict[str, list[int]] = {}
    for rule in rules:
        for feature, _ in rule.conditions:
            in_use.setdefault(feature, []).append(rule.id)
    return in_use


def in_use_message(features: Collection[str], in_use: Mapping[str, list[int]], catalog: Catalog) -> str:
    """Return the message for features that cannot be removed because rules use them."""
    rule_ids = sorted({rule_id for feature in features for rule_id in in_use[feature]})
    return f"configurable features {catalog.in_order(features)} are still in use by rules {rule_ids}"


def _of_features(
    before: Shape, after: Shape, latest: Shape, in_use: Mapping[str, list[int]], catalog: Catalog
) -> Iterable[Difference]:
    removed = before.configurable_features - after.configurable_features
    added = after.configurable_features - before.configurable_features
    still_used = removed & in_use.keys()
    if still_used:
        yield Difference(Level.MISMATCH, message=in_use_message(still_used, in_use, catalog))
    if added:
        latest_value = catalog.in_order(latest.configurable_features)
        yield Difference(Level.MAJOR, "configurable_features", latest_value)
    elif removed and not still_used:
        message = f"removal of configurable features {catalog.in_order(removed)}"
        yield Difference(Level.MINOR, message=message)


def _of_type(before: WireType, after: WireType, latest: WireType, rules: list[Rule]) -> Iterable[Difference]:
    if before == after:
        return
    unfit = [rule.id for rule in rules if not after.accepts(rule.value)]
    if unfit:
        message = f"setting type incompatible with values for rules: {unfit}"
        yield Difference(Level.MISMATCH, message=message)
    else:
        level = Level.MINOR if is_subtype(after, before) else Level.MAJOR
        yield Difference(level, "type", str(latest))
