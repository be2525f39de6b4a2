"""The setting: a program declares it and reads its value."""

from __future__ import annotations  # 2 ms of the import

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast, overload
from weakref import WeakValueDictionary

from heksherlite import in_force, main_client
from heksherlite.contexts import ContextCompletion
from heksherlite.getter import class_with_get, raise_unknown_features
from heksherlite.listeners import Listeners
from heksherlite.lookup import Lookup, UnloadedLookup, context_error
from heksherlite.rule_sets import NO_VALUE, RuleSet
from heksherlite.setting_arguments import (
    check_metadata,
    check_name,
    check_signature,
    check_version,
    converted_value,
    feature_names,
    type_of_setting,
)

if TYPE_CHECKING:
    import builtins
    from types import UnionType
    from typing import _SpecialForm as SpecialForm

    from heksherlite.explain import Explanation
    from heksherlite.rules import QueriedRule
    from heksherlite.setting_typing import E, M, P, Supplier
    from heksherlite.values.conversions import SettingType

logger = logging.getLogger(__name__)

T = TypeVar("T")
S = TypeVar("S")
Validator = Callable[[T, "QueriedRule[Any] | None", "Setting[T]"], T]
"""A function that checks or changes a value from the service; see :meth:`Setting.add_validator`."""

V = TypeVar("V", bound=Callable[..., Any])

OnCoerce = Callable[[T, Any, Sequence[str], "QueriedRule[Any] | None", "Setting[T]"], T]
"""A function that accepts or rejects a coerced value; see the parameter ``on_coerce`` of :class:`Setting`."""


def accept_coercion(
    value: T, raw_value: Any, coercions: Sequence[str], rule: QueriedRule[Any] | None, setting: Setting[T]
) -> T:
    """Return the coerced value unchanged. The default of ``on_coerce``."""
    del raw_value, coercions, rule, setting
    return value


class Setting(Generic[T]):
    """A typed value that depends on context and can change while the program runs.

    A setting registers with the main client of the process. If there is no main client yet, the next one takes it over.
    The client keeps only a weak reference to the setting.

    Args:
        name: The name of the setting in the service: letters, digits, ``_`` and ``.``.
        type: The Python type of the values; see :func:`~heksherlite.setting_type`.
        configurable_features: The context features on which rules can have conditions. At least one.
        default_value: The value if no rule matches and the service has no other default. It is converted like a value
            from the service: a sequence to a tuple, a mapping to a read-only mapping, a number to the type.
        metadata: JSON metadata that the service stores with the setting.
        alias: Another name of the setting, such as its previous name. Both names keep working.
        version: ``"MAJOR.MINOR"``. Raise it with each change of the declaration.
        on_coerce: Called as ``on_coerce(value, raw_value, coercions, rule, setting)`` for each value from the service
            that only partly fits the type. ``rule`` is ``None`` for a default. The function returns the value to use,
            or raises :class:`TypeError` to reject it. ``None`` rejects all coerced values. By default, coerced values
            are used.
        configurable_feature: An alternative spelling of ``configurable_features``.

    Raises:
        TypeError: If an argument is missing, the default is not of the type, ``on_coerce`` cannot be called, or the
            type is an enum or a mapping that cannot be sent.
        ValueError: If the name, the alias, the version, a metadata key or a configurable feature is invalid, or there
            are no configurable features.
        RuntimeError: If ``type`` is not supported.
    """

    __slots__ = (
        "__weakref__",
        "_listeners",
        "_lookup",
        "_observe",
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

    _lookup: Lookup
    _written_from: ClassVar[builtins.type[Any] | None] = None

    @overload
    def __init__(
        self: Setting[E],
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
        self: Setting[P],
        name: str,
        type: builtins.type[P],
        configurable_features: Iterable[str],
        default_value: P,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[P] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: Setting[M],
        name: str,
        type: builtins.type[M],
        configurable_features: Iterable[str],
        default_value: M,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[M] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: Setting[S],
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
        self: Setting[Sequence[S]],
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
        self: Setting[Mapping[str, S]],
        name: str,
        type: Callable[..., Mapping[str, S]],
        configurable_features: Iterable[str],
        default_value: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[Mapping[str, S]] | None = ...,
    ) -> None: ...

    # A type checker does not know the type that a union, a Literal or Annotated stands for: it is that of the default.
    @overload
    def __init__(
        self,
        name: str,
        type: UnionType | SpecialForm,
        configurable_features: Iterable[str],
        default_value: T,
        metadata: Mapping[str, Any] | None = ...,
        alias: str | None = ...,
        version: str = ...,
        on_coerce: OnCoerce[T] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: Setting[S],
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
        check_name(name)
        if alias is not None:
            check_name(alias, "alias")
            if alias == name:
                raise ValueError(f"setting {name!r} has its own name as alias")
        if metadata:
            check_metadata(name, metadata)
        check_version(name, version)
        if default_value is NO_VALUE:
            raise TypeError(f"setting {name!r} has no default_value")
        if on_coerce is not None and on_coerce is not accept_coercion:
            check_signature(on_coerce, "value, raw_value, coercions, rule, setting", f"on_coerce of setting {name!r}")
        self.name = name
        self.type: SettingType[T] = type_of_setting(name, type)
        self.configurable_features = feature_names(name, configurable_features or configurable_feature)
        self.default_value: T = converted_value("default_value", name, self.type, default_value)
        self.metadata = dict(metadata or {})
        self.alias = alias
        self.version = version
        self.on_coerce: OnCoerce[T] | None = on_coerce
        self._validators: list[Validator[T]] = []
        self._listeners = Listeners()
        self._supplier: Supplier | None = None
        self._observe: Callable[[Lookup], Lookup] | None = None
        self._forget()
        _by_name[name] = self
        main_client.register(self)

    # The class that `_serve` gives to a setting has these two as __setattr__ and __delattr__.
    def _set_or_hint(self, name: str, value: object) -> None:
        try:
            object.__setattr__(self, name, value)
        except AttributeError:
            raise AttributeError(self._cannot_replace(name)) from None

    def _delete_or_hint(self, name: str) -> None:
        try:
            object.__delattr__(self, name)
        except AttributeError:
            raise AttributeError(self._cannot_replace(name)) from None

    def _cannot_replace(self, attribute: str) -> str:
        return (
            f"attribute {attribute!r} of setting {self.name!r} cannot be replaced; to set its value in a test, use a "
            "stub client: 'with SyncStubHeksherClient() as stub: stub[setting].rules = value'"
        )

    def __copy__(self) -> Setting[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Setting[T]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if _by_name.get(self.name) is not self:
            raise TypeError(f"cannot pickle setting {self.name!r}: there is a newer setting with the same name")
        return find_setting, (self.name,)

    def __repr__(self) -> str:
        return f"<Setting {self.name!r}: {self.type.heksher_string()}>"

    def get(self, /, **contexts: Any) -> T:
        """Return the value for the current context: the value of the winning rule, or else the default.

        The method does no I/O and takes no lock. A stored reference to it follows updates. Before there is a main
        client, it returns the local default.

        Args:
            contexts: The values of configurable features, by name. A missing feature has the default of the client. A
                value is a string, or an ``int``, a :class:`uuid.UUID` or a member of a ``str`` enum, which is converted
                to its text.

        Raises:
            ValueError: If an argument is not a configurable feature of the setting.
            MissingContextError: If a feature has neither argument nor default. It is a :class:`RuntimeError`.
            ContextValueError: If a value is not text, and has no obvious text. It is a :class:`TypeError`.
        """
        given, lookup = self._given(contexts), self._lookup
        try:
            return cast("T", lookup[given[0] if len(given) == 1 else given])
        except TypeError as error:
            raise context_error(error, lookup, given) from None

    def explain(self, /, **contexts: Any) -> Explanation[T]:
        """Explain which rule determines the value that :meth:`get` returns for the same arguments, and why.

        Args:
            contexts: The arguments of :meth:`get`.

        Returns:
            The explanation. ``str()`` formats it as a table.

        Raises:
            ValueError: If an argument is not a configurable feature of the setting.
            MissingContextError: If a feature has neither argument nor default. It is a :class:`RuntimeError`.
            ContextValueError: If a value is not text, and has no obvious text. It is a :class:`TypeError`.
        """
        from heksherlite.explain import explain  # noqa: PLC0415 - reading settings does not need it

        given = self._given(contexts)
        return explain(self._lookup.chosen(given), given)

    def add_validator(self, validator: V) -> V:
        """Add a function that checks or changes each value from the service before it is used.

        Validators run in the order in which they were added.

        Args:
            validator: Called as ``validator(value, rule, setting)`` for each rule value and for the default of the
                service, whenever the setting is updated. ``rule`` is ``None`` for a default. The function returns the
                value to use, or raises :class:`TypeError` to reject it. It is not called for local defaults or for
                values of stubs.

        Returns:
            The validator, so that the method works as a decorator.

        Raises:
            TypeError: If the validator cannot be called with these three arguments, or is a coroutine function.
        """
        check_signature(validator, "value, rule, setting", f"a validator of setting {self.name!r}")
        self._validators.append(validator)
        return validator

    def on_change(self, listener: V) -> V:
        """Add a listener that is called after each update that changes the rules or the default of the setting.

        The listener runs without any lock, in the thread or event loop of the client, and must not block it. An
        exception from a listener is logged, once for each listener.

        Args:
            listener: A function or coroutine function, called as ``listener(before, after)`` with the rule sets before
                and after the update.

        Returns:
            The listener, so that the method works as a decorator.

        Raises:
            TypeError: If it cannot be called with these arguments.
        """
        check_signature(listener, "before, after", f"a listener of setting {self.name!r}", may_be_coroutine=True)
        return self._listeners.add(listener)

    def remove_on_change(self, listener: Callable[..., Any]) -> None:
        """Remove a listener.

        Args:
            listener: A function that was passed to :meth:`on_change`.

        Raises:
            ValueError: If the function is not a listener of this setting.
        """
        self._listeners.remove(listener)

    def to_v1_declaration_body(self) -> dict[str, Any]:
        """Return the JSON body of the request that declares the setting.

        A schema is in the metadata too, under ``schema``, unless the program has other metadata there: a service that
        does not know schemas stores and shows it there.
        """
        schema = self.type.json_schema()
        with_schema = {} if schema is None else {"schema": schema}
        return {
            "name": self.name,
            "configurable_features": list(self.configurable_features),
            "type": self.type.heksher_string(),
            "default_value": self.type.convert_to_heksher(self.default_value),
            "metadata": {**with_schema, **self.metadata},
            "alias": self.alias,
            "version": self.version,
            **with_schema,
        }

    def _serve(self, lookup: Lookup, supplier: Supplier | None = None) -> None:
        """Replace the lookup. Called by clients.

        Args:
            lookup: The new lookup.
            supplier: The client, if it received the rules of the lookup from the service.
        """
        if supplier is not None:
            if self._supplier is not None and self._supplier is not supplier and self._supplier.is_live:
                logger.warning(
                    "setting received rule set from multiple clients: %s",
                    f"{self.name!r}, from {self._supplier!r} and {supplier!r}",
                    extra={"setting": self.name},
                )
            self._supplier = supplier
        in_force.put_in_force(self, lookup if self._observe is None else self._observe(lookup))
        self._write_get()

    def _reassign(self) -> None:
        """Read what was served last, with what tests put over it now."""
        in_force.reassign(self)
        self._write_get()

    @property
    def _served(self) -> Lookup:
        """The lookup that was served last, whatever is read instead of it here and now."""
        return self._lookup.served()

    def _write_get(self) -> None:
        """Give the setting the ``get`` for its lookup."""
        written_from: Any = self._written_from or self.__class__
        if written_from.get is Setting.get:  # a subclass that overrides get keeps its own
            written = class_with_get(written_from, self.configurable_features, self._lookup.contexts.variable_positions)
            if self.__class__ is not written:
                self.__class__ = written

    def _forget(self) -> None:
        """Return to the local default, as before the first load. Called by clients."""
        self._supplier = None
        features = self.configurable_features
        self._serve(UnloadedLookup(self.name, RuleSet(features), self.default_value, _without_client(features)))

    def _given(self, contexts: dict[str, Any]) -> tuple[Any, ...]:
        given = tuple([contexts.pop(feature, NO_VALUE) for feature in self.configurable_features])
        if contexts:
            raise_unknown_features(self, contexts)
        return given


_by_name: WeakValueDictionary[str, Setting[Any]] = WeakValueDictionary()


def find_setting(name: str) -> Setting[Any]:
    """Return the newest setting with a name, for pickle.

    Raises:
        LookupError: If this process has no such setting.
    """
    setting = _by_name.get(name)
    if setting is None:
        raise LookupError(f"there is no setting {name!r} in this process: import the module that defines it first")
    return setting


def existing_settings() -> list[Setting[Any]]:
    """Return all settings of this process, sorted by name; of several with one name, the newest."""
    return [setting for _, setting in sorted(_by_name.items())]


@lru_cache(maxsize=1024)
def _without_client(features: tuple[str, ...]) -> ContextCompletion:
    return ContextCompletion(features, required=False)
