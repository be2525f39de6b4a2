"""What tests put over the settings: values, rules, context values, and a record of what is read.

Each layer is global to the process, so threads, tasks and forked processes see it. A client goes on updating the
settings below.
"""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Final

from heksherlite import in_force, main_client
from heksherlite.clients.stub import lookup_for_rules
from heksherlite.context_values import own_variable
from heksherlite.contexts import ContextCompletion
from heksherlite.lookup import Lookup
from heksherlite.rule_sets import NO_VALUE, Context
from heksherlite.setting import Setting, existing_settings

AnySetting = Setting[Any]
Record = Callable[[str, Any], None]
"""Called with the name of a setting and the value that was read."""


class Layer:
    """Values of one setting. It hides the layers below, or, with rules only, some contexts of them.

    Args:
        setting: The setting.
        lookup: The rules and the default, which is :data:`NO_VALUE` if the layer has none.
    """

    __slots__ = ("lookup", "setting")

    def __init__(self, setting: AnySetting, lookup: Lookup) -> None:
        self.setting = setting
        self.lookup = lookup


_layers: Final[dict[int, list[Layer]]] = {}
_contexts: Final[list[Mapping[str, str]]] = []
_records: Final[list[Record]] = []


class LayeredLookup(Lookup):
    """The lookup of a setting with layers over it.

    Args:
        base: The lookup below.
        contexts: The completion of contexts, with what tests say about them.
        layers: The layers, the newest last.
    """

    __slots__ = ("base", "layers")

    def __init__(self, base: Lookup, contexts: ContextCompletion, layers: list[Layer]) -> None:
        super().__init__(base.setting_name, base.rules, base.default, contexts, base.default_source, base.rejected)
        self.base = base
        self.layers = layers

    def __getitem__(self, key: Any) -> Any:
        """Return the value of the newest layer that has one for the context, or else the one below."""
        context = self._complete(key if len(self.contexts.features) > 1 else (key,))
        layer = self._winner(context)
        if layer is None:
            value = self.base[context if len(context) != 1 else context[0]]
        else:
            value = layer.rules.value(context)
            value = layer.default if value is NO_VALUE else value
        for record in _records:
            record(self.setting_name, value)
        return value

    def served(self) -> Lookup:
        """Return what the client served."""
        return self.base.served()

    def chosen(self, given: Context) -> Lookup:
        """Return the layer that has the value for the context, or what is chosen below."""
        context = self._complete(given)
        layer = self._winner(context)
        if layer is None:
            return self.base.chosen(context).with_contexts(self.contexts)
        default = self.default if layer.default is NO_VALUE else layer.default
        return Lookup(self.setting_name, layer.rules, default, self.contexts, "stub")

    @property
    def loaded(self) -> bool:
        """Whether rules and default are from a service or a stub."""
        return self.base.loaded

    def _complete(self, given: Context) -> tuple[Any, ...]:
        name, contexts = self.setting_name, self.contexts
        context = contexts.complete(name, given)
        if context is None:
            context = contexts.complete(name, contexts.texts(name, given))
        return tuple(context or ())

    def _winner(self, context: Context) -> Lookup | None:
        for layer in reversed(self.layers):
            lookup = layer.lookup
            if lookup.default is not NO_VALUE or lookup.rules.value(context) is not NO_VALUE:
                return lookup
        return None


class _Variable:
    """Where the value of a context feature comes from that a reader leaves out."""

    def __init__(self, feature: str) -> None:
        self._feature = feature

    def get(self) -> str:
        """Return what a request set, or else what the test says, or else the default.

        Raises:
            LookupError: If there is no value.
        """
        client = main_client.main()
        default = None if client is None else client._context_defaults.get(self._feature)  # noqa: SLF001
        variable = default if isinstance(default, ContextVar) else own_variable(self._feature)
        if variable in copy_context():
            return variable.get()
        for values in reversed(_contexts):
            if self._feature in values:
                return values[self._feature]
        return default if isinstance(default, str) else variable.get()


def add_values(setting: AnySetting, value: Any, where: Mapping[str, Any] | None) -> Callable[[], None]:
    """Put a value or rules over a setting.

    Args:
        setting: The setting.
        value: The value, or a list of :class:`~heksherlite.Rule`.
        where: The context features and values for which the value counts; ``None`` for all contexts.

    Returns:
        A function that takes the layer away.

    Raises:
        TypeError: If the value is not of the type of the setting, or a context value has no obvious text.
        ValueError: If the setting is not configurable by a feature.
    """
    if where is not None and not isinstance(where, Mapping):
        raise TypeError(f"where must be a mapping, such as {{'user': 'john'}}, not {where!r}")
    layer = Layer(setting, lookup_for_rules(setting, value, where))
    with in_force.updating():
        _layers.setdefault(id(setting), []).append(layer)
        _changed([setting])
    return partial(_remove_values, layer)


def _remove_values(layer: Layer) -> None:
    key = id(layer.setting)
    with in_force.updating():
        layers = [other for other in _layers[key] if other is not layer]
        if layers:
            _layers[key] = layers
        else:
            del _layers[key]
        _changed([layer.setting])


def add_context(values: Mapping[str, str]) -> Callable[[], None]:
    """Let context features have these values for readers that leave them out. Return a function that ends this."""
    return _add(_contexts, values)


def add_record(record: Record) -> Callable[[], None]:
    """Call a function at each read. Return a function that ends this."""
    return _add(_records, record)


def _add(items: list[Any], item: Any) -> Callable[[], None]:
    with in_force.updating():
        items.append(item)
        _changed(existing_settings())

    def remove() -> None:
        with in_force.updating():
            items[:] = [other for other in items if other is not item]
            _changed(existing_settings())

    return remove


def _changed(settings: Iterable[AnySetting]) -> None:
    in_force.overlay = _layered if _layers or _contexts or _records else None
    for setting in settings:
        setting._reassign()  # noqa: SLF001


def _layered(setting: AnySetting, lookup: Lookup) -> Lookup:
    layers = _layers.get(id(setting), [])
    if not (layers or _contexts or _records):
        return lookup
    features = setting.configurable_features
    variables: Any = {feature: _Variable(feature) for feature in features}
    contexts = ContextCompletion(features, variables, required=lookup.contexts.required)
    return LayeredLookup(lookup, contexts, list(layers))
