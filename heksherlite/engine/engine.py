"""The state of a client, and what it does with the service's responses."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from heksherlite.engine import protocol
from heksherlite.engine.changes import Change, Update
from heksherlite.engine.messages import CHECKPOINT, Flow, Request, Response, send, send_all, unwrap
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.registry import Registry
from heksherlite.engine.response_history import Query, ResponseHistory
from heksherlite.engine.snapshots import Snapshot
from heksherlite.engine.updates import SettingUpdate, read_updates
from heksherlite.engine.versions import Version, tag_in, version_of
from heksherlite.errors import ServiceResponseError
from heksherlite.lookup import Lookup
from heksherlite.rules import RuleSet
from heksherlite.setting import Setting, Supplier

logger = logging.getLogger(__name__)


class Engine:
    """What one client knows, and the steps to update its settings.

    ``adopt``, ``track_contexts`` and ``set_defaults`` may be called from any thread; everything else belongs to the
    thread that does the steps.

    Args:
        context_features: The context features in the order that the program expects.
        options: Tracking and defaults.
        keeps_responses: Whether :meth:`snapshot` is going to be asked for.

    Attributes:
        registry: The settings, and which of them are declared.
        last_event_id: The id of the last event of the stream of changes, if there was one.
        resets: How many times :meth:`return_to_defaults` was called. An update that was fetched before is not to be
            applied after it.
    """

    def __init__(
        self, context_features: Sequence[str], options: ContextOptions, *, keeps_responses: bool = False
    ) -> None:
        self.context_features = tuple(context_features)
        self.options = options
        self.registry = Registry()
        self._global_order = self.context_features
        self._kept: ResponseHistory | None = ResponseHistory() if keeps_responses else None
        self._versions: Mapping[Query, Version] = {}
        self._applied_order = self._global_order
        self._declarations = 0  # that the versions are about
        self._order_is_unreadable = False
        self._offers_stream = False
        self.resets = 0
        self.last_event_id: str | None = None

    def adopt(self, settings: Iterable[Setting[Any]]) -> None:
        """Serve these settings too, as soon as they were declared."""
        settings = list(settings)
        with self.registry.lock:
            self._apply_options(settings)
            self.registry.adopt(settings)

    def _apply_options(self, settings: Iterable[Setting[Any]]) -> None:
        for setting in settings:
            setting._serve(self._with_options(setting._lookup))

    def _with_options(self, lookup: Lookup) -> Lookup:
        contexts = self.options.contexts(lookup.rules.features)
        return lookup if lookup.contexts is contexts else lookup.with_contexts(contexts)

    def track_contexts(self, features: Mapping[str, str | Iterable[str]]) -> None:
        """Track more values; see :meth:`ContextOptions.track`."""
        self.options.track(features)
        _warn_of_unknown(features, self.context_features, "context features are not specified in server")
        with self.registry.lock:
            self._apply_options(self.registry.settings)

    def set_defaults(self, features: Mapping[str, str | ContextVar[str]]) -> None:
        """Let something stand in for context features; see :meth:`ContextOptions.set_defaults`."""
        self.options.set_defaults(features)
        _warn_of_unknown(features, self.context_features, "context features are not specified in the client")
        with self.registry.lock:
            self._apply_options(self.registry.settings)

    def read_context_features(self) -> Flow[None]:
        """Learn the service's order of the context features. If that fails, it is logged, and stays as it was."""
        try:
            order = protocol.read_context_features((yield from send(protocol.CONTEXT_FEATURES)))
        except Exception as error:
            level = logging.DEBUG if self._order_is_unreadable else logging.ERROR
            logger.log(level, "failure to get context_features from heksher service", exc_info=error)
            self._order_is_unreadable = True
            return
        if self._order_is_unreadable:
            logger.info("context_features from heksher service can be read again")
            self._order_is_unreadable = False
        self._take_order(order)

    def _take_order(self, order: tuple[str, ...]) -> None:
        if order not in (self.context_features, self._global_order):
            logger.warning(
                "context feature mismatch",
                extra={"client_context_features": self.context_features, "service_context_features": order},
            )
            used = {**self.options.tracked, **self.options.defaults}
            _warn_of_unknown(used, order, "context features are not specified in server")
        self._global_order = order

    def fetch(self) -> Flow[Update | None]:
        """Ask for the rules of all declared settings.

        Returns:
            What is to be applied, or ``None`` if nothing changed.

        Raises:
            ServiceResponseError: If the response is not what it should be; nothing of it will be in force.
        """
        responses = yield from self._query()
        if any(response.status == 404 for response in responses.values()):
            yield from self.registry.declare_lost()
            responses = yield from self._query()
        news = {query: response for query, response in responses.items() if response.status != protocol.NOT_MODIFIED}
        versions = {}
        for query, response in news.items():
            versions[query] = yield from version_of(response)
        if not (yield from self._are_new(versions)):
            return None
        lookups: list[tuple[Setting[Any], Lookup]] = []
        for response in news.values():
            if response.status == 404:
                reason = f"404 for settings that were just declared: {response.content[:200]!r}"
                raise ServiceResponseError(str(response.request), reason)
            for update in (yield from self._read_updates(response)):
                lookups.append((update.setting, update.lookup(self._global_order, self.options)))
                yield CHECKPOINT
        return Update(lookups, self._global_order, {**self._versions, **versions}, responses)

    def _are_new(self, versions: Mapping[Query, Version]) -> Flow[bool]:
        """Tell whether responses of these versions, which the service sent, can change anything."""
        if any(isinstance(version, str) or version != self._versions.get(q) for q, version in versions.items()):
            return True
        if versions:
            # A service without tags sent what is in force, and may still have reordered its context features.
            yield from self.read_context_features()
            return self._global_order != self._applied_order
        return False

    def _read_updates(self, response: Response) -> Flow[list[SettingUpdate]]:
        reading = yield from read_updates(response, self.registry.by_canonical_name())
        if reading.unknown_names:
            # Settings were renamed in the service. Their canonical names are known after this.
            yield from self.registry.look_up(self.registry.queried)
            reading = yield from read_updates(response, self.registry.by_canonical_name())
        if reading.order is None:
            # Asked for after the rules: a reordering in between moves the tag, so the next query mends it.
            yield from self.read_context_features()
        else:
            self._take_order(reading.order)
        return reading.updates

    def apply(self, update: Update, supplier: Supplier) -> list[Change]:
        """Put an update in force; return what changed."""
        self.registry.apply_latest_defaults()
        changes = []
        with self.registry.lock:
            for setting, lookup in update.lookups:
                if setting in self.registry:
                    # The options may have changed since the lookup was made.
                    changes.append(Change(setting, setting._lookup, self._with_options(lookup)))
                    setting._serve(changes[-1].after, supplier)
        self._versions = update.versions
        self._applied_order = update.order
        if self._kept is not None:
            # Where a history became too long, everything is asked for again, which begins a new one.
            too_long = self._kept.add(update.responses)
            self._versions = {q: version for q, version in self._versions.items() if q not in too_long}
        return changes

    def return_to_defaults(self) -> list[Change]:
        """Have all settings return the defaults of their declarations until the next update; return what changed."""
        changes = []
        self.resets += 1
        self._versions = {}
        with self.registry.lock:
            for setting in self.registry.declared:
                features = setting.configurable_features
                contexts = self.options.contexts(features)
                after = Lookup(setting.name, RuleSet(features), setting.default_value, contexts)
                changes.append(Change(setting, setting._lookup, after))
                setting._serve(after)
        return changes

    def snapshot(self, service: str, taken_at: datetime) -> Snapshot | None:
        """Return what the settings are made of, if responses are kept.

        Args:
            service: The service's URL without credentials.
            taken_at: The time, in UTC.
        """
        return None if self._kept is None else self._kept.snapshot(service, self._global_order, taken_at)

    def restore(self, snapshot: Snapshot) -> Flow[Sequence[tuple[Setting[Any], Lookup]]]:
        """Read from a snapshot what settings are to be read from that have not got anything from a service.

        Raises:
            ServiceResponseError: If it is not what it should be.
        """
        by_name: dict[str | None, list[Setting[Any]]] = defaultdict(list)
        for setting in self.registry.settings:
            if not setting._lookup.loaded:
                by_name[setting.name].append(setting)
        restored: dict[int, tuple[Setting[Any], Lookup]] = {}
        for kept in snapshot.responses:
            before = {key: lookup for key, (_, lookup) in restored.items()}
            reading = yield from read_updates(kept.to_response(), by_name, before)
            for update in reading.updates:
                lookup = update.lookup(snapshot.context_features, self.options)
                restored[id(update.setting)] = (update.setting, lookup)
                yield CHECKPOINT
        return list(restored.values())

    def apply_restored(self, lookups: Iterable[tuple[Setting[Any], Lookup]]) -> list[Change]:
        """Put in force what :meth:`restore` returned; return what changed."""
        changes = []
        with self.registry.lock:
            for setting, lookup in lookups:
                if not setting._lookup.loaded:
                    changes.append(Change(setting, setting._lookup, self._with_options(lookup)))
                    setting._serve(changes[-1].after)
        return changes

    @property
    def revision(self) -> str | None:
        """The tag of the latest response; of the first, if there are several."""
        return next((version for version in self._versions.values() if isinstance(version, str)), None)

    @property
    def stream_request(self) -> Request | None:
        """What to ask for to hear of changes, if the service offers that."""
        if not self._offers_stream:
            return None
        (names, filters), *others = self._queries()
        return protocol.stream(None if others else names, filters)

    def _queries(self) -> list[Query]:
        names = sorted(dict.fromkeys([setting.name for setting in self.registry.queried]))
        filters = self.options.context_filters()
        return [(portion, filters) for portion in protocol.portions(names)]

    def _query(self) -> Flow[dict[Query, Response]]:
        queries = self._queries()
        if self._declarations != self.registry.declarations:
            # One that is new may have the name of one that is not, and would miss what was answered before.
            self._declarations, self._versions = self.registry.declarations, {}
        # Some services make the tag from the response alone, so it only counts for the query that it came with.
        requests = (protocol.query(*query, tag_in(self._versions.get(query)), self.last_event_id) for query in queries)
        responses = yield from send_all(requests)
        self._versions = {q: version for q, version in self._versions.items() if q in queries}
        by_query = {query: unwrap(response) for query, response in zip(queries, responses, strict=True)}
        self._offers_stream = any(response.offers_stream for response in by_query.values())
        return by_query


def _warn_of_unknown(features: Iterable[str], known: Sequence[str], message: str) -> None:
    unknown = [feature for feature in features if feature not in known]
    if unknown:
        logger.warning(message, extra={"context_features": unknown, "known_context_features": known})
