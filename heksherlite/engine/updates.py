"""From what the service says about a setting to the lookup that the program reads."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from heksherlite.cancellation import let_signals_pass
from heksherlite.engine.messages import CHECKPOINT, Flow, Response
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.queries import ContextFilter
from heksherlite.engine.query_events import FeatureOrder, SettingBegins, SettingDefault
from heksherlite.engine.query_responses import read_query
from heksherlite.lookup import DefaultSource, Lookup, RejectedValue
from heksherlite.rule_sets import NO_VALUE, RuleSet
from heksherlite.rules import QueriedRule, RuleBatch, RuleSetBuilder
from heksherlite.setting import Setting
from heksherlite.values.conversions import Conversion

logger = logging.getLogger(__name__)

_LISTED: Final = 5
"""The maximum number of values that the text of a log message lists. Its ``extra`` has all of them."""


def receive(setting: Setting[Any], raw_value: Any, rule: QueriedRule[Any] | None) -> Conversion[Any]:
    """Convert a value from the service, call ``on_coerce`` if necessary, and run the validators.

    Args:
        setting: The setting that the value is for.
        raw_value: The value as JSON.
        rule: The rule of the value, or ``None`` for a default.

    Raises:
        TypeError: If the value cannot be converted or was rejected.
        Exception: Whatever else the program's functions raise.
    """
    try:
        return _received(setting, raw_value, rule)
    except Exception:
        raise
    except BaseException as error:
        let_signals_pass(error)
        # SystemExit, KeyboardInterrupt or CancelledError: a function of the program must not end the updates.
        raise TypeError(f"a function of the program raised {error!r}") from error


def _received(setting: Setting[Any], raw_value: Any, rule: QueriedRule[Any] | None) -> Conversion[Any]:
    value, coercions = setting.type.convert_from_heksher(raw_value)
    if coercions:
        if setting.on_coerce is None:
            raise TypeError(f"coercions are rejected: {'; '.join(coercions)}")
        value = setting.on_coerce(value, raw_value, coercions, rule, setting)
    for validator in setting._validators:
        value = validator(value, rule, setting)
    return Conversion(value, coercions)


class Reading(NamedTuple):
    """What a response says about some settings.

    Attributes:
        updates: One update for each setting in the response.
        order: The service's order of the context features, if it says that.
        unknown_names: Whether the response contains other settings too.
    """

    updates: "list[SettingUpdate]"
    order: tuple[str, ...] | None
    unknown_names: bool


@dataclass(frozen=True, slots=True)
class Continuation:
    """Which rules a response continues.

    Attributes:
        lookups: Lookups of earlier responses that are not in force yet, by the id of the setting.
        selects: Which of the tracked rules the query selects, if it does not select all of them.
        is_complete: Whether the responses together contain all rules of their settings.
        adds: Whether the rules of a whole setting are added to those of earlier responses, instead of replacing them.
    """

    lookups: Mapping[int, Lookup] = field(default_factory=dict)
    selects: ContextFilter | None = None
    is_complete: bool = False
    adds: bool = False

    def begin(self, setting: Setting[Any], begins: SettingBegins) -> "SettingUpdate":
        """Return what collects the rules of a setting."""
        earlier = self.lookups.get(id(setting))
        before = setting._served if earlier is None else earlier
        if not begins.whole:
            return SettingUpdate(setting, before, before.rules, begins.removed)
        if earlier is not None and self.adds:
            return SettingUpdate(setting, before, before.rules)
        if self.selects is None or (earlier is None and self.is_complete):
            return SettingUpdate(setting, before)
        rejected = [value.rule_id for value in before.rejected if self.selects.selects(value.context_features)]
        removed = [*self.selects.selected_ids(before.rules), *(rule_id for rule_id in rejected if rule_id is not None)]
        return SettingUpdate(setting, before, before.rules, removed)


def read_updates(
    response: Response, named: Callable[[str], Sequence[Setting[Any]] | None], continuation: Continuation
) -> Flow[Reading]:
    """Read the response to a query, piece by piece.

    Args:
        response: The response.
        named: Returns the settings with a canonical name, or ``None`` if there are none.
        continuation: Which rules the response continues.

    Raises:
        ServiceResponseError: If the response does not follow the protocol.
    """
    updates: list[SettingUpdate] = []
    begun: list[SettingUpdate] = []
    order: tuple[str, ...] | None = None
    unknown_names = False
    for event in read_query(response):
        match event:  # the most frequent first
            case RuleBatch():
                for update in begun:
                    update.add(event)
                yield CHECKPOINT
            case SettingBegins(name, _, removed):
                settings = named(name)
                unknown_names = unknown_names or settings is None
                begun = [continuation.begin(setting, event) for setting in settings or ()]
                updates += begun
                if removed:
                    yield CHECKPOINT
            case SettingDefault(value, is_of_operator):
                for update in begun:
                    update.default_value = value
                    update.default_source = "operator" if is_of_operator else "service"
                yield CHECKPOINT  # one for each setting, even if it has no rules
            case FeatureOrder(names):
                order = names
    return Reading(updates, order, unknown_names)


class SettingUpdate:
    """Collects what a response says about a setting, and builds its lookup.

    Args:
        setting: The setting. It is not changed.
        before: The lookup to be replaced.
        base: The rules that the response changes, or ``None`` for none.
        removed: The ids of the rules to be removed from them first.

    Attributes:
        default_value: The service's default, as JSON. Assign it before :meth:`lookup` is called.
        default_source: Its origin. Likewise.
    """

    __slots__ = (
        "_before",
        "_builder",
        "_coerced",
        "_rejected",
        "_rejected_before",
        "default_source",
        "default_value",
        "setting",
    )

    def __init__(
        self,
        setting: Setting[Any],
        before: Lookup,
        base: RuleSet[Any] | None = None,
        removed: Sequence[int] = (),
    ) -> None:
        self.setting = setting
        self._before = before
        self.default_value: Any = NO_VALUE
        self.default_source: DefaultSource = "service"
        self._rejected: dict[int, RejectedValue] = {}  # of this response
        self._rejected_before: dict[int | None, RejectedValue] = {}
        if base is not None:
            self._rejected_before = {value.rule_id: value for value in before.rejected}
        self._coerced: dict[int, Sequence[str]] = {}
        self._builder: RuleSetBuilder[Any] = RuleSetBuilder(setting.configurable_features, base)
        if removed:
            self._builder.remove(removed)
            for rule_id in removed:
                self._rejected_before.pop(rule_id, None)

    def add(self, batch: RuleBatch[Any]) -> None:
        """Add rules. A rule whose value is rejected keeps its last good value, if it has one."""
        if self._rejected_before:
            for rule_id in batch.rule_ids:
                self._rejected_before.pop(rule_id, None)
        known = self.setting.configurable_features
        if unknown := [feature for feature in batch.features if feature not in known]:
            for rule in batch.rules():
                self._reject(rule, f"not configurable by {', '.join(map(repr, sorted(unknown)))}")
            return
        values = None if self.setting._validators else self._convert_all(batch.values)
        if values is None:
            received = [self._receive(rule) for rule in batch.rules()]
            keep = [value is not NO_VALUE for value in received]
            batch = batch.only(keep, [value for value in received if value is not NO_VALUE])
        elif values is not batch.values:
            batch = RuleBatch(batch.rule_ids, batch.features, batch.columns, values)
        self._builder.add(batch)

    def lookup(self, global_order: Sequence[str], options: ContextOptions) -> Lookup:
        """Return the lookup, and log the values that are not used.

        Args:
            global_order: The service's order of all context features.
            options: The context options of the client.
        """
        name = self.setting.name
        if self._rejected:
            self._keep_last_good_values()
        if self._rejected or self._coerced or self._builder.conflicts:
            self._log()
        rules = self._builder.build(global_order)
        default, default_source, rejected_default = self._default()
        self._rejected_before.pop(None, None)
        rejected = (*rejected_default, *self._rejected_before.values(), *self._rejected.values())
        return Lookup(name, rules, default, options.contexts(rules.features), default_source, rejected)

    def _reject(self, rule: QueriedRule[Any], reason: str) -> None:
        self._rejected[rule.rule_id] = RejectedValue(
            rule.rule_id, rule.context_features, rule.value, reason, is_kept=False
        )

    def _keep_last_good_values(self) -> None:
        # The lookup before may be one of an earlier response of this update, with other rules than those in force.
        self._builder.remove(self._rejected)
        for rule in chain(self._before.rules, self.setting._served.rules):
            rejected = self._rejected.get(rule.rule_id)
            if rejected is None or rejected.is_kept:
                continue
            # In a restored database, another rule may have the id.
            if set(rejected.context_features) == set(rule.context_features):
                self._rejected[rule.rule_id] = rejected._replace(is_kept=True)
                names = [name for name, _ in rule.context_features]
                columns = [(value,) for _, value in rule.context_features]
                self._builder.add(RuleBatch((rule.rule_id,), names, columns, (rule.value,)))

    def _log(self) -> None:
        name = self.setting.name
        for rule in self._builder.conflicts:
            conditions = ", ".join(f"{feature}={value}" for feature, value in rule.context_features)
            logger.error(
                "rule conflict, overlapping values for context: %s",
                f"{name!r} has several rules for {conditions or 'all contexts'}; rule {rule.rule_id} is used",
                extra={"setting": name, "rule_id": rule.rule_id, "context_features": rule.context_features},
            )
        if self._rejected:
            reasons = {rule_id: rejected.reason for rule_id, rejected in self._rejected.items()}
            logger.warning(
                "setting update rejected rules: %s",
                f"{name!r}, {_few(self._rejected.values())}",
                extra={"setting": name, "rejected_rules": reasons},
            )
        if self._coerced:
            logger.info(
                "setting update coerced values: %s",
                f"{name!r}, {_few([f'rule {rule_id}: {texts}' for rule_id, texts in self._coerced.items()])}",
                extra={"setting": name, "coercions": self._coerced},
            )

    def _convert_all(self, raw_values: Sequence[Any]) -> Sequence[Any] | None:
        try:
            return self.setting.type.convert_all_from_heksher(raw_values)
        except Exception as error:  # noqa: BLE001 - a setting type of the program may raise anything; values are tried one by one
            let_signals_pass(error)
            return None

    def _receive(self, rule: QueriedRule[Any]) -> Any:
        try:
            received = receive(self.setting, rule.value, rule)
        except Exception as error:  # noqa: BLE001 - a validator of the program may raise anything; the rule is refused
            let_signals_pass(error)
            self._reject(rule, repr(error))
            return NO_VALUE
        if received.coercions:
            self._coerced[rule.rule_id] = received.coercions
        return received.value

    def _default(self) -> tuple[Any, DefaultSource, Sequence[RejectedValue]]:
        name = self.setting.name
        try:
            received = receive(self.setting, self.default_value, None)
        except Exception as error:  # noqa: BLE001 - a validator of the program may raise anything; the value is refused
            let_signals_pass(error)
            rejected = RejectedValue(None, (), self.default_value, repr(error), is_kept=True)
            logger.warning(
                "setting default value discarded default due to conversion error: %s",
                f"{name!r}, {rejected}",
                extra={"setting": name, "server_default_value": self.default_value, "error": repr(error)},
            )
            return self._before.default, self._before.default_source, [rejected]
        if received.coercions:
            logger.warning(
                "setting default value coerced to local value: %s",
                f"{name!r}, {'; '.join(received.coercions)}",
                extra={
                    "setting": name,
                    "server_default_value": self.default_value,
                    "coercions": received.coercions,
                },
            )
        return received.value, self.default_source, ()


def _few(items: Collection[object]) -> str:
    """Join the texts of the first items, and append the number of the others."""
    others = f"; and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return "; ".join(map(str, islice(items, _LISTED))) + others
