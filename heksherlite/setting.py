"""Setting: what a program declares and reads."""

import builtins
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, cast, overload

from heksherlite import main_client
from heksherlite.contexts import ContextCompletion
from heksherlite.conversions import SettingType
from heksherlite.getter import class_with_get, raise_unknown_features
from heksherlite.listeners import Listeners
from heksherlite.lookup import Lookup, UnloadedLookup
from heksherlite.rules import NO_VALUE, QueriedRule, RuleSet
from heksherlite.setting_types import setting_type

if TYPE_CHECKING:
    from heksherlite.explain import Explanation

logger = logging.getLogger(__name__)

T = TypeVar("T")
S = TypeVar("S")
E = TypeVar("E", bound=Enum)

Validator = Callable[[T, QueriedRule[Any] | None, "Setting[T]"], T]
"""Checks or changes a value from the service: see :meth:`Setting.add_validator`."""

V = TypeVar("V", bound=Callable[..., Any])

OnCoerce = Callable[[T, Any, Sequence[str], QueriedRule[Any] | None, "Setting[T]"], T]
"""Decides about a value that was coerced: see the parameter ``on_coerce`` of :class:`Setting`."""


class Supplier(Protocol):
    """What gives a setting its rules: a client."""

    @property
    def is_live(self) -> bool:
        """Whether it goes on doing so."""
        ...


def accept_coercion(
    value: T, raw_value: Any, coercions: Sequence[str], rule: QueriedRule[Any] | None, setting: "Setting[T]"
) -> T:
    """Take the coerced value as it is. The default of ``on_coerce``."""
    del raw_value, coercions, rule, setting
    return value


class Setting(Generic[T]):
    """A typed value that depends on context and changes while the program runs.

    A setting registers itself, by weak reference, with the process's main client, or waits until there is one.

    Args:
        name: Its name in the service: letters, digits, ``_`` and ``.``.
        type: The type of its values, in Python's terms; see :func:`~heksherlite.setting_type`.
        configurable_features: The context features that its rules may have conditions on. At least one.
        default_value: The value where no rule matches and the service has no other default. Of the setting's type.
        metadata: Anything to be stored with it in the service. JSON.
        alias: An earlier name of the setting, or another one that should go on working.
        version: ``"MAJOR.MINOR"``, to be raised whenever the declaration changes.
        on_coerce: Called as ``on_coerce(value, raw_value, coercions, rule, setting)`` with each value from the
            service that fits the type only in part; ``rule`` is ``None`` for a default. It returns the value to
            use, or raises :class:`TypeError` to reject it. ``None`` rejects all of them. By default the coerced
            value is used.
        configurable_feature: Another spelling of ``configurable_features``.

    Raises:
        TypeError: If an argument is missing, or the type is one whose values do not travel.
        ValueError: If the version is malformed, or there are no configurable features.
        RuntimeError: If no setting type can be made of ``type``.
    """

    __slots__ = (
        "__weakref__",
        "_listeners",
        "_lookup",
        "_supplier",
        "_validators",
        "alias",
        "configurable_features",
        "default_value",
        "metadata",
        "name",
        "on_coerce",
        "type",
        "version",
    )

    _written_from: ClassVar[builtins.type[Any] | None] = None

    @overload
    def __init__(
        self: "Setting[bool]",
        name: str,
        type: builtins.type[bool],
        configurable_features: Iterable[str],
        default_value: bool,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[bool] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[E]",
        name: str,
        type: builtins.type[E],
        configurable_features: Iterable[str],
        default_value: E,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[E] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[int]",
        name: str,
        type: builtins.type[int],
        configurable_features: Iterable[str],
        default_value: int,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[int] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[float]",
        name: str,
        type: builtins.type[float],
        configurable_features: Iterable[str],
        default_value: float,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[float] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[str]",
        name: str,
        type: builtins.type[str],
        configurable_features: Iterable[str],
        default_value: str,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[str] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[S]",
        name: str,
        type: SettingType[S],
        configurable_features: Iterable[str],
        default_value: S,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[S] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[Sequence[S]]",
        name: str,
        type: Callable[..., Sequence[S]],
        configurable_features: Iterable[str],
        default_value: Sequence[Any],
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[Sequence[S]] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[Mapping[str, S]]",
        name: str,
        type: Callable[..., Mapping[str, S]],
        configurable_features: Iterable[str],
        default_value: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[Mapping[str, S]] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Setting[S]",
        name: str,
        type: SettingType[S] | builtins.type[S],
        *,
        configurable_feature: Iterable[str],
        default_value: S,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[S] | None = ...,
    ) -> None: ...

    def __init__(
        self,
        name: str,
        type: Any,
        configurable_features: Iterable[str] = (),
        default_value: Any = NO_VALUE,
        metadata: Mapping[str, Any] | None = None,
        alias: str | None = None,
        version: str = "1.0",
        on_coerce: OnCoerce[Any] | None = accept_coercion,
        *,
        configurable_feature: Iterable[str] = (),
    ) -> None:
        if default_value is NO_VALUE:
            raise TypeError(f"setting {name!r} has no default_value")
        features = tuple(dict.fromkeys(configurable_features)) or tuple(dict.fromkeys(configurable_feature))
        if not features:
            raise ValueError(f"setting {name!r} has no configurable_features; it needs at least one")
        if not re.fullmatch(r"[0-9]+\.[0-9]+", version):
            raise ValueError(f"setting {name!r} has version {version!r}; a version is 'MAJOR.MINOR', such as '1.0'")
        self.name = name
        self.type: SettingType[T] = setting_type(type)
        self.configurable_features = features
        self.default_value: T = default_value
        self.metadata = dict(metadata or {})
        self.alias = alias
        self.version = version
        self.on_coerce: OnCoerce[T] | None = on_coerce
        self._validators: list[Validator[T]] = []
        self._listeners = Listeners()
        self._supplier: Supplier | None = None
        self._forget()
        main_client.register(self)

    def __repr__(self) -> str:
        return f"<Setting {self.name!r}: {self.type.heksher_string()}>"

    def get(self, /, **contexts: Any) -> T:
        """Return the value for the current context: the winning rule's, or else the default.

        Takes nanoseconds, no lock, and does no I/O. A stored reference to this method follows updates. Until there
        is a main client, the value is the local default.

        Args:
            contexts: Values of configurable features, by name. For those left out, the client's defaults stand in.

        Raises:
            ValueError: If an argument is not a configurable feature of the setting.
            MissingContextError: If a feature has neither argument nor default. A :class:`RuntimeError`.
        """
        given = self._given(contexts)
        return cast("T", self._lookup[given[0] if len(given) == 1 else given])

    def explain(self, /, **contexts: Any) -> "Explanation[T]":
        """Explain the value that :meth:`get` returns for the same arguments: which rule decided, and why.

        Returns:
            An object to inspect, which prints as a table.

        Raises:
            ValueError: As :meth:`get`.
            MissingContextError: As :meth:`get`.
        """
        from heksherlite.explain import explain  # noqa: PLC0415 - not needed to read settings

        return explain(self._lookup, self._given(contexts))

    def add_validator(self, validator: V) -> V:
        """Have each value that comes from the service checked, or changed, before it is used.

        Args:
            validator: Called as ``validator(value, rule, setting)`` with each rule's value, and with the service's
                default, where ``rule`` is ``None``, whenever the setting is updated. It returns the value to use, or
                raises :class:`TypeError` to reject it. Never called with local defaults and values of stubs.

        Returns:
            The validator, so that this is a decorator too.
        """
        self._validators.append(validator)
        return validator

    def on_change(self, listener: V) -> V:
        """Have a function called after each update in which the setting's rules or default changed.

        It is called without any lock, on the client's thread or in its event loop, which it should not hold up. What
        it raises is logged, once for each function.

        Args:
            listener: Called as ``listener(before, after)``, with the rule sets before and after the update. May be a
                coroutine function.

        Returns:
            The function, so that this is a decorator too.
        """
        return self._listeners.add(listener)

    def remove_on_change(self, listener: Callable[..., Any]) -> None:
        """Call a function no more that was given to :meth:`on_change`.

        Raises:
            ValueError: If it was not, or was removed already.
        """
        self._listeners.remove(listener)

    def to_v1_declaration_body(self) -> dict[str, Any]:
        """Return the body that declares this setting to the service."""
        return {
            "name": self.name,
            "configurable_features": list(self.configurable_features),
            "type": self.type.heksher_string(),
            "default_value": self.type.convert_to_heksher(self.default_value),
            "metadata": self.metadata,
            "alias": self.alias,
            "version": self.version,
        }

    def _serve(self, lookup: Lookup, supplier: Supplier | None = None) -> None:
        """Read from another lookup from now on. For clients.

        Args:
            lookup: What to read from.
            supplier: The client, if the lookup holds rules that it received.
        """
        if supplier is not None:
            if self._supplier is not None and self._supplier is not supplier and self._supplier.is_live:
                logger.warning("setting received rule set from multiple clients", extra={"setting": self.name})
            self._supplier = supplier
        self._lookup = lookup
        written_from: Any = self._written_from or self.__class__
        if written_from.get is Setting.get:  # a subclass with a get of its own keeps it
            self.__class__ = class_with_get(
                written_from, self.configurable_features, lookup.contexts.variable_positions
            )

    def _forget(self) -> None:
        """Return to the local default, as if no client had ever served this setting. For clients."""
        self._supplier = None
        features = self.configurable_features
        self._serve(UnloadedLookup(self.name, RuleSet(features), self.default_value, _without_client(features)))

    def _given(self, contexts: dict[str, Any]) -> tuple[Any, ...]:
        given = tuple([contexts.pop(feature, NO_VALUE) for feature in self.configurable_features])
        if contexts:
            raise_unknown_features(self, contexts)
        return given


@lru_cache(maxsize=1024)
def _without_client(features: tuple[str, ...]) -> ContextCompletion:
    return ContextCompletion(features, required=False)
