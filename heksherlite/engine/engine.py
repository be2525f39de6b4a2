"""The engine of a client: its state, and the flows that update its settings.

The theory of the state, in four sentences:

* The settings of a client read from lookups, and a :class:`State` says which responses the lookups were made from: the
  version of the response to each query. A query consists of names and filters, so it stands for the declared settings
  and for the options.
* A fetch takes the state in force as its base. It sends the versions of the base, so a 304 or a partial response
  always refers to the base, and it returns an :class:`Update` from the base to a new state.
* Only :meth:`Engine.apply` puts an update in force, and only if its base is still the state in force: a
  compare-and-swap of one immutable value. Otherwise the update is fetched again.
* Whatever changes lookups in another way replaces the state by an empty one: a setting that is newly declared has none
  of the earlier responses, and a return to the defaults forgets all of them. The next fetch is complete then.

Changed options need no care here: they change the queries, and there is no version for a query that was never sent.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from heksherlite.cancellation import let_signals_pass
from heksherlite.engine import protocol
from heksherlite.engine.feature_names import check_features, context_feature_names
from heksherlite.engine.health import Problems
from heksherlite.engine.messages import CHECKPOINT, Flow, Request, Response, send
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.queries import Query
from heksherlite.engine.querying import Querying
from heksherlite.engine.registry import Declarations, Registry
from heksherlite.engine.response_history import ResponseHistory
from heksherlite.engine.snapshots import Snapshot
from heksherlite.engine.state import Change, State, Update
from heksherlite.engine.updates import Continuation, Reading, read_updates
from heksherlite.engine.versions import Version, version_of
from heksherlite.errors import ServiceResponseError
from heksherlite.in_force import updating
from heksherlite.lookup import Lookup
from heksherlite.rule_sets import RuleSet
from heksherlite.setting import Setting
from heksherlite.setting_arguments import check_known_features
from heksherlite.setting_typing import Supplier

if TYPE_CHECKING:
    from heksherlite.engine.all_settings import AllSettings

logger = logging.getLogger(__name__)

_REVISION: Final = re.compile(r'"(\d+)-')

Observer = Callable[[Setting[Any]], Callable[[Lookup], Lookup] | None]


class Engine:
    """The knowledge of one client, and the flows to update its settings.

    ``adopt``, ``track_contexts`` and ``set_defaults`` may be called from any thread. Everything else belongs to the
    thread that runs the flows.

    Args:
        context_features: The context features in the order that the program expects.
        options: Tracking and defaults.
        keeps_responses: Whether to keep the responses for :meth:`snapshot`.

    Attributes:
        registry: The settings and their declarations.
        last_event_id: The id of the last event of the stream of changes, if there was one.
        all_settings: All settings of the service, if somebody asked for them.
        observer: Returns for a setting what replaces each of its lookups, or ``None``.
    """

    def __init__(
        self, context_features: Sequence[str], options: ContextOptions, *, keeps_responses: bool = False
    ) -> None:
        self.context_features = context_feature_names(context_features)
        self.options = options
        self.registry = Registry()
        self.last_event_id: str | None = None
        self.observer: Observer = _nobody
        self.all_settings: AllSettings | None = None
        self._order = self.context_features
        self._order_is_unreadable = False
        self._state = State()
        self._history: ResponseHistory | None = ResponseHistory() if keeps_responses else None
        self._refused_values = options.refused
        self._querying = Querying(self.registry, options, keeps_responses=keeps_responses)

    def adopt(self, settings: Iterable[Setting[Any]]) -> None:
        """Add settings. They are updated as soon as they are declared."""
        settings = list(settings)
        for setting in settings:
            check_known_features(setting.name, setting.configurable_features, self.context_features)
        with self.registry.lock:
            for setting in settings:
                setting._observe = self.observer(setting)
            self._apply_options(settings)
            self.registry.adopt(settings)

    def observe(self, observer: Observer) -> None:
        """Replace the observer of the lookups of all settings, those of settings that are added later too."""
        with self.registry.lock:
            self.observer = observer
            for setting in self.registry.settings:
                plain = setting._served.observed()
                setting._observe = observer(setting)
                setting._serve(plain)

    def _apply_options(self, settings: Iterable[Setting[Any]]) -> None:
        for setting in settings:
            setting._serve(self._with_options(setting._served))

    def _with_options(self, lookup: Lookup) -> Lookup:
        contexts = self.options.contexts(lookup.rules.features)
        return lookup if lookup.contexts is contexts else lookup.with_contexts(contexts)

    def track_contexts(self, features: Mapping[str, str | Iterable[str]]) -> None:
        """Track more values; see :meth:`ContextOptions.track`."""
        check_features(features, self.context_features)
        self.options.track(features)
        _warn_of_unknown(features, self.context_features, "context features are not specified in server")
        with self.registry.lock:
            self._apply_options(self.registry.settings)

    def set_defaults(self, features: Mapping[str, str | ContextVar[str]]) -> None:
        """Set defaults of context features; see :meth:`ContextOptions.set_defaults`."""
        check_features(features, self.context_features)
        self.options.set_defaults(features)
        _warn_of_unknown(features, self.context_features, "context features are not specified in the client")
        with self.registry.lock:
            self._apply_options(self.registry.settings)

    def declare(self) -> Flow[Declarations]:
        """Declare the pending settings, and send everything that is tracked again."""
        if self.options.refused:
            self.options.send_everything()
        declarations = yield from self.registry.declare_pending()
        self._note(declarations)
        return declarations

    def _note(self, declarations: Declarations) -> None:
        if declarations.accepted:
            self._state = State()

    @property
    def leaves_out(self) -> bool:
        """Whether the service refused a setting or a tracked value, which should be sent again later."""
        return self._querying.leaves_out

    @property
    def problems(self) -> Problems:
        """The problems of settings and tracked values."""
        return self._querying.problems

    def read_context_features(self) -> Flow[None]:
        """Read the service's order of the context features. A failure is logged, and the order stays the same."""
        error = yield from self.try_to_read_context_features()
        if error is not None:
            self.log_unreadable_order(error)

    def log_unreadable_order(self, error: Exception, level: int = logging.ERROR) -> None:
        """Log that the context features cannot be read.

        Args:
            error: The reason.
            level: The level of the record, unless the last attempt failed, too.
        """
        reason = str(error) or type(error).__name__
        first_level = logging.DEBUG if self._order_is_unreadable else level
        for record_level, traceback in ((first_level, None), (logging.DEBUG, error)):
            logger.log(
                record_level,
                "failure to get context_features from heksher service: %s",
                reason,
                exc_info=traceback,
            )
        self._order_is_unreadable = True

    def try_to_read_context_features(self) -> Flow[Exception | None]:
        """Read the service's order of the context features, or return the reason why that is impossible."""
        try:
            order = protocol.read_context_features((yield from send(protocol.CONTEXT_FEATURES)))
        except Exception as error:  # noqa: BLE001 - returned to the caller
            let_signals_pass(error)
            return error
        if self._order_is_unreadable:
            logger.info("context_features from heksher service can be read again")
            self._order_is_unreadable = False
        self._take_order(order)
        return None

    def _take_order(self, order: tuple[str, ...]) -> None:
        if self.context_features and order not in (self.context_features, self._order):
            logger.warning(
                "context feature mismatch: %s",
                f"the service has {list(order)}, the client {list(self.context_features)}",
                extra={"client_context_features": self.context_features, "service_context_features": order},
            )
            used = {**self.options.tracked, **self.options.defaults}
            _warn_of_unknown(used, order, "context features are not specified in server")
        self._order = order

    def fetch(self) -> Flow[Update]:
        """Query the rules of all declared settings.

        Returns:
            An update for :meth:`apply`. It has no lookups if nothing changed.

        Raises:
            ServiceResponseError: If a response does not follow the protocol. Nothing of it is applied.
        """
        base = self._state
        responses = yield from self._querying.send(base.versions, self.last_event_id)
        if any(response.status == 404 for response in responses.values()):
            declarations = yield from self.registry.redeclare_missing()
            self._note(declarations)
            base = self._state
            try:
                responses = yield from self._querying.send(base.versions, self.last_event_id, after_declaring=True)
            except ServiceResponseError as error:
                raise error from declarations.error()
        if self.options.refused != self._refused_values:
            self._refused_values = self.options.refused
            with self.registry.lock:
                self._apply_options(self.registry.settings)
        changed = {query: response for query, response in responses.items() if response.status != protocol.NOT_MODIFIED}
        versions: dict[Query, Version] = {query: v for query, v in base.versions.items() if query in responses}
        for query, response in changed.items():
            versions[query] = yield from version_of(response)
        lookups: Mapping[int, tuple[Setting[Any], Lookup]] = {}
        if (yield from self._may_change(base, {query: versions[query] for query in changed})):
            lookups = yield from self._read_lookups(changed, responses)
        if not self.registry.has_declared:
            self._check_declared()
        return Update(base, State(versions, self._order), list(lookups.values()), responses)

    def _check_declared(self) -> None:
        """Raise an error if no setting is declared, because the service refused all of them."""
        refusals = self.registry.refusals
        if refusals and len(refusals) == len({setting.name for setting in self.registry.pending}):
            name, reason = next(iter(refusals.items()))
            raise ServiceResponseError(
                str(protocol.declare({})),
                f"none of the program's {len(refusals)} settings is declared; the first, {name!r}: {reason}",
            )

    def _may_change(self, base: State, versions: Mapping[Query, Version]) -> Flow[bool]:
        """Return whether responses of these versions can change anything."""
        if any(isinstance(version, str) or version != base.versions.get(q) for q, version in versions.items()):
            return True
        if versions:
            # A service without tags sent what is in force. It may have reordered its context features all the same.
            yield from self.read_context_features()
            return self._order != base.order
        return False

    def _read_lookups(
        self, changed: Mapping[Query, Response], responses: Mapping[Query, Response]
    ) -> Flow[Mapping[int, tuple[Setting[Any], Lookup]]]:
        lookups: dict[int, tuple[Setting[Any], Lookup]] = {}
        incomplete = {query.names for query, response in responses.items() if response.status != 200}
        for query, response in changed.items():
            continuation = Continuation(
                {key: lookup for key, (_, lookup) in lookups.items()},
                query.context_filter if query.context_filter.values else None,
                is_complete=query.names not in incomplete,
            )
            reading = yield from self._read_updates(response, continuation)
            for update in reading.updates:
                lookup = update.lookup(self._order, self.options)
                lookups[id(update.setting)] = update.setting, lookup
                yield CHECKPOINT
        return lookups

    def _read_updates(self, response: Response, continuation: Continuation) -> Flow[Reading]:
        reading = yield from read_updates(response, self.registry.named, continuation)
        if reading.unknown_names:
            # Settings were renamed in the service. Their canonical names are known after this.
            declared = self.registry.declared
            failures = yield from self.registry.set_aside_missing(declared)
            if failures and len(failures) == len(declared):
                raise failures[0][1]
            reading = yield from read_updates(response, self.registry.named, continuation)
        if reading.order is None:
            # Read after the rules: a reordering in between changes the tag, so the next query corrects it.
            yield from self.read_context_features()
        else:
            self._take_order(reading.order)
        return reading

    def apply(self, update: Update, supplier: Supplier) -> list[Change] | None:
        """Put an update in force.

        Returns:
            The changes, or ``None`` if the base of the update is not in force any more. Nothing is applied then.
        """
        if update.base is not self._state:
            return None
        changes = []
        with self.registry.lock, updating():
            self.registry.apply_latest_defaults()
            for setting, lookup in update.lookups:
                if setting in self.registry:
                    # The options may have changed since the lookup was made.
                    changes.append(Change(setting, setting._served, self._with_options(lookup)))
                    setting._serve(changes[-1].after, supplier)
        self._state = update.state
        if self._history is not None:
            # Where a history became too long, the query is sent without version, and its complete response begins a
            # new history.
            too_long = self._history.add(update.responses)
            versions = {query: version for query, version in update.state.versions.items() if query not in too_long}
            self._state = State(versions, update.state.order)
        return changes

    def return_to_defaults(self) -> list[Change]:
        """Make all settings return the defaults of their declarations until the next update, and return the changes."""
        changes = []
        self._state = State()
        with self.registry.lock, updating():
            for setting in self.registry.declared:
                features = setting.configurable_features
                contexts = self.options.contexts(features)
                after = Lookup(setting.name, RuleSet(features), setting.default_value, contexts)
                changes.append(Change(setting, setting._served, after))
                setting._serve(after)
        return changes

    def snapshot(self, service: str, taken_at: datetime) -> Snapshot | None:
        """Return the responses that the settings were made from, if they are kept.

        Args:
            service: The URL of the service without credentials.
            taken_at: The time, in UTC.
        """
        if self._history is None:
            return None
        return self._history.snapshot(service, self._order, self.options.context_filters(), taken_at)

    def restore(self, snapshot: Snapshot) -> Flow[Sequence[tuple[Setting[Any], Lookup]]]:
        """Read lookups from a snapshot, for the settings that received nothing from a service.

        Raises:
            ServiceResponseError: If a response in the snapshot does not follow the protocol.
        """
        by_name: dict[str, list[Setting[Any]]] = defaultdict(list)
        for setting in self.registry.settings:
            if not setting._served.loaded:
                by_name[setting.name].append(setting)
        restored: dict[int, tuple[Setting[Any], Lookup]] = {}
        for kept in snapshot.responses:
            lookups = {key: lookup for key, (_, lookup) in restored.items()}
            continuation = Continuation(lookups, adds=kept.status == 200)
            reading = yield from read_updates(kept.to_response(), by_name.get, continuation)
            for update in reading.updates:
                lookup = update.lookup(snapshot.context_features, self.options)
                restored[id(update.setting)] = (update.setting, lookup)
                yield CHECKPOINT
        return list(restored.values())

    def apply_restored(self, lookups: Iterable[tuple[Setting[Any], Lookup]]) -> list[Change]:
        """Put the result of :meth:`restore` in force, and return the changes."""
        changes = []
        with self.registry.lock, updating():
            for setting, lookup in lookups:
                if not setting._served.loaded:
                    changes.append(Change(setting, setting._served, self._with_options(lookup)))
                    setting._serve(changes[-1].after)
        return changes

    @property
    def revision(self) -> str | None:
        """The tag of the last response, or of the first one if there are several queries."""
        return self._state.revision

    @property
    def revision_name(self) -> str | None:
        """The revision that the tag names, or the tag itself if it is that of another service."""
        tag = self.revision
        match = _REVISION.match(tag or "")
        return match[1] if match is not None else tag

    @property
    def stream_request(self) -> Request | None:
        """The request for the stream of changes, if the service offers one."""
        if not self._querying.offers_stream:
            return None
        if self.all_settings is not None:
            return self.all_settings.stream_request()
        query, *others = self._querying.queries()
        filters = self._querying.filters()
        return protocol.stream(None if others else query.names, filters[0].text if len(filters) == 1 else None)


def _nobody(_: Setting[Any]) -> None:
    """Observe nothing."""


def _warn_of_unknown(features: Iterable[str], known: Sequence[str], message: str) -> None:
    unknown = [feature for feature in features if feature not in known]
    if unknown:
        text = f"{', '.join(map(repr, unknown))}; there are {', '.join(map(repr, known))}"
        logger.warning(f"{message}: %s", text, extra={"context_features": unknown, "known_context_features": known})  # noqa: G004 - the message is fixed
