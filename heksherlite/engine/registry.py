"""The settings of a client, and their declarations."""

import logging
import reprlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from heksherlite.cancellation import let_signals_pass
from heksherlite.engine import protocol
from heksherlite.engine.declaration_texts import describe_conflict, describe_differences
from heksherlite.engine.declared_settings import DeclaredSettings
from heksherlite.engine.health import Problem, ProblemKind, Problems
from heksherlite.engine.messages import CHECKPOINT, Flow, send_all, unwrap
from heksherlite.engine.protocol import DeclarationResponse
from heksherlite.engine.updates import receive
from heksherlite.setting import Setting

logger = logging.getLogger(__name__)

LISTED_PROBLEMS: Final = 100
"""The maximum number of problems that a status lists."""


class Declarations(NamedTuple):
    """The result of sending declarations.

    Attributes:
        accepted: The number of settings that are declared now and were not before.
        failures: What went wrong, with the name of the setting.
    """

    accepted: int = 0
    failures: Sequence[tuple[str, Exception]] = ()

    def error(self) -> Exception | None:
        """Return the first failure with notes about the others, or ``None`` if there is no failure."""
        if not self.failures:
            return None
        (name, error), *others = self.failures
        error.add_note(f"while declaring setting {name!r}")
        for other_name, other in others:
            error.add_note(f"declaring setting {other_name!r} failed too: {other!r}")
        return error


class Registry:
    """The settings of a client. Each is either declared, and its rules are queried, or is pending.

    A pending setting is not queried, so that a setting that the service refuses or does not have costs nothing but
    itself. Its declaration is sent again later.

    ``adopt``, ``release`` and the properties may be used from any thread. Flows belong to one thread.

    Attributes:
        lock: Guards which settings there are, and their lookups.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._pending: WeakValueDictionary[int, Setting[Any]] = WeakValueDictionary()
        self._declared = DeclaredSettings()
        self._refusals: dict[str, str] = {}  # reasons, by the name of a pending setting
        self._conflicts: WeakKeyDictionary[Setting[Any], str] = WeakKeyDictionary()  # reasons
        self._latest_defaults: list[tuple[Setting[Any], Any]] = []

    def __contains__(self, setting: Setting[Any]) -> bool:
        """Return whether the setting is declared."""
        return setting in self._declared

    @property
    def settings(self) -> list[Setting[Any]]:
        """All settings of the client."""
        with self.lock:
            return [*self._declared.all(), *self._pending.values()]

    @property
    def pending(self) -> list[Setting[Any]]:
        """The settings that are not declared yet."""
        with self.lock:
            return list(self._pending.values())

    @property
    def has_declared(self) -> bool:
        """Whether any setting is declared."""
        return len(self._declared) > 0

    @property
    def declared(self) -> list[Setting[Any]]:
        """The settings that are declared."""
        with self.lock:
            return self._declared.all()

    @property
    def declared_names(self) -> Sequence[str]:
        """The names of the declared settings, each once, sorted."""
        with self.lock:
            return self._declared.names

    @property
    def refusals(self) -> Mapping[str, str]:
        """Why settings are still pending after their declaration was sent, by name."""
        with self.lock:
            names = {setting.name for setting in self._pending.values()}
            return {name: reason for name, reason in self._refusals.items() if name in names}

    @property
    def problems(self) -> Problems:
        """The problems of the settings."""
        with self.lock:
            pending, declared = list(self._pending.values()), self._declared.all()
        problems = [
            Problem("undeclared", setting.name, self._refusals.get(setting.name, "it was not sent to the service yet"))
            for setting in pending
        ]
        reasons = [(setting, self._conflicts.get(setting)) for setting in declared] if self._conflicts else ()
        conflicts = [Problem("conflict", setting.name, reason) for setting, reason in reasons if reason is not None]
        problems += conflicts
        rejected_rules = 0
        for setting in declared:
            for value in setting._served.rejected:
                rejected_rules += value.rule_id is not None
                if len(problems) < LISTED_PROBLEMS:
                    kind: ProblemKind = "rejected default" if value.rule_id is None else "rejected rule"
                    problems.append(Problem(kind, setting.name, str(value), value.rule_id))
        return Problems(len(pending), len(conflicts), rejected_rules, tuple(problems[:LISTED_PROBLEMS]))

    def named(self, canonical_name: str) -> Sequence[Setting[Any]] | None:
        """Return the declared settings with a canonical name in the service, or ``None`` if there are none."""
        with self.lock:
            return self._declared.named(canonical_name)

    def adopt(self, settings: Iterable[Setting[Any]]) -> None:
        """Add settings. They are pending."""
        with self.lock:
            self._pending.update((id(setting), setting) for setting in settings)

    def release(self) -> list[Setting[Any]]:
        """Remove all settings and return them."""
        with self.lock:
            settings = self.settings
            self._declared.clear()
            self._pending.clear()
        return settings

    def replace_lock_after_fork(self) -> None:
        """Replace the lock, which a thread of the parent process may have held."""
        self.lock = threading.RLock()

    def set_aside_refused(self, refused: Mapping[str, str]) -> None:
        """Make declared settings pending whose rules the service does not send.

        Args:
            refused: The reasons, by name.
        """
        for setting in self.declared:
            if setting.name in refused:
                self._set_aside(setting, refused[setting.name])

    def declare_without_service(self) -> None:
        """Treat all settings as declared, because there is no service."""
        with self.lock:
            for setting in self.pending:
                self._declared.add(setting)
            self._pending.clear()

    def declare_pending(self) -> Flow[Declarations]:
        """Declare the pending settings. Those that fail stay pending."""
        pending = self.pending
        failures: list[tuple[str, Exception]] = []
        bodies: list[tuple[Setting[Any], dict[str, Any]]] = []
        for setting in pending:
            try:
                bodies.append((setting, setting.to_v1_declaration_body()))
            except Exception as error:  # noqa: BLE001 - a setting type of the program may raise anything
                let_signals_pass(error)
                failures.append((setting.name, error))
        outcomes = yield from send_all(protocol.declare(body) for _, body in bodies)
        accepted = 0
        unnamed: list[Setting[Any]] = []
        for (setting, _), outcome in zip(bodies, outcomes, strict=True):
            yield CHECKPOINT
            try:
                declaration = protocol.read_declaration(unwrap(outcome))
                self._take_declaration(setting, declaration)
            except Exception as error:  # noqa: BLE001 - returned to the caller
                let_signals_pass(error)
                failures.append((setting.name, error))
                continue
            accepted += 1
            if declaration.outcome == "conflict":
                unnamed.append(setting)
        self._refusals |= {name: repr(error) for name, error in failures}
        failures += yield from self.set_aside_missing(unnamed)
        return Declarations(accepted, failures)

    def set_aside_missing(self, settings: Sequence[Setting[Any]]) -> Flow[list[tuple[str, Exception]]]:
        """Look up the canonical names of declared settings, and make those pending that the service does not have.

        Returns:
            The failures. A setting that could not be looked up becomes pending, too, unless all of them failed.
        """
        outcomes = yield from send_all(protocol.look_up(setting.name) for setting in settings)
        failures: list[tuple[str, Exception]] = []
        missing: list[tuple[Setting[Any], str]] = []
        for setting, outcome in zip(settings, outcomes, strict=True):
            try:
                canonical = protocol.read_canonical_name(unwrap(outcome))
            except Exception as error:  # noqa: BLE001 - returned to the caller
                let_signals_pass(error)
                failures.append((setting.name, error))
                missing.append((setting, repr(error)))
                continue
            if canonical is None:
                missing.append((setting, "the service does not have this setting"))
            else:
                with self.lock:
                    self._declared.set_canonical_name(setting.name, canonical)
        if len(failures) < len(settings):
            for setting, reason in missing:
                self._set_aside(setting, reason)
        return failures

    def redeclare_missing(self) -> Flow[Declarations]:
        """Declare the settings again that the service does not have. Those that it still does not have stay pending."""
        failures = yield from self.set_aside_missing(self.declared)
        again = self.pending
        accepted, declaration_failures = yield from self.declare_pending()
        failures += declaration_failures
        failures += yield from self.set_aside_missing([setting for setting in again if setting in self])
        return Declarations(accepted, failures)

    @property
    def has_latest_defaults(self) -> bool:
        """Whether :meth:`apply_latest_defaults` has anything to do."""
        return bool(self._latest_defaults)

    def apply_latest_defaults(self) -> None:
        """Apply the defaults that the responses to declarations contained."""
        with self.lock:
            for setting, default in self._latest_defaults:
                if setting in self:
                    setting._serve(setting._served.with_default(default, "service"))
        self._latest_defaults.clear()

    def _set_aside(self, setting: Setting[Any], reason: str) -> None:
        self._refusals[setting.name] = reason
        with self.lock:
            self._declared.set_canonical_name(setting.name, setting.name)
            if self._declared.remove(setting):
                self._pending[id(setting)] = setting

    def _take_declaration(self, setting: Setting[Any], response: DeclarationResponse) -> None:
        self._conflicts.pop(setting, None)
        match response.outcome:
            case "created" | "uptodate" | "upgraded":
                pass
            case "outdated":
                _log_outdated(setting, response)
                self._take_declared_default(setting, response)
            case _:
                self._conflicts[setting] = reason = describe_conflict(setting.version, response)
                if setting.name not in self._refusals:  # else it was logged already
                    logger.error(
                        "conflict when declaring setting: %s",
                        f"{setting.name!r}, {reason}",
                        extra={"setting": setting.name, "response": response.detail},
                    )
        canonical = response.latest_value("name", setting.name)
        with self.lock:
            if isinstance(canonical, str) and canonical != setting.name:
                self._declared.set_canonical_name(setting.name, canonical)
            # Another client may have taken the setting over in the meantime.
            if self._pending.pop(id(setting), None) is not None:
                self._declared.add(setting)

    def _take_declared_default(self, setting: Setting[Any], response: DeclarationResponse) -> None:
        nothing = object()
        raw_value = response.latest_value("default_value", nothing)
        if raw_value is nothing:
            return
        extra = {"setting": setting.name, "server_default_value": raw_value}
        try:
            received = receive(setting, raw_value, None)
        except Exception as error:  # noqa: BLE001 - a validator of the program may raise anything
            let_signals_pass(error)
            logger.warning(
                "server default was discarded due to coercion error during declaration: %s",
                f"{setting.name!r}, {reprlib.repr(raw_value)}: {error!r}",
                extra={**extra, "error": repr(error)},
            )
            return
        if received.coercions:
            logger.warning(
                "server default was coerced to local value during declaration: %s",
                f"{setting.name!r}, {'; '.join(received.coercions)}",
                extra={**extra, "coercions": list(received.coercions)},
            )
        self._latest_defaults.append((setting, received.value))


def _log_outdated(setting: Setting[Any], response: DeclarationResponse) -> None:
    extra = {
        "setting": setting.name,
        "version": setting.version,
        "latest_version": response.latest_version,
        "differences": list(response.differences),
    }
    text = (
        f"{setting.name!r} is declared at version {setting.version}, and the service has version "
        f"{response.latest_version}{describe_differences(response)}"
    )
    if response.latest_version is not None and _major(response.latest_version) > _major(setting.version):
        logger.warning("setting is outdated by a major version: %s", text, extra=extra)
    else:
        logger.info("setting is outdated: %s", text, extra=extra)


def _major(version: str) -> tuple[int, str]:
    """Return a sort key for major versions. Python limits the conversion of long texts to numbers."""
    digits = version.partition(".")[0].lstrip("0")
    return len(digits), digits
