"""Declarations of settings by programs, compared with the stored settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.domain.declarers import EVERY_RIGHT, DeclarationRights, Declarer
from heksherlite.service.domain.differences import Difference, Level, Shape, differences, shape_of
from heksherlite.service.domain.entities import Entry, Setting
from heksherlite.service.domain.value_schemas import ValueSchema, same_schema
from heksherlite.service.domain.versions import INITIAL, Version
from heksherlite.service.errors import BadRequestError, DeclarationConflictError, DifferencesError, NotFoundError

MOST_DAYS: Final = 36_500
"""The longest time for which settings are undeclared that can be asked for, in days."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A well-formed declaration: the default fits the type, and the alias is not the name.

    Its schema is not checked yet.
    """

    shape: Shape
    version: Version
    alias: str | None = None


def declare(
    catalog: Catalog, declaration: Declaration, rights: DeclarationRights = EVERY_RIGHT
) -> Decision[dict[str, Any]]:
    """Create, upgrade or compare a setting. The result is the body of the response.

    Args:
        catalog: The catalog.
        declaration: The declaration.
        rights: The rights of whoever declares the setting.

    Raises:
        BadRequestError: A new setting has another version than 1.0, or the default does not satisfy the schema.
        InvalidError: The schema is invalid.
        TooLargeError: The schema is too large.
        NotFoundError: A context feature or the alias is unknown.
        DeclarationConflictError: The alias belongs to another setting, or the declaration contradicts the stored one.
    """
    entry = _declared_entry(catalog, declaration)
    declaration = _with_checked_schema(declaration, None if entry is None else entry.setting.schema)
    if entry is None:
        return _create(catalog, declaration, rights.declarer)
    missing = rights.missing_for(entry.setting.name, entry.setting.declarers)
    stored = entry.setting.version
    if declaration.version < stored:
        return _outdated(catalog, declaration, entry)
    require_features(catalog, declaration.shape.configurable_features)
    shape = _renaming_only_on_purpose(declaration, entry)
    found = differences(
        shape_of(entry),
        shape,
        latest=shape_of(entry),
        rules=entry.rules.values(),
        catalog=catalog,
        operator_default=entry.setting.operator_default_value,
    )
    listed = _listed(found)
    if declaration.version == stored:
        if found:
            raise DifferencesError("mismatch", listed, missing_right=missing)
        return Decision({"outcome": "uptodate"})

    if missing is not None:
        listed.append(Difference(Level.MISMATCH, message=missing).as_json())
        raise DifferencesError("rejected", listed, previous_version=str(stored), missing_right=missing)
    allowed = Level.MAJOR if declaration.version.major > stored.major else Level.MINOR
    if any(difference.level > allowed for difference in found):
        raise DifferencesError("rejected", listed, previous_version=str(stored))
    upgraded = _upgraded(entry.setting, shape, declaration.version, catalog.next_revision)
    result = {"outcome": "upgraded", "previous_version": str(stored), "differences": listed}
    return Decision(result, Changes(settings=(upgraded,)))


def _upgraded(setting: Setting, shape: Shape, version: Version, revision: int) -> Setting:
    return replace(
        renamed(setting, shape.name),
        configurable_features=shape.configurable_features,
        type=shape.type,
        declared_default_value=shape.default_value,
        metadata=shape.metadata,
        schema=shape.schema,
        version=version,
        revision=revision,
    )


def require_features(catalog: Catalog, features: Iterable[str]) -> None:
    """Check that context features exist.

    Raises:
        NotFoundError: Some do not; it names them.
    """
    unknown = sorted(set(features) - set(catalog.context_features))
    if unknown:
        raise NotFoundError(f"context features {unknown} do not exist")


def renamed(setting: Setting, name: str) -> Setting:
    """Return a setting with another name. The previous name becomes an alias."""
    return replace(setting, name=name, aliases=(setting.aliases | {setting.name}) - {name})


def _declared_entry(catalog: Catalog, declaration: Declaration) -> Entry | None:
    """Return the stored setting of a declaration, or None if the setting is new."""
    named = catalog.find(declaration.shape.name)
    if declaration.alias is None:
        return named
    aliased = catalog.find(declaration.alias)
    if aliased is None:
        raise NotFoundError(f"alias {declaration.alias!r} is not a setting")
    if named is None and aliased.setting.name == declaration.alias:
        return aliased
    if named is None or named.setting.id != aliased.setting.id:
        detail = f"alias {declaration.alias!r} belongs to setting {aliased.setting.name!r}"
        raise DeclarationConflictError(detail)
    return named


def _with_checked_schema(declaration: Declaration, stored: ValueSchema | None) -> Declaration:
    """Return a declaration whose default satisfies its schema. The stored schema, if it is the same, is compiled."""
    schema = declaration.shape.schema
    if schema is None:
        return declaration
    if stored is not None and same_schema(schema, stored):
        schema = stored
    else:
        schema.check()
    if faults := schema.faults(declaration.shape.default_value):
        raise BadRequestError(f"the default value does not fit the schema: {'; '.join(faults)}")
    return replace(declaration, shape=replace(declaration.shape, schema=schema))


def _create(catalog: Catalog, declaration: Declaration, declarer: Declarer | None) -> Decision[dict[str, Any]]:
    shape = declaration.shape
    if declaration.version != INITIAL:
        raise BadRequestError(f"a new setting must have version {INITIAL}, not {declaration.version}")
    require_features(catalog, shape.configurable_features)
    setting = Setting(
        id=catalog.counters.last_setting_id + 1,
        name=shape.name,
        type=shape.type,
        declared_default_value=shape.default_value,
        configurable_features=shape.configurable_features,
        version=declaration.version,
        metadata=shape.metadata,
        aliases=frozenset(),
        revision=catalog.next_revision,
        schema=shape.schema,
        declarers=frozenset() if declarer is None else frozenset({declarer}),
    )
    return Decision({"outcome": "created"}, Changes(settings=(setting,)))


def _outdated(catalog: Catalog, declaration: Declaration, entry: Entry) -> Decision[dict[str, Any]]:
    latest = shape_of(entry)
    found = differences(declaration.shape, latest, latest=latest, rules=(), catalog=catalog)
    version = str(entry.setting.version)
    return Decision({"outcome": "outdated", "latest_version": version, "differences": _listed(found)})


def _renaming_only_on_purpose(declaration: Declaration, entry: Entry) -> Shape:
    """Return the declared shape, under the stored name unless the declaration gives that name as its alias.

    A program that still declares an earlier name does not ask to undo the rename.
    """
    on_purpose = declaration.alias == entry.setting.name
    return declaration.shape if on_purpose else replace(declaration.shape, name=entry.setting.name)


def _listed(found: Iterable[Difference]) -> list[dict[str, Any]]:
    return [difference.as_json() for difference in found]


def is_undeclared(declared: Mapping[int, datetime], setting: Setting, since: datetime) -> bool:
    """Return whether no program has declared a setting after some time.

    Args:
        declared: When the settings were last declared, by their ids.
        setting: The setting.
        since: The time.
    """
    last = declared.get(setting.id)
    return last is None or last <= since
