"""Checks imported settings and rules, each one against those before it."""

from collections.abc import Mapping, Sequence

from heksherlite.rule_sets import NO_VALUE
from heksherlite.service.domain.entities import Conditions, Rule, Setting
from heksherlite.service.domain.fit import default_misfits, rule_misfits
from heksherlite.service.domain.json_values import Json, Metadata
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.rules import conditions_of
from heksherlite.service.domain.schedule import Schedule
from heksherlite.service.domain.value_schemas import ValueSchema
from heksherlite.service.domain.versions import Version
from heksherlite.service.errors import RequestError
from heksherlite.values.wire_types import WireType


class Importer:
    """Checks settings, each followed by its rules, that replace all existing ones.

    Args:
        context_features: The context features in their order.
        last_setting_id: The highest id of a setting that was ever used.
        revision: The revision that stores the settings and rules.
    """

    def __init__(self, context_features: Sequence[str], *, last_setting_id: int, revision: RevisionId) -> None:
        self._context_features = frozenset(context_features)
        self._last_setting_id = last_setting_id
        self._revision = revision
        self._names: dict[str, str] = {}
        self._rule_ids: set[int] = set()
        self.last_rule_id = 0
        """The highest id of the imported rules."""
        self._setting: Setting | None = None
        self._ids_by_conditions: dict[Conditions, int] = {}

    def setting(
        self,
        *,
        name: str,
        type: WireType,
        default_value: Json,
        configurable_features: Sequence[str],
        version: Version,
        metadata: Metadata,
        aliases: Sequence[str],
        operator_default_value: Json = NO_VALUE,
        operator_default_metadata: Metadata | None = None,
        protected: bool = False,
        client_visible: bool = False,
        schema: Json = None,
    ) -> Setting:
        """Check a setting and return it.

        Raises:
            ValueError: The setting contradicts itself or an earlier one.
        """
        if unknown := sorted(set(configurable_features) - self._context_features):
            raise ValueError(f"context features {unknown} do not exist")
        setting = Setting(
            id=self._last_setting_id + 1,
            name=name,
            type=type,
            declared_default_value=default_value,
            configurable_features=frozenset(configurable_features),
            version=version,
            metadata=metadata,
            aliases=frozenset(aliases),
            revision=self._revision.number,
            nonce=self._revision.nonce,
            operator_default_value=operator_default_value,
            operator_default_metadata=operator_default_metadata or {},
            is_protected=protected,
            is_client_visible=client_visible,
            schema=None if schema is None else ValueSchema(schema),
        )
        if setting.schema is not None:
            _check(setting.schema)
        if setting.operator_default_metadata and not setting.has_operator_default:
            raise ValueError("there is operator_default_metadata, but no operator_default_value")
        for misfit in default_misfits(setting):
            raise ValueError(misfit)
        for known_as in (name, *aliases):
            if known_as in self._names:
                raise ValueError(f"the name {known_as!r} belongs to setting {self._names[known_as]!r}")
            self._names[known_as] = name
        self._last_setting_id = setting.id
        self._ids_by_conditions = {}
        self._setting = setting
        return setting

    def rule(
        self,
        *,
        rule_id: int,
        feature_values: Mapping[str, str],
        value: Json,
        metadata: Metadata,
        schedule: Schedule | None,
    ) -> Rule:
        """Check a rule of the latest setting and return it.

        Raises:
            ValueError: The rule contradicts its setting or an earlier rule.
        """
        setting = self._setting
        if setting is None:
            raise ValueError("a rule must follow its setting, but there is no setting before it")
        if rule_id in self._rule_ids:
            raise ValueError("there is another rule with this id")
        rule = Rule(rule_id, setting.id, conditions_of(feature_values), value, metadata, schedule)
        for misfit in rule_misfits(setting, rule):
            raise ValueError(misfit)
        same = self._ids_by_conditions.setdefault(rule.conditions, rule_id)
        if same != rule_id:
            raise ValueError(f"rule {same} has the same conditions")
        self._rule_ids.add(rule_id)
        self.last_rule_id = max(self.last_rule_id, rule_id)
        return rule


def _check(schema: ValueSchema) -> None:
    try:
        schema.check()
    except RequestError as error:
        raise ValueError(error.message) from error
