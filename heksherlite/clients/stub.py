"""Stub clients for tests: settings return the values that a test sets, without any I/O."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest.mock import AsyncMock, Mock
from weakref import WeakSet

from heksherlite import main_client
from heksherlite.contexts import ContextCompletion, ContextDefaults, text_of
from heksherlite.engine.health import ClientState, ClientStatus
from heksherlite.engine.options import ContextOptions
from heksherlite.lookup import Lookup
from heksherlite.main_client import MainClient
from heksherlite.rule_sets import NO_VALUE, RuleSet
from heksherlite.rules import QueriedRule, build_rule_set
from heksherlite.setting import Setting
from heksherlite.setting_arguments import converted_value

T = TypeVar("T")


@dataclass(frozen=True)
class Rule:
    """A rule of a stub.

    Args:
        match_conditions: The required value of each context feature. A feature that is missing or ``None`` matches any
            value.
        value: The value of the setting if the rule wins.
    """

    match_conditions: Mapping[str, str | None]
    value: Any


@dataclass(frozen=True, slots=True)
class PreviousValue:
    """The previous state of a setting. Assign it to :attr:`StubbedSetting.rules` to restore this state."""

    lookup: Lookup = field(repr=False)


class StubbedSetting:
    """Controls the value of a setting in a test: ``client[setting]``."""

    def __init__(self, setting: Setting[Any], options: ContextOptions) -> None:
        self._setting = setting
        self._options = options
        self._before = setting._served

    @property
    def rules(self) -> Any:
        """The value that the setting returns. Assign a value, or a list of :class:`Rule`, which may be empty.

        Reading returns an opaque object that represents the current state. Assign it to restore that state. Assigning
        rules raises :class:`ValueError` if two rules have the same conditions, or a rule has a condition on a feature
        that is not configurable. A value is converted like a value from the service, and raises :class:`TypeError` if
        it is not of the type of the setting.
        """
        return PreviousValue(self._setting._served)

    @rules.setter
    def rules(self, value: Any) -> None:
        lookup = value.lookup if isinstance(value, PreviousValue) else lookup_for_rules(self._setting, value)
        self._before = self._setting._served
        self._setting._serve(_with_defaults(lookup, self._options.defaults))

    @rules.deleter
    def rules(self) -> None:
        # unittest.mock.patch.object deletes the attribute when it ends.
        self._setting._serve(self._before)


def lookup_for_rules(setting: Setting[Any], value: Any, where: Mapping[str, Any] | None = None) -> Lookup:
    """Return a lookup for what a test wants a setting to return.

    Args:
        setting: The setting.
        value: A value, or a list of :class:`Rule`.
        where: The context features and values for which the value counts. The lookup then has the default
            :data:`NO_VALUE`.

    Raises:
        TypeError: If the value is not of the type of the setting.
        ValueError: If rules have the same conditions, or a condition on a feature that is not configurable.
    """
    features = setting.configurable_features
    if where is None and not _are_rules(setting, value):
        default = converted_value("stub value", setting.name, setting.type, value)
        return Lookup(setting.name, RuleSet(features), default, ContextCompletion(features), "stub")
    rules = value if where is None else [Rule(where, value)]
    rule_set, conflicts = build_rule_set(features, features, _queried_rules(setting, rules))
    if conflicts:
        conditions = [dict(rule.context_features) for rule in conflicts]
        raise ValueError(f"several stub rules of setting {setting.name!r} have the same conditions: {conditions}")
    default = setting.default_value if where is None else NO_VALUE
    return Lookup(setting.name, rule_set, default, ContextCompletion(features))


def _are_rules(setting: Setting[Any], value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    return any(isinstance(rule, Rule) for rule in value) or not (value or _accepts_no_elements(setting))


def _accepts_no_elements(setting: Setting[Any]) -> bool:
    try:
        setting.type.convert_to_heksher([])
    except Exception:  # noqa: BLE001 - a setting type of the program may raise anything
        return False
    return True


def _with_defaults(lookup: Lookup, defaults: ContextDefaults) -> Lookup:
    required = lookup.contexts.required
    return lookup.with_contexts(ContextCompletion(lookup.rules.features, defaults, required=required))


def _queried_rules(setting: Setting[Any], rules: Sequence[Any]) -> Iterator[QueriedRule[Any]]:
    for number, rule in enumerate(rules, start=1):
        if not isinstance(rule, Rule):
            raise ValueError(f"stub rules of setting {setting.name!r} must all be Rule objects, not {rule!r}")  # noqa: TRY004
        conditions = {
            feature: _condition_text(setting, feature, expected)
            for feature, expected in rule.match_conditions.items()
            if expected is not None
        }
        if unknown := sorted(conditions.keys() - set(setting.configurable_features)):
            raise ValueError(f"{rule!r} is for setting {setting.name!r}, which is not configurable by {unknown}")
        value = converted_value("stub value", setting.name, setting.type, rule.value)
        yield QueriedRule(number, tuple(conditions.items()), value)


def _condition_text(setting: Setting[Any], feature: str, expected: object) -> str:
    text = text_of(expected)
    if text is None:
        raise TypeError(f"a stub rule of setting {setting.name!r} expects {feature}={expected!r}, which is not text")
    return text


class StubClient:
    """The common part of both stubs. Ignores its arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs
        self._options = ContextOptions()
        self._created_at = datetime.now(UTC)
        self._settings: WeakSet[Setting[Any]] = WeakSet()

    def __getitem__(self, setting: Setting[Any]) -> StubbedSetting:
        if not isinstance(setting, Setting):
            raise TypeError(f"client[...] needs a Setting, not {setting!r}; write client[setting].rules = value")
        return StubbedSetting(setting, self._options)

    def patch(self, setting: Setting[T], value: T | Sequence[Rule]) -> AbstractContextManager[None]:
        """Set the value that a setting returns, and restore it at the end of a ``with`` block. Deprecated.

        Args:
            setting: The setting.
            value: A value or rules, as for :attr:`StubbedSetting.rules`.
        """
        warnings.warn("patch() is deprecated; assign to client[setting].rules", DeprecationWarning, stacklevel=2)
        stubbed = self[setting]
        restore = ExitStack()
        restore.callback(setattr, stubbed, "rules", stubbed.rules)
        stubbed.rules = value
        return _until_exit(restore)

    def set_defaults(self, /, **features: str | ContextVar[str]) -> None:
        """Set default values of context features, as the real clients do.

        Args:
            features: By context feature: a constant, or a context variable that is read at each call.

        Raises:
            ValueError: If a feature already has a default. No default is set then.
            TypeError: If a default is neither a string nor a context variable.
        """
        self._options.set_defaults(features)
        for setting in self._settings:
            setting._serve(_with_defaults(setting._served, self._options.defaults))

    @property
    def _context_defaults(self) -> ContextDefaults:
        return self._options.defaults

    def track_contexts(self, /, **features: str | Iterable[str]) -> None:
        """Do nothing. A stub always uses all of its rules."""

    @property
    def status(self) -> ClientStatus:
        """The status of a client whose updates all succeed, as the program under test sees it."""
        state: ClientState = "fresh" if main_client.main() is self else "closed"
        return ClientStatus(state, "service", self._created_at, 0.0, None, None, 0, streaming=False, undeclared=0)

    @property
    def is_updating(self) -> bool:
        """Whether the stub is the main client."""
        return main_client.main() is self

    @property
    def is_live(self) -> bool:
        """Whether the stub accepts settings. Always true."""
        return True

    def _adopt(self, settings: Iterable[Setting[Any]]) -> None:
        """Take over settings: they return their local defaults. Called by the package."""
        for setting in settings:
            setting._forget()
            setting._serve(_with_defaults(setting._served, self._options.defaults))
            self._settings.add(setting)

    def _release(self) -> list[Setting[Any]]:
        """Give up all settings. Called by the package."""
        settings = list(self._settings)
        self._settings.clear()
        for setting in settings:
            setting._forget()
        return settings

    def _check_successor(self, successor: MainClient) -> None:
        """Let any client take over. Called by the package."""


@contextmanager
def _until_exit(restore: ExitStack) -> Iterator[None]:
    with restore:
        yield


class SyncStubHeksherClient(StubClient):
    """Replaces a :class:`~heksherlite.ThreadHeksherClient` in tests.

    Use it as ``with client:``, or call :meth:`set_as_main`. It accepts any arguments and ignores them.

    Attributes:
        reload: A mock.
        close: A mock.
        ping: A mock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reload = Mock(return_value=None)
        self.close = Mock(return_value=None)
        self.ping = Mock(return_value=None)

    def set_as_main(self) -> None:
        """Make this the process's main client."""
        main_client.set_main(self)

    def __enter__(self) -> Self:
        self.set_as_main()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        main_client.step_down(self)


class AsyncStubHeksherClient(StubClient):
    """Replaces an :class:`~heksherlite.AsyncHeksherClient` in tests.

    Use it as ``async with client:``, or call :meth:`set_as_main`. It accepts any arguments and ignores them.

    Attributes:
        reload: An asynchronous mock.
        aclose: An asynchronous mock.
        ping: An asynchronous mock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reload = AsyncMock(return_value=None)
        self.aclose = AsyncMock(return_value=None)
        self.ping = AsyncMock(return_value=None)

    async def set_as_main(self) -> None:
        """Make this the process's main client."""
        main_client.set_main(self)

    async def close(self) -> None:
        """Call ``aclose``. Deprecated."""
        warnings.warn("AsyncStubHeksherClient.close() is deprecated; use aclose()", DeprecationWarning, stacklevel=2)
        await self.aclose()

    async def __aenter__(self) -> Self:
        await self.set_as_main()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
        main_client.step_down(self)
