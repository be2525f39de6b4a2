"""All settings of the service as feature flags, declared by this program or not."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from heksherlite.engine import protocol
from heksherlite.engine.messages import CHECKPOINT, Flow, Request, Response, send, send_all, unwrap
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.protocol import DELTA_STATUS, NOT_MODIFIED, SettingData
from heksherlite.engine.queries import ContextFilter, QuerySize
from heksherlite.engine.query_events import FeatureOrder, SettingBegins, SettingDefault
from heksherlite.engine.query_responses import read_query
from heksherlite.flags import Flag, ServedRule, plain_values
from heksherlite.in_force import PinnedState
from heksherlite.rule_sets import RuleSet
from heksherlite.rules import RuleBatch, RuleSetBuilder
from heksherlite.values.type_strings import parse_type
from heksherlite.values.wire_types import JSON, WireType

_FEW: Final = 20
"""Up to how many changed settings are looked up one by one. More are listed with all others."""

_REVISION: Final = re.compile(r'"(\d+)-')


class Observer(Protocol):
    """Is told about the updates of :class:`AllSettings`."""

    def updated(self, names: Collection[str]) -> None:
        """Take note of an update that succeeded, and of the names of the flags that changed."""

    def failed(self, error: Exception) -> None:
        """Take note of what went wrong with an update."""


class Flags(NamedTuple):
    """The flags after an update.

    Attributes:
        by_name: The flags by name and alias.
        revision: The revision of the service, or ``None`` before the first update.
    """

    by_name: Mapping[str, Flag]
    revision: int | str | None


class AllSettings:
    """All settings of the service, with the rules that a client tracks. Nothing is declared.

    Any thread may read the flags. The flows belong to one thread.

    Args:
        options: What the client tracks.

    Attributes:
        flags: The settings as flags, which each update replaces.
        context_features: The context features in the order of the service.
        observers: What is told about each update.
    """

    def __init__(self, options: ContextOptions) -> None:
        self.observers: tuple[Observer, ...] = ()
        self.flags = PinnedState(Flags(MappingProxyType({}), None))
        self.context_features: tuple[str, ...] = ()
        self._options = options
        self._tags: dict[ContextFilter, str] = {}
        self._settings: dict[str, SettingData] = {}

    @property
    def is_loaded(self) -> bool:
        """Whether an update succeeded."""
        return self.flags.newest.revision is not None

    def fetch(self, event_id: str | None) -> Flow[Sequence[str]]:
        """Bring the flags up to date, and return the names of those that changed.

        Args:
            event_id: The id of the last event of the stream of changes. The flags are not older than it.

        Raises:
            Exception: If the service is unreachable or responds with an error. Nothing changes then.
        """
        filters = list(self._options.filter_portions(QuerySize()))
        if len(filters) == 1:
            tag = self._tags.get(filters[0])
            responses = [(yield from send(protocol.query_all(filters[0].text, tag, event_id)))]
            if responses[0].status == NOT_MODIFIED:
                return ()
        else:
            tags = [self._tags.get(context_filter) for context_filter in filters]
            responses = yield from self._query(filters, tags, event_id)
            if all(response.status == NOT_MODIFIED for response in responses):
                return ()
            responses = yield from self._query(filters, [None] * len(filters), event_id)
        reading = _Reading(self.flags.newest.by_name if responses[0].status == DELTA_STATUS else {})
        for response in responses:
            yield from reading.names(response)
        settings = yield from self._details(reading.found, partial=responses[0].status == DELTA_STATUS)
        order = reading.order
        if order is None:
            order = protocol.read_context_features((yield from send(protocol.CONTEXT_FEATURES)))
        for response in responses:
            yield from reading.rules(response, settings)
        return self._apply(reading, settings, order, filters, responses)

    def stream_request(self) -> Request:
        """Return the request for the stream of changes to any setting."""
        filters = self._options.filter_portions(QuerySize())
        return protocol.stream(None, filters[0].text if len(filters) == 1 else None)

    def _query(
        self, filters: Sequence[ContextFilter], tags: Sequence[str | None], event_id: str | None
    ) -> Flow[list[Response]]:
        requests = [
            protocol.query_all(context_filter.text, tag, event_id, partial=False)
            for context_filter, tag in zip(filters, tags, strict=True)
        ]
        return [unwrap(outcome) for outcome in (yield from send_all(requests))]

    def _details(self, names: Sequence[str], *, partial: bool) -> Flow[dict[str, SettingData]]:
        """Return the declarations of all settings, of which those with these names may have changed."""
        if not partial or len(names) > _FEW:
            return protocol.read_settings((yield from send(protocol.ALL_SETTINGS)))
        settings = self._settings.copy()
        for outcome in (yield from send_all(protocol.look_up(name) for name in names)):
            data = protocol.read_setting(unwrap(outcome))
            if data is not None:
                settings[data.name] = data
        return settings

    def _apply(
        self,
        reading: "_Reading",
        settings: dict[str, SettingData],
        order: tuple[str, ...],
        filters: Sequence[ContextFilter],
        responses: Sequence[Response],
    ) -> Sequence[str]:
        before = {flag.key: flag for flag in self.flags.newest.by_name.values()}
        partial = responses[0].status == DELTA_STATUS
        after = before.copy() if partial else {}
        after.update(reading.flags(order))
        flags = {}
        for name, flag in after.items():
            flags[name] = flag
            flags.update((alias, flag) for alias in settings[name].aliases)
        self._settings = settings
        self.context_features = order
        tags = {context_filter: r.etag for context_filter, r in zip(filters, responses, strict=True)}
        self._tags = {context_filter: tag for context_filter, tag in tags.items() if tag is not None}
        self.flags.replace(Flags(MappingProxyType(flags), _revision(responses[0].etag)))
        return sorted(name for name in {**before, **after} if before.get(name) != after.get(name))


def _revision(tag: str | None) -> int | str:
    match = _REVISION.match(tag or "")
    return int(match[1]) if match else (tag or "unknown")


class _Reading:
    """Reads responses twice: first for the names of the settings, whose types are needed to read the values."""

    def __init__(self, before: Mapping[str, Flag]) -> None:
        self._before = before
        self.order: tuple[str, ...] | None = None
        self.found: list[str] = []
        self._updates: dict[str, _FlagUpdate] = {}

    def names(self, response: Response) -> Flow[None]:
        """Read the order of the context features and the names."""
        found = dict.fromkeys(self.found)
        for event in read_query(response):
            match event:
                case FeatureOrder(names):
                    self.order = names
                case SettingBegins(name):
                    found[name] = None
            yield CHECKPOINT
        self.found = list(found)

    def rules(self, response: Response, settings: Mapping[str, SettingData]) -> Flow[None]:
        """Read the defaults and the rules of the settings whose declarations are known."""
        update: _FlagUpdate | None = None
        for event in read_query(response):
            match event:
                case SettingBegins(name, whole, removed):
                    update = self._updates.get(name)
                    if update is None and name in settings:
                        base = None if whole else self._before.get(name)
                        update = self._updates[name] = _FlagUpdate(settings[name], base, removed)
                case SettingDefault(value, is_of_operator) if update is not None:
                    update.default, update.is_of_operator = value, is_of_operator
                case RuleBatch() if update is not None:
                    update.add(event)
            yield CHECKPOINT

    def flags(self, order: Sequence[str]) -> Iterable[tuple[str, Flag]]:
        """Return the flags that were read, by name."""
        return [(name, update.flag(order)) for name, update in self._updates.items()]


class _FlagUpdate:
    """Collects what responses say about a setting."""

    def __init__(self, data: SettingData, base: Flag | None, removed: Sequence[int]) -> None:
        self._data = data
        self._type = _wire_type(data.type)
        self._convert = plain_values(self._type)
        features = tuple(data.configurable_features)
        rules: RuleSet[ServedRule] | None = None
        if base is not None and base.rules.features == features and base.wire_type == self._type:
            rules = base.rules
        elif base is not None:
            rules = self._rebuilt(base, features)
        self._builder: RuleSetBuilder[ServedRule] = RuleSetBuilder(features, rules)
        self._builder.remove(removed)
        self.default: Any = None
        self.is_of_operator = False

    def add(self, batch: RuleBatch[Any]) -> None:
        """Add rules. Those with conditions on features that the declaration does not have any more are left out."""
        if not set(batch.features) <= set(self._data.configurable_features):
            return
        values = [self._converted(value) for value in batch.values]
        self._builder.add(
            batch._replace(values=[ServedRule(*pair) for pair in zip(batch.rule_ids, values, strict=True)])
        )

    def flag(self, order: Sequence[str]) -> Flag:
        """Return the flag."""
        return Flag(
            self._data.name,
            self._type,
            self._data.version,
            self._builder.build(order),
            self._converted(self.default),
            "operator_default" if self.is_of_operator else "default",
        )

    def _converted(self, value: Any) -> Any:
        return value if self._convert is None else self._convert(value)

    def _rebuilt(self, base: Flag, features: tuple[str, ...]) -> RuleSet[ServedRule]:
        """Return the rules of an earlier declaration with other features or another type."""
        builder: RuleSetBuilder[ServedRule] = RuleSetBuilder(features)
        for rule in base.rules:
            names = [name for name, _ in rule.context_features]
            if set(names) <= set(features):
                columns = [[wanted] for _, wanted in rule.context_features]
                value = rule.value._replace(value=self._converted(rule.value.value))
                builder.add(RuleBatch([rule.rule_id], names, columns, [value]))
        return builder.build(features)


def _wire_type(text: str) -> WireType:
    """Return a type, or the type of all values for one that only later versions know."""
    try:
        return parse_type(text)
    except ValueError:
        return JSON
