"""The setting type of dataclasses, attrs classes, typed dictionaries and named tuples, whose instances cattrs makes."""

import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar, is_typeddict

from heksherlite.values.conversions import Conversion, SettingType
from heksherlite.values.faults import Fault, ValueFaultsError, faults_of, without_keys
from heksherlite.values.model_fields import fields_of
from heksherlite.values.read_only import ReadOnlyDict
from heksherlite.values.setting_types import setting_type
from heksherlite.values.structuring import Structure, structure_of
from heksherlite.values.value_types import whole_schema

T = TypeVar("T")

_DICT: Final = frozenset({dict})

_open: ContextVar[tuple[Any, ...]] = ContextVar("heksherlite_open_models", default=())


class HeksherModel(SettingType[T]):
    """The instances of a class with fields: a dataclass, an attrs class, a ``TypedDict`` or a ``NamedTuple``.

    An instance is sent as an object with a key for each field. Each rule has one instance, which all readers share, so
    the class should be frozen. It takes cattrs: ``pip install "heksherlite[models]"``.

    Args:
        type_: The class.
        forbid_extra_keys: Whether values with unknown keys are refused. Otherwise the keys are dropped, which is a
            coercion.

    Raises:
        TypeError: If a field has a type or a default that cannot be sent, the class is generic, or it has itself in a
            field. The message names the field.
        ImportError: If cattrs is missing.
    """

    __slots__ = ("_defaults", "_fields", "_forbid_extra_keys", "_instance", "_structures", "_types", "type_")

    def __init__(self, type_: type[T], *, forbid_extra_keys: bool = True) -> None:
        self.type_: Final = type_
        self._forbid_extra_keys: Final = forbid_extra_keys
        self._fields: Final = {each.name: each for each in fields_of(type_)}
        self._types: Final = dict(self._types_of_fields())
        self._structures: Final = {name: structure_of(each) for name, each in self._types.items()}
        self._defaults: Final = dict(self._defaults_of_fields())
        self._instance: Final = _instance_maker(type_, self._structures)

    def heksher_string(self) -> str:
        """Return ``Json``."""
        return "Json"

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the objects."""
        properties = {
            name: {**whole_schema(each), **({"default": self._defaults[name]} if name in self._defaults else {})}
            for name, each in self._types.items()
        }
        schema = {
            "type": "object",
            "title": self.type_.__name__,
            "properties": properties,
            "required": [each.name for each in self._fields.values() if each.is_required],
            "additionalProperties": False,
        }
        description = self.type_.__doc__
        if description and not description.startswith(f"{self.type_.__name__}("):  # made of the fields
            schema["description"] = description.strip()
        return schema if self._forbid_extra_keys else _open_to_other_keys(schema)

    def convert_from_heksher(self, x: Any) -> Conversion[T]:
        """Return the instance of an object."""
        try:
            return Conversion(self._structure(x))
        except Exception as error:
            faults = list(self._faults(x)) or faults_of(error)
            unknown = [fault.path for fault in faults if fault.is_unknown_key]
            if self._forbid_extra_keys or len(unknown) < len(faults):
                raise ValueFaultsError(faults) from error
        return Conversion(self._structure(without_keys(x, unknown)), tuple(map(str, faults)))

    def convert_all_from_heksher(self, xs: Sequence[Any]) -> Sequence[T] | None:
        """Return the instances, or ``None`` if an object has a fault."""
        if not _DICT.issuperset(map(type, xs)):
            return None
        instance, type_ = self._instance, self.type_
        try:
            return [instance(x, type_) for x in xs]
        except Exception:  # noqa: BLE001 - the class of the program may raise anything; the caller converts one by one
            return None

    def convert_to_heksher(self, x: T) -> Any:
        """Return the object of an instance.

        Raises:
            TypeError: If it is no instance of the class, the value of a field is of another type, or a typed dictionary
                has a key that is not a field.
        """
        is_dictionary = is_typeddict(self.type_)
        if not isinstance(x, Mapping) if is_dictionary else type(x) is not self.type_:
            raise TypeError(f"{reprlib.repr(x)} is not a {self.type_.__name__}")
        faults = list(self._unknown_keys(x)) if is_dictionary else []  # type: ignore[arg-type]
        sent = {}
        for name, type_ in self._types.items():
            if is_dictionary and name not in x:  # type: ignore[operator]
                continue
            try:
                value = x[name] if is_dictionary else getattr(x, name)  # type: ignore[index]
                sent[name] = type_.convert_to_heksher(value)
            except (TypeError, ValueError) as error:
                faults += [fault.below(name) for fault in faults_of(error)]
        if faults:
            raise ValueFaultsError(faults)
        return sent

    def _structure(self, x: Any) -> T:
        if type(x) is not dict:
            raise TypeError(f"value {reprlib.repr(x)} is not an object")
        instance: T = self._instance(x, self.type_)
        return instance

    def _unknown_keys(self, x: Mapping[str, Any]) -> Iterator[Fault]:
        for name in x.keys() - self._fields.keys():
            yield Fault((name,), f"{self.type_.__name__} has no such field", is_unknown_key=True)

    def _faults(self, x: Any) -> Iterator[Fault]:
        if type(x) is not dict:
            return
        yield from self._unknown_keys(x)
        for name, each in self._fields.items():
            if name in x:
                try:
                    self._structures[name](x[name])
                except Exception as error:  # noqa: BLE001 - a predicate of the program may raise anything
                    yield from [fault.below(name) for fault in faults_of(error)]
            elif each.is_required:
                yield Fault((name,), "is missing")

    def _types_of_fields(self) -> Iterator[tuple[str, SettingType[Any]]]:
        with _opened(self.type_):
            for name, each in self._fields.items():
                with self._naming(name):
                    yield name, setting_type(each.annotation)

    def _defaults_of_fields(self) -> Iterator[tuple[str, Any]]:
        for name, each in self._fields.items():
            if each.default is not None:
                with self._naming(name):
                    default = self._types[name].convert_to_heksher(each.default())
                    self._structures[name](default)
                    yield name, default

    @contextmanager
    def _naming(self, field: str) -> Iterator[None]:
        try:
            yield
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"field {field!r} of {self.type_.__name__}: {error}") from error


@contextmanager
def _opened(type_: Any) -> Iterator[None]:
    """Refuse a class that has itself in a field."""
    if type_ in _open.get():
        raise TypeError(f"{type_.__name__} has itself in a field, which a schema cannot describe")
    token = _open.set((*_open.get(), type_))
    try:
        yield
    finally:
        _open.reset(token)


def _instance_maker(type_: Any, structures: Mapping[str, Structure]) -> Callable[[Any, Any], Any]:
    """Return what makes an instance of an object: cattrs, which converts each field as told, and refuses other keys."""
    try:
        from cattrs import Converter  # noqa: PLC0415 - only programs with such settings have it
        from cattrs.cols import namedtuple_dict_structure_factory  # noqa: PLC0415
        from cattrs.gen import make_dict_structure_fn, override  # noqa: PLC0415
        from cattrs.gen.typeddicts import make_dict_structure_fn as make_typed_dict_structure_fn  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            f'settings of the type {type_.__name__} need cattrs: pip install "heksherlite[models]"'
        ) from error
    converter = Converter(detailed_validation=False, forbid_extra_keys=True)
    hooks: Any = {name: override(struct_hook=structure) for name, structure in structures.items()}
    if is_typeddict(type_):
        make = make_typed_dict_structure_fn(
            type_, converter, _cattrs_detailed_validation=False, _cattrs_forbid_extra_keys=True, **hooks
        )
        return lambda value, _: ReadOnlyDict(make(value, type_))
    if hasattr(type_, "_fields"):
        maker: Callable[[Any, Any], Any] = namedtuple_dict_structure_factory(type_, converter, False, True, **hooks)
    else:
        maker = make_dict_structure_fn(
            type_, converter, _cattrs_detailed_validation=False, _cattrs_forbid_extra_keys=True, **hooks
        )
    return maker


def _open_to_other_keys(schema: Any) -> Any:
    """Return a schema that does not forbid keys, at any level."""
    if isinstance(schema, list):
        return [_open_to_other_keys(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in {"default", "enum"} else _open_to_other_keys(value)
        for key, value in schema.items()
        if not (key == "additionalProperties" and value is False)
    }
