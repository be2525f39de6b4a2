"""Checks whether a rule fits its setting, and a setting its own type and schema.

All writes share these checks and messages.
"""

from collections.abc import Iterable, Iterator

from heksherlite.names import nearest_name
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.json_values import Json
from heksherlite.values.wire_types import shorten


def rule_misfits(setting: Setting, rule: Rule) -> Iterator[str]:
    """Yield each reason why a rule does not fit its setting."""
    yield from feature_misfits(setting, (feature for feature, _ in rule.conditions))
    yield from value_misfits(setting, rule.value)


def feature_misfits(setting: Setting, features: Iterable[str]) -> Iterator[str]:
    """Yield the reason why a setting cannot have a rule with conditions on these context features, if there is one."""
    if foreign := sorted(set(features) - setting.configurable_features):
        known = sorted(setting.configurable_features)
        nearest = nearest_name(foreign[0], known)
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        yield f"setting {setting.name!r} is not configurable by {foreign}; its configurable features are {known}{hint}"


def value_misfits(setting: Setting, value: Json) -> Iterator[str]:
    """Yield the reason why a setting cannot have a rule with this value, if there is one."""
    if misfit := _misfit(setting, value):
        yield f"the value does not fit {misfit}"


def default_misfits(setting: Setting) -> Iterator[str]:
    """Yield each reason why a setting cannot have its declared default value, or that of its operator."""
    if misfit := _misfit(setting, setting.declared_default_value):
        yield f"the default value does not fit {misfit}"
    if setting.has_operator_default and (misfit := _misfit(setting, setting.operator_default_value)):
        yield f"the operator's default value does not fit {misfit}"


def _misfit(setting: Setting, value: Json) -> str | None:
    """Return what a value does not fit and why, or None if it fits."""
    if problem := setting.type.problem(value):
        return f"setting {setting.name!r} of type {shorten(setting.type)}: {problem}"
    if setting.schema is not None and (faults := setting.schema.faults(value)):
        return f"the schema of setting {setting.name!r}: {'; '.join(faults)}"
    return None
