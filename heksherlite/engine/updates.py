"""From what the service says about a setting to the lookup that the program reads."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heksherlite.engine.options import ContextOptions
from heksherlite.engine.protocol import QueriedSetting
from heksherlite.lookup import Lookup
from heksherlite.rules import QueriedRule, build_rule_set
from heksherlite.setting import Setting

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """A value from the service that was converted.

    Attributes:
        value: The Python value.
        coercions: What was changed to get it.
    """

    value: Any
    coercions: Sequence[str]


def receive(setting: Setting[Any], raw_value: Any, rule: QueriedRule[Any] | None) -> Received:
    """Convert a value from the service, ask ``on_coerce`` if need be, and run the validators.

    Args:
        setting: The setting that the value is for.
        raw_value: The value as JSON.
        rule: The rule that has it, ``None`` for a default.

    Raises:
        TypeError: If the value cannot be converted, or was rejected.
    """
    conversion = setting.type.convert_from_heksher(raw_value)
    value = conversion.value
    if conversion.coercions:
        if setting.on_coerce is None:
            raise TypeError(f"coercions are rejected: {'; '.join(conversion.coercions)}")
        value = setting.on_coerce(value, raw_value, conversion.coercions, rule, setting)
    for validator in setting.validators:
        value = validator(value, rule, setting)
    return Received(value, conversion.coercions)


def make_lookup(
    setting: Setting[Any], queried: QueriedSetting, global_order: Sequence[str], options: ContextOptions
) -> Lookup:
    """Make the lookup of a setting from what a query answered, and log what could not be used.

    Raises:
        ServiceAnswerError: If a rule is not a rule.
    """
    rules = _receive_rules(setting, queried)
    rule_set, conflicts = build_rule_set(setting.configurable_features, global_order, rules)
    for rule in conflicts:
        logger.error(
            "rule conflict, overlapping values for context",
            extra={
                "setting": setting.name,
                "rule_id": rule.rule_id,
                "context_features": rule.context_features,
            },
        )
    default, default_source = setting.lookup.default, setting.lookup.default_source
    try:
        received = receive(setting, queried.default_value, None)
    except Exception as error:  # noqa: BLE001 - a validator of the program may raise anything; the value is refused
        logger.warning(
            "setting default value discarded default due to conversion error",
            extra={
                "setting": setting.name,
                "server_default_value": queried.default_value,
                "error": repr(error),
            },
        )
    else:
        default, default_source = received.value, "service"
        if received.coercions:
            logger.warning(
                "setting default value coerced to local value",
                extra={
                    "setting": setting.name,
                    "server_default_value": queried.default_value,
                    "coercions": list(received.coercions),
                },
            )
    return Lookup(
        setting.name,
        rule_set,
        default,
        default_source=default_source,
        context_defaults=options.defaults,
        tracking=options,
    )


def _receive_rules(setting: Setting[Any], queried: QueriedSetting) -> list[QueriedRule[Any]]:
    features = frozenset(setting.configurable_features)
    received_rules: list[QueriedRule[Any]] = []
    rejected: dict[int, str] = {}
    coerced: dict[int, list[str]] = {}
    for rule in queried.read_rules():
        unknown = [feature for feature, _ in rule.context_features if feature not in features]
        if unknown:
            rejected[rule.rule_id] = f"not configurable by {', '.join(map(repr, unknown))}"
            continue
        try:
            received = receive(setting, rule.value, rule)
        except Exception as error:  # noqa: BLE001 - a validator of the program may raise anything; the rule is refused
            rejected[rule.rule_id] = repr(error)
            continue
        if received.coercions:
            coerced[rule.rule_id] = list(received.coercions)
        received_rules.append(QueriedRule(rule.rule_id, rule.context_features, received.value))
    if rejected:
        logger.warning("setting update rejected rules", extra={"setting": setting.name, "rejected_rules": rejected})
    if coerced:
        logger.info("setting update coerced values", extra={"setting": setting.name, "coercions": coerced})
    return received_rules
