"""The state of a client, and what it does with the service's answers."""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from heksherlite.engine import protocol
from heksherlite.engine.changes import Change, Update
from heksherlite.engine.history import AnswerHistory, Question
from heksherlite.engine.messages import Answer, Request, Steps, ask, ask_all, succeeded
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.protocol import DeclarationAnswer
from heksherlite.engine.snapshots import Snapshot
from heksherlite.engine.updates import SettingUpdate, read_updates, receive
from heksherlite.engine.versions import Version, tag_in, version_of
from heksherlite.errors import ServiceAnswerError
from heksherlite.lookup import Lookup
from heksherlite.rules import RuleSet
from heksherlite.setting import Setting, Supplier

logger = logging.getLogger(__name__)


class Engine:
    """The settings of one client, and the steps to declare and update them.

    ``adopt`` and ``release`` may be called from any thread; everything else belongs to the thread that does the steps.

    Args:
        context_features: The context features in the order that the program expects.
        options: Tracking and defaults.
        keeps_answers: Whether :meth:`snapshot` is going to be asked for.

    Attributes:
        adoptions: How many times :meth:`adopt` was called.
        resets: How many times :meth:`return_to_defaults` was called. An update that was fetched before is not to be
            applied after it.
    """

    def __init__(
        self, context_features: Sequence[str], options: ContextOptions, *, keeps_answers: bool = False
    ) -> None:
        self.context_features = tuple(context_features)
        self.options = options
        self._global_order = self.context_features
        self._undeclared: WeakValueDictionary[int, Setting[Any]] = WeakValueDictionary()
        self._declared: WeakValueDictionary[int, Setting[Any]] = WeakValueDictionary()
        self._canonical_names: dict[str, str | None] = {}  # where they differ; None: the service has no such setting
        self._kept: AnswerHistory | None = AnswerHistory() if keeps_answers else None
        self._versions: Mapping[Question, Version] = {}
        self._order_is_unreadable = False
        self._offers_stream = False
        self.adoptions = 0
        self.resets = 0
        self._latest_defaults: list[tuple[Setting[Any], Any]] = []
        self._lock = threading.RLock()  # guards which settings there are, and changes of what they are read from

    def after_fork(self) -> None:
        """Forget who held locks in the parent of this process."""
        self._lock = threading.RLock()

    @property
    def settings(self) -> list[Setting[Any]]:
        """All settings of the client."""
        with self._lock:
            return [*self._declared.values(), *self._undeclared.values()]

    @property
    def pending(self) -> list[Setting[Any]]:
        """The settings that are still to be declared."""
        with self._lock:
            return list(self._undeclared.values())

    def adopt(self, settings: Iterable[Setting[Any]]) -> None:
        """Serve these settings too, as soon as they were declared."""
        settings = list(settings)
        with self._lock:
            self._apply_options(settings)
            self._undeclared.update((id(setting), setting) for setting in settings)
            self.adoptions += 1

    def release(self) -> list[Setting[Any]]:
        """Give up all settings, and return them."""
        with self._lock:
            settings = self.settings
            self._declared.clear()
            self._undeclared.clear()
        return settings

    def _apply_options(self, settings: Iterable[Setting[Any]]) -> None:
        for setting in settings:
            setting.serve(self._with_options(setting.lookup))

    def _with_options(self, lookup: Lookup) -> Lookup:
        contexts = self.options.contexts(lookup.rules.features)
        return lookup if lookup.contexts is contexts else lookup.with_contexts(contexts)

    def track_contexts(self, features: Mapping[str, str | Iterable[str]]) -> None:
        """Track more values; see :meth:`ContextOptions.track`."""
        self.options.track(features)
        _warn_of_unknown(features, self.context_features, "context features are not specified in server")
        with self._lock:
            self._apply_options(self.settings)

    def set_defaults(self, features: Mapping[str, str | ContextVar[str]]) -> None:
        """Let something stand in for context features; see :meth:`ContextOptions.set_defaults`."""
        self.options.set_defaults(features)
        _warn_of_unknown(features, self.context_features, "context features are not specified in the client")
        with self._lock:
            self._apply_options(self.settings)

    def read_context_features(self) -> Steps[None]:
        """Learn the service's order of the context features. If that fails, it is logged, and stays as it was."""
        try:
            order = protocol.read_context_features((yield from ask(protocol.CONTEXT_FEATURES)))
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

    def declare_pending(self) -> Steps[None]:
        """Declare the settings that are not declared yet.

        Raises:
            Exception: The first failure, once all were tried; these settings stay pending. The others are notes of it.
        """
        pending = self.pending
        if not pending:
            return
        answers = yield from ask_all(protocol.declare(setting.to_v1_declaration_body()) for setting in pending)
        failures: list[Exception] = []
        without_outcome: list[Setting[Any]] = []
        for setting, answer in zip(pending, answers, strict=True):
            yield []
            try:
                declaration = protocol.read_declaration(succeeded(answer))
            except Exception as error:  # noqa: BLE001 - raised below
                error.add_note(f"while declaring setting {setting.name!r}")
                failures.append(error)
                continue
            self._take_declaration(setting, declaration)
            if declaration.outcome == "conflict":
                without_outcome.append(setting)
        try:
            yield from self._find(without_outcome)
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)
        if failures:
            first, *others = failures
            for other in others:
                first.add_note(f"also failed: {other!r}")
            raise first

    def _take_declaration(self, setting: Setting[Any], answer: DeclarationAnswer) -> None:
        match answer.outcome:
            case "created" | "uptodate" | "upgraded":
                pass
            case "outdated":
                _log_outdated(setting, answer)
                self._take_declared_default(setting, answer)
            case _:
                logger.error(
                    "conflict when declaring setting",
                    extra={"setting": setting.name, "response": answer.detail},
                )
        canonical = answer.latest_value("name", setting.name)
        if isinstance(canonical, str) and canonical != setting.name:
            self._canonical_names[setting.name] = canonical
        self._versions = {}
        with self._lock:
            # Not there any more if another client took it over in the meantime.
            if self._undeclared.pop(id(setting), None) is not None:
                self._declared[id(setting)] = setting

    def _take_declared_default(self, setting: Setting[Any], answer: DeclarationAnswer) -> None:
        nothing = object()
        raw_value = answer.latest_value("default_value", nothing)
        if raw_value is nothing:
            return
        extra = {"setting": setting.name, "server_default_value": raw_value}
        try:
            received = receive(setting, raw_value, None)
        except Exception as error:  # noqa: BLE001 - a validator of the program may raise anything
            logger.warning(
                "server default was discarded due to coercion error during declaration",
                extra={**extra, "error": repr(error)},
            )
            return
        if received.coercions:
            logger.warning(
                "server default was coerced to local value during declaration",
                extra={**extra, "coercions": list(received.coercions)},
            )
        self._latest_defaults.append((setting, received.value))

    @property
    def has_latest_defaults(self) -> bool:
        """Whether :meth:`apply_latest_defaults` has anything to do."""
        return bool(self._latest_defaults)

    def apply_latest_defaults(self) -> None:
        """Put the defaults in force that came with the answers to declarations."""
        with self._lock:
            for setting, default in self._latest_defaults:
                if id(setting) in self._declared:
                    setting.serve(setting.lookup.with_default(default, "service"))
        self._latest_defaults.clear()

    def fetch(self) -> Steps[Update | None]:
        """Ask for the rules of all declared settings.

        Returns:
            What is to be applied, or ``None`` if nothing changed.

        Raises:
            ServiceAnswerError: If the answer is not what it should be; nothing of it will be in force.
        """
        answers = yield from self._query()
        if any(answer.status == 404 for answer in answers.values()):
            yield from self._declare_lost_settings()
            answers = yield from self._query()
        news = {question: answer for question, answer in answers.items() if answer.status != protocol.NOT_MODIFIED}
        versions = {}
        for question, answer in news.items():
            versions[question] = yield from version_of(answer)
        if not (yield from self._are_new(versions)):
            return None
        lookups: list[tuple[Setting[Any], Lookup]] = []
        for answer in news.values():
            if answer.status == 404:
                reason = f"404 for settings that were just declared: {answer.content[:200]!r}"
                raise ServiceAnswerError(str(answer.request), reason)
            for update in (yield from self._read_updates(answer)):
                lookups.append((update.setting, update.lookup(self._global_order, self.options)))
                yield []
        return Update(lookups, {**self._versions, **versions}, answers)

    def _are_new(self, versions: Mapping[Question, Version]) -> Steps[bool]:
        """Tell whether answers of these versions, which the service sent, can change anything."""
        if any(isinstance(version, str) or version != self._versions.get(q) for q, version in versions.items()):
            return True
        if versions:
            # A service without tags sent what is in force, and may still have reordered its context features.
            order = self._global_order
            yield from self.read_context_features()
            return self._global_order != order
        return False

    def _read_updates(self, answer: Answer) -> Steps[list[SettingUpdate]]:
        reading = yield from read_updates(answer, self._by_name())
        if reading.unknown_names:
            # Settings were renamed in the service. Their canonical names are known after this.
            yield from self._find(self._queried_settings())
            reading = yield from read_updates(answer, self._by_name())
        if reading.order is None:
            # Asked for after the rules: a reordering in between moves the tag, so the next query mends it.
            yield from self.read_context_features()
        else:
            self._take_order(reading.order)
        return reading.updates

    def _by_name(self) -> dict[str | None, list[Setting[Any]]]:
        by_name: dict[str | None, list[Setting[Any]]] = defaultdict(list)
        for setting in self._queried_settings():
            by_name[self._canonical_name(setting)].append(setting)
        return by_name

    def apply(self, update: Update, supplier: Supplier) -> list[Change]:
        """Put an update in force; return what changed."""
        self.apply_latest_defaults()
        changes = []
        with self._lock:
            for setting, lookup in update.lookups:
                if id(setting) in self._declared:
                    # The options may have changed since the lookup was made.
                    changes.append(Change(setting, setting.lookup, self._with_options(lookup)))
                    setting.serve(changes[-1].after, supplier)
        self._versions = update.versions
        if self._kept is not None:
            # Where a history became too long, everything is asked for again, which begins a new one.
            too_long = self._kept.add(update.answers)
            self._versions = {q: version for q, version in self._versions.items() if q not in too_long}
        return changes

    def return_to_defaults(self) -> list[Change]:
        """Have all settings return the defaults of their declarations until the next update; return what changed."""
        changes = []
        self.resets += 1
        self._versions = {}
        with self._lock:
            for setting in self._declared.values():
                features = setting.configurable_features
                contexts = self.options.contexts(features)
                after = Lookup(setting.name, RuleSet(features), setting.default_value, contexts)
                changes.append(Change(setting, setting.lookup, after))
                setting.serve(after)
        return changes

    def snapshot(self, service: str, taken_at: datetime) -> Snapshot | None:
        """Return what the settings are made of, if answers are kept.

        Args:
            service: The service's URL without credentials.
            taken_at: The time, in UTC.
        """
        return None if self._kept is None else self._kept.snapshot(service, self._global_order, taken_at)

    def restore(self, snapshot: Snapshot) -> Steps[Sequence[tuple[Setting[Any], Lookup]]]:
        """Read from a snapshot what settings are to be read from that have not got anything from a service.

        Raises:
            ServiceAnswerError: If it is not what it should be.
        """
        by_name: dict[str | None, list[Setting[Any]]] = defaultdict(list)
        for setting in self.settings:
            if not setting.lookup.loaded:
                by_name[setting.name].append(setting)
        restored: dict[int, tuple[Setting[Any], Lookup]] = {}
        for kept in snapshot.answers:
            before = {key: lookup for key, (_, lookup) in restored.items()}
            reading = yield from read_updates(kept.to_answer(), by_name, before)
            for update in reading.updates:
                lookup = update.lookup(snapshot.context_features, self.options)
                restored[id(update.setting)] = (update.setting, lookup)
                yield []
        return list(restored.values())

    def apply_restored(self, lookups: Iterable[tuple[Setting[Any], Lookup]]) -> list[Change]:
        """Put in force what :meth:`restore` returned; return what changed."""
        changes = []
        with self._lock:
            for setting, lookup in lookups:
                if not setting.lookup.loaded:
                    changes.append(Change(setting, setting.lookup, self._with_options(lookup)))
                    setting.serve(changes[-1].after)
        return changes

    @property
    def revision(self) -> str | None:
        """The tag of the latest answer; of the first, if there are several."""
        return next((version for version in self._versions.values() if isinstance(version, str)), None)

    @property
    def stream_request(self) -> Request | None:
        """What to ask for to hear of changes, if the service offers that."""
        if not self._offers_stream:
            return None
        (names, filters), *others = self._questions()
        return protocol.stream(None if others else names, filters)

    def _questions(self) -> list[Question]:
        names = sorted(dict.fromkeys([setting.name for setting in self._queried_settings()]))
        filters = self.options.context_filters()
        return [(portion, filters) for portion in protocol.portions(names)]

    def _query(self) -> Steps[dict[Question, Answer]]:
        questions = self._questions()
        # Some services make the tag from the answer alone, so it only counts for the query that it came with.
        requests = (protocol.query(*question, tag_in(self._versions.get(question))) for question in questions)
        answers = yield from ask_all(requests)
        self._versions = {q: version for q, version in self._versions.items() if q in questions}
        by_question = {question: succeeded(answer) for question, answer in zip(questions, answers, strict=True)}
        self._offers_stream = any(answer.offers_stream for answer in by_question.values())
        return by_question

    def _queried_settings(self) -> list[Setting[Any]]:
        with self._lock:
            declared = list(self._declared.values())
        lost = [name for name, canonical_name in self._canonical_names.items() if canonical_name is None]
        return [setting for setting in declared if setting.name not in lost] if lost else declared

    def _canonical_name(self, setting: Setting[Any]) -> str | None:
        return self._canonical_names.get(setting.name, setting.name)

    def _find(self, settings: Sequence[Setting[Any]]) -> Steps[list[Setting[Any]]]:
        """Look up the canonical names of settings; return those that the service does not have."""
        answers = yield from ask_all(protocol.look_up(setting.name) for setting in settings)
        lost = []
        for setting, answer in zip(settings, answers, strict=True):
            name = protocol.read_canonical_name(succeeded(answer))
            self._canonical_names[setting.name] = name
            if name is None:
                lost.append(setting)
        return lost

    def _declare_lost_settings(self) -> Steps[None]:
        """Declare again what the service does not have any more."""
        lost = yield from self._find(self._queried_settings())
        with self._lock:
            for setting in lost:
                self._canonical_names.pop(setting.name, None)
                if self._declared.pop(id(setting), None) is not None:
                    self._undeclared[id(setting)] = setting
        yield from self.declare_pending()


def _warn_of_unknown(features: Iterable[str], known: Sequence[str], message: str) -> None:
    unknown = [feature for feature in features if feature not in known]
    if unknown:
        logger.warning(message, extra={"context_features": unknown, "known_context_features": known})


def _log_outdated(setting: Setting[Any], answer: DeclarationAnswer) -> None:
    extra = {
        "setting": setting.name,
        "version": setting.version,
        "latest_version": answer.latest_version,
        "differences": list(answer.differences),
    }
    if answer.latest_version is not None and _major(answer.latest_version) > _major(setting.version):
        logger.warning("setting is outdated by a major version", extra=extra)
    else:
        logger.info("setting is outdated", extra=extra)


def _major(version: str) -> tuple[int, str]:
    """Return what orders major versions: not a number, because there are limits to converting one."""
    digits = version.partition(".")[0].lstrip("0")
    return len(digits), digits
