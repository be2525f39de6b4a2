"""Writes of operators to one attribute of a setting."""

from dataclasses import replace
from typing import Final

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.domain.declarations import renamed, require_features
from heksherlite.service.domain.declarers import Declarer
from heksherlite.service.domain.differences import features_in_use, in_use_message
from heksherlite.service.domain.entities import Setting
from heksherlite.service.domain.fit import default_misfits, value_misfits
from heksherlite.service.domain.json_values import Json, Metadata, same_json
from heksherlite.service.domain.metadata import MetadataEdit
from heksherlite.service.domain.versions import Version
from heksherlite.service.errors import BadRequestError, ConflictError, ConflictsError, NotFoundError
from heksherlite.values.wire_types import WireType, is_subtype, shorten

_MAX_LISTED_RULES: Final = 100
"""The maximal number of rules that a response lists as conflicts."""


def remove(catalog: Catalog, name: str) -> Decision[None]:
    """Remove a setting and its rules."""
    return Decision(None, Changes(removed_settings=frozenset({catalog.entry(name).setting.id})))


def change_type(catalog: Catalog, name: str, new_type: WireType, version: Version) -> Decision[None]:
    """Change the type. The default and the rules must fit. A new minor version can only narrow the type."""
    entry = catalog.entry(name)
    setting = entry.setting
    if (new_type, version) == (setting.type, setting.version):
        return Decision(None)
    _require_higher(version, setting)
    changed = replace(setting, type=new_type, version=version)
    conflicts = list(default_misfits(changed))
    misfitting = [rule for rule in entry.rules.values() if not new_type.accepts(rule.value)]
    for rule in misfitting[:_MAX_LISTED_RULES]:
        conflicts += [f"rule {rule.id}: {misfit}" for misfit in value_misfits(changed, rule.value)]
    if len(misfitting) > _MAX_LISTED_RULES:
        conflicts.append(f"{len(misfitting) - _MAX_LISTED_RULES} more rules do not fit the type")
    narrowed = new_type == setting.type or is_subtype(new_type, setting.type)
    if not narrowed and version.major == setting.version.major:
        conflicts.append(
            f"{shorten(new_type)} is not a sub-type of {shorten(setting.type)}: this needs a higher major version"
        )
    if conflicts:
        raise ConflictsError(conflicts)
    return _stored(catalog, changed)


def rename(catalog: Catalog, name: str, new_name: str, version: Version) -> Decision[None]:
    """Rename a setting. The previous name becomes an alias. The new name can be an alias of the setting."""
    setting = catalog.entry(name).setting
    if version < setting.version:
        raise ConflictError(f"version {version} is older than the stored version {setting.version}")
    other = catalog.find(new_name)
    if other is not None and other.setting.id != setting.id:
        raise ConflictError(f"name {new_name!r} belongs to setting {other.setting.name!r}")
    if (new_name, version) == (setting.name, setting.version):
        return Decision(None)
    return _stored(catalog, replace(renamed(setting, new_name), version=version))


def change_configurable_features(
    catalog: Catalog, name: str, features: frozenset[str], version: Version
) -> Decision[None]:
    """Replace the configurable features. Rules must not use removed ones. Added ones need a new major version."""
    entry = catalog.entry(name)
    setting = entry.setting
    require_features(catalog, features)
    if (features, version) == (setting.configurable_features, setting.version):
        return Decision(None)
    _require_higher(version, setting)
    in_use = features_in_use(entry.rules.values())
    still_used = in_use.keys() - features
    if still_used:
        raise ConflictError(in_use_message(still_used, in_use, catalog))
    added = features - setting.configurable_features
    if added and version.major == setting.version.major:
        raise ConflictError(f"adding configurable features {catalog.in_order(added)} needs a higher major version")
    return _stored(catalog, replace(setting, configurable_features=features, version=version))


def edit_metadata(catalog: Catalog, name: str, edit: MetadataEdit, version: Version) -> Decision[None]:
    """Edit the metadata. The version must be higher than the stored one."""
    setting = catalog.entry(name).setting
    _require_higher(version, setting)
    return _stored(catalog, replace(setting, metadata=edit(setting.metadata), version=version))


def set_default(catalog: Catalog, name: str, value: Json, metadata: Metadata | None = None) -> Decision[None]:
    """Set the operator's default, which is in force in place of the declared one.

    Args:
        catalog: What there is.
        name: The name of the setting.
        value: The default.
        metadata: The metadata of the default. None: as it is.
    """
    setting = catalog.entry(name).setting
    for misfit in value_misfits(setting, value):
        raise BadRequestError(misfit)
    if metadata is None:
        metadata = setting.operator_default_metadata
    is_same = setting.has_operator_default and same_json(setting.operator_default_value, value)
    if is_same and same_json(setting.operator_default_metadata, metadata):
        return Decision(None)
    return _stored(catalog, replace(setting, operator_default_value=value, operator_default_metadata=metadata))


def clear_default(catalog: Catalog, name: str) -> Decision[None]:
    """Remove the operator's default, if there is one."""
    setting = catalog.entry(name).setting
    if not setting.has_operator_default:
        return Decision(None)
    return _stored(catalog, replace(setting, operator_default_value=NO_VALUE, operator_default_metadata={}))


def set_metadata(catalog: Catalog, name: str, metadata: Metadata) -> Decision[None]:
    """Replace the metadata without a new version: what people note about a setting is no declaration."""
    setting = catalog.entry(name).setting
    if same_json(setting.metadata, metadata):
        return Decision(None)
    return _stored(catalog, replace(setting, metadata=metadata))


def set_protection(catalog: Catalog, name: str, *, protected: bool) -> Decision[None]:
    """Protect a setting from writes that are no proposals, or end that."""
    setting = catalog.entry(name).setting
    if setting.is_protected == protected:
        return Decision(None)
    return _stored(catalog, replace(setting, is_protected=protected))


def set_client_visible(catalog: Catalog, name: str, *, client_visible: bool) -> Decision[None]:
    """Show the values of a setting to tokens that have only the scope ``evaluate``, or end that."""
    setting = catalog.entry(name).setting
    if setting.is_client_visible == client_visible:
        return Decision(None)
    return _stored(catalog, replace(setting, is_client_visible=client_visible))


def add_declarer(catalog: Catalog, name: str, declarer: Declarer) -> Decision[None]:
    """Permit an application or a token to upgrade a setting by declaring it."""
    setting = catalog.entry(name).setting
    if declarer in setting.declarers:
        return Decision(None)
    return _stored(catalog, replace(setting, declarers=setting.declarers | {declarer}))


def remove_declarer(catalog: Catalog, name: str, declarer: Declarer) -> Decision[None]:
    """Withdraw that permission.

    Raises:
        NotFoundError: It was not given.
    """
    setting = catalog.entry(name).setting
    if declarer not in setting.declarers:
        raise NotFoundError(f"the {declarer.kind} {declarer.id!r} is not a declarer of {setting.name!r}")
    return _stored(catalog, replace(setting, declarers=setting.declarers - {declarer}))


def _require_higher(version: Version, setting: Setting) -> None:
    if version <= setting.version:
        raise ConflictError(f"version {version} is not higher than the stored version {setting.version}")


def _stored(catalog: Catalog, setting: Setting) -> Decision[None]:
    return Decision(None, Changes(settings=(replace(setting, revision=catalog.next_revision),)))
