"""The settings of a client, and what the service knows of them."""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from heksherlite.engine import protocol
from heksherlite.engine.messages import CHECKPOINT, Flow, send_all, unwrap
from heksherlite.engine.protocol import DeclarationResponse
from heksherlite.engine.updates import receive
from heksherlite.setting import Setting

logger = logging.getLogger(__name__)


class Registry:
    """Settings that wait to be declared, and those that were, and the steps from the one to the other.

    ``adopt``, ``release`` and what can be read may be used from any thread; the steps belong to one.

    Attributes:
        lock: Guards which settings there are, and changes of what they are read from.
        adoptions: How many times :meth:`adopt` was called.
        declarations: How many settings were declared so far.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.adoptions = 0
        self.declarations = 0
        self._undeclared: WeakValueDictionary[int, Setting[Any]] = WeakValueDictionary()
        self._declared: WeakValueDictionary[int, Setting[Any]] = WeakValueDictionary()
        self._canonical_names: dict[str, str | None] = {}  # where they differ; None: the service has no such setting
        self._latest_defaults: list[tuple[Setting[Any], Any]] = []

    def __contains__(self, setting: Setting[Any]) -> bool:
        """Whether the setting was declared, and is still served."""
        return id(setting) in self._declared

    @property
    def settings(self) -> list[Setting[Any]]:
        """All settings of the client."""
        with self.lock:
            return [*self._declared.values(), *self._undeclared.values()]

    @property
    def pending(self) -> list[Setting[Any]]:
        """The settings that are still to be declared."""
        with self.lock:
            return list(self._undeclared.values())

    @property
    def declared(self) -> list[Setting[Any]]:
        """The settings that were declared."""
        with self.lock:
            return list(self._declared.values())

    @property
    def queried(self) -> list[Setting[Any]]:
        """The settings whose rules the service can be asked for."""
        lost = [name for name, canonical_name in self._canonical_names.items() if canonical_name is None]
        return [setting for setting in self.declared if setting.name not in lost] if lost else self.declared

    def by_canonical_name(self) -> dict[str | None, list[Setting[Any]]]:
        """Return the settings that can be asked for, by the name that the service has for them."""
        by_name: dict[str | None, list[Setting[Any]]] = defaultdict(list)
        for setting in self.queried:
            by_name[self._canonical_names.get(setting.name, setting.name)].append(setting)
        return by_name

    def adopt(self, settings: Iterable[Setting[Any]]) -> None:
        """Take in settings that wait to be declared."""
        with self.lock:
            self._undeclared.update((id(setting), setting) for setting in settings)
            self.adoptions += 1

    def release(self) -> list[Setting[Any]]:
        """Give up all settings, and return them."""
        with self.lock:
            settings = self.settings
            self._declared.clear()
            self._undeclared.clear()
        return settings

    def after_fork(self) -> None:
        """Forget who held the lock in the parent of this process."""
        self.lock = threading.RLock()

    def declare_to_nobody(self) -> None:
        """Have no setting wait to be declared, because there is no service."""
        with self.lock:
            self._declared.update(self._undeclared)
            self._undeclared.clear()

    def declare_pending(self) -> Flow[None]:
        """Declare the settings that are not declared yet.

        Raises:
            Exception: The first failure, once all were tried; these settings stay pending. The others are notes of it.
        """
        pending = self.pending
        if not pending:
            return
        responses = yield from send_all(protocol.declare(setting.to_v1_declaration_body()) for setting in pending)
        failures: list[Exception] = []
        without_outcome: list[Setting[Any]] = []
        for setting, response in zip(pending, responses, strict=True):
            yield CHECKPOINT
            try:
                declaration = protocol.read_declaration(unwrap(response))
            except Exception as error:  # noqa: BLE001 - raised below
                error.add_note(f"while declaring setting {setting.name!r}")
                failures.append(error)
                continue
            self._take_declaration(setting, declaration)
            if declaration.outcome == "conflict":
                without_outcome.append(setting)
        try:
            yield from self.look_up(without_outcome)
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)
        if failures:
            first, *others = failures
            for other in others:
                first.add_note(f"also failed: {other!r}")
            raise first

    def look_up(self, settings: Sequence[Setting[Any]]) -> Flow[list[Setting[Any]]]:
        """Look up the canonical names of settings; return those that the service does not have."""
        responses = yield from send_all(protocol.look_up(setting.name) for setting in settings)
        lost = []
        for setting, response in zip(settings, responses, strict=True):
            name = protocol.read_canonical_name(unwrap(response))
            self._canonical_names[setting.name] = name
            if name is None:
                lost.append(setting)
        return lost

    def declare_lost(self) -> Flow[None]:
        """Declare again what the service does not have any more."""
        lost = yield from self.look_up(self.queried)
        with self.lock:
            for setting in lost:
                self._canonical_names.pop(setting.name, None)
                if self._declared.pop(id(setting), None) is not None:
                    self._undeclared[id(setting)] = setting
        yield from self.declare_pending()

    @property
    def has_latest_defaults(self) -> bool:
        """Whether :meth:`apply_latest_defaults` has anything to do."""
        return bool(self._latest_defaults)

    def apply_latest_defaults(self) -> None:
        """Put the defaults in force that came with the responses to declarations."""
        with self.lock:
            for setting, default in self._latest_defaults:
                if setting in self:
                    setting._serve(setting._lookup.with_default(default, "service"))
        self._latest_defaults.clear()

    def _take_declaration(self, setting: Setting[Any], response: DeclarationResponse) -> None:
        match response.outcome:
            case "created" | "uptodate" | "upgraded":
                pass
            case "outdated":
                _log_outdated(setting, response)
                self._take_declared_default(setting, response)
            case _:
                logger.error(
                    "conflict when declaring setting",
                    extra={"setting": setting.name, "response": response.detail},
                )
        canonical = response.latest_value("name", setting.name)
        if isinstance(canonical, str) and canonical != setting.name:
            self._canonical_names[setting.name] = canonical
        self.declarations += 1
        with self.lock:
            # Not there any more if another client took it over in the meantime.
            if self._undeclared.pop(id(setting), None) is not None:
                self._declared[id(setting)] = setting

    def _take_declared_default(self, setting: Setting[Any], response: DeclarationResponse) -> None:
        nothing = object()
        raw_value = response.latest_value("default_value", nothing)
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


def _log_outdated(setting: Setting[Any], response: DeclarationResponse) -> None:
    extra = {
        "setting": setting.name,
        "version": setting.version,
        "latest_version": response.latest_version,
        "differences": list(response.differences),
    }
    if response.latest_version is not None and _major(response.latest_version) > _major(setting.version):
        logger.warning("setting is outdated by a major version", extra=extra)
    else:
        logger.info("setting is outdated", extra=extra)


def _major(version: str) -> tuple[int, str]:
    """Return what orders major versions: not a number, because there are limits to converting one."""
    digits = version.partition(".")[0].lstrip("0")
    return len(digits), digits
