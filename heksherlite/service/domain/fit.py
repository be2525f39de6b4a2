"""Checks whether a rule fits its setting, and a setting its own type. All writes share these checks and messages."""

from collections.abc import Iterable, Iterator

from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.json_values import Json
from heksherlite.wire_types import shorten


def rule_misfits(setting: Setting, rule: Rule) -> Iterator[str]:
    """Yield each reason why a rule does not fit its setting."""
    yield from feature_misfits(setting, (feature for feature, _ in rule.conditions))
    yield from value_misfits(setting, rule.value)


def feature_misfits(setting: Setting, features: Iterable[str]) -> Iterator[str]:
    """Yield the reason why a setting cannot have a rule with conditions on these context features, if there is one."""
    if foreign := sorted(set(features) - setting.configurable_features):
        yield f"setting {setting.name!r} is not configurable by {foreign}"


def value_misfits(setting: Setting, value: Json) -> Iterator[str]:
    """Yield the reason why a setting cannot have a rule with this value, if there is one."""
    if problem := setting.type.problem(value):
        yield f"the value does not fit setting {setting.name!r} of type {shorten(setting.type)}: {problem}"


def default_misfits(setting: Setting) -> Iterator[str]:
    """Yield each reason why a setting cannot have its declared default value, or that of its operator."""
    described = f"setting {setting.name!r} of type {shorten(setting.type)}"
    if problem := setting.type.problem(setting.declared_default_value):
        yield f"the default value does not fit {described}: {problem}"
    if setting.has_operator_default and (problem := setting.type.problem(setting.operator_default_value)):
        yield f"the operator's default value does not fit {described}: {problem}"
