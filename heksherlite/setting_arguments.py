"""Check the arguments of a setting where they are written, so that no service is needed to find a mistake."""

import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

from heksherlite.names import CONTEXT_FEATURE_NAME, METADATA_KEY, SETTING_NAME
from heksherlite.values.conversions import SettingType
from heksherlite.values.setting_types import setting_type

T = TypeVar("T")

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1  # JSON parsers in other languages keep these exactly
_INFINITY: Final = float("inf")
_VERSION_DIGITS: Final = frozenset("0123456789")


def check_name(name: object, what: str = "name") -> None:
    """Refuse an invalid name or alias of a setting.

    Raises:
        TypeError: If it is not a string.
        ValueError: If it is not a valid name.
    """
    if not isinstance(name, str):
        raise TypeError(f"the {what} of a setting must be a string, not {name!r}")
    if SETTING_NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name[:100]!r} is not a valid {what} of a setting: use 1 to 1000 letters from a to z, digits, '_' and '.'"
        )


def check_metadata(name: str, metadata: object) -> None:
    """Refuse metadata that the service would refuse.

    Raises:
        TypeError: If it is not a mapping.
        ValueError: If a key is invalid, or a value cannot be sent as JSON.
    """
    if not isinstance(metadata, Mapping):
        raise TypeError(f"the metadata of setting {name!r} must be a mapping, such as a dict, not {metadata!r}")
    for key, value in metadata.items():
        if not isinstance(key, str) or METADATA_KEY.fullmatch(key) is None:
            raise ValueError(
                f"setting {name!r} has the metadata key {key!r}: use letters from a to z, digits, '_' and '-'"
            )
        try:
            _check_json(value)
        except ValueError as error:
            raise ValueError(f"the metadata {key!r} of setting {name!r} cannot be sent: {error}") from None


def check_version(name: str, version: object) -> None:
    """Refuse an invalid version.

    Raises:
        TypeError: If it is not a string.
        ValueError: If it is not ``MAJOR.MINOR``.
    """
    if not isinstance(version, str):
        raise TypeError(f"the version of setting {name!r} must be a string, such as '1.0', not {version!r}")
    major, dot, minor = version.partition(".")
    if not (major and dot and minor and _VERSION_DIGITS.issuperset(major + minor)):
        raise ValueError(f"setting {name!r} has version {version!r}; a version is 'MAJOR.MINOR', such as '1.0'")


def feature_names(name: str, features: Iterable[str]) -> tuple[str, ...]:
    """Return the configurable features of a setting without duplicates.

    Args:
        name: The name of the setting.
        features: The context features. A string counts as its characters.

    Raises:
        TypeError: If they are not an iterable of strings.
        ValueError: If one of them is not a valid name, there are none, or a string has repeated characters. Such a
            string is the name of one feature.
    """
    try:
        names = tuple(features)
    except TypeError:
        raise TypeError(f"the configurable_features of setting {name!r} must be a list, not {features!r}") from None
    if not names:
        raise ValueError(f"setting {name!r} has no configurable_features; it needs at least one")
    if isinstance(features, str) and len(set(names)) < len(names):
        raise ValueError(f"the configurable_features of setting {name!r} are a string: write [{features!r}]")
    for feature in names:
        if not isinstance(feature, str):
            raise TypeError(f"the configurable_features of setting {name!r} must be strings, not {feature!r}")
        if CONTEXT_FEATURE_NAME.fullmatch(feature) is None:
            hint = f": write a list, such as {_split(features)}" if isinstance(features, str) else ""
            raise ValueError(f"setting {name!r} has {feature!r} among its configurable_features, an invalid name{hint}")
    return tuple(dict.fromkeys(names))


def check_known_features(name: str, features: Collection[str], known: Collection[str]) -> None:
    """Refuse configurable features that were written as one string, for a client that knows the right names.

    Args:
        name: The name of the setting.
        features: The configurable features.
        known: The context features of the client.

    Raises:
        ValueError: If the features are the characters of a context feature, or none of these characters is one.
    """
    written = "".join(features)
    if (
        len(features) > 1
        and all(len(feature) == 1 for feature in features)
        and (written in known or not any(feature in known for feature in features))
    ):
        raise ValueError(
            f"setting {name!r} has the configurable_features {list(features)}, and the client has the context features "
            f"{list(known)}: write configurable_features=[{written!r}]"
        )


def type_of_setting(name: str, type_: Any) -> SettingType[Any]:
    """Return the setting type of a Python type.

    Args:
        name: The name of the setting, for the message.
        type_: The Python type.

    Raises:
        TypeError: As for :func:`~heksherlite.setting_type`.
        RuntimeError: As for :func:`~heksherlite.setting_type`.
    """
    try:
        return setting_type(type_)
    except (TypeError, RuntimeError) as error:
        if type(error) in {TypeError, RuntimeError}:
            error.args = (f"setting {name!r}: {error}",)
        raise


def converted_value(what: str, name: str, type_: SettingType[T], value: Any) -> T:
    """Return a value of the program as the service would send it back.

    Args:
        what: What the value is, for the message.
        name: The name of the setting.
        type_: The type of the setting.
        value: The value.

    Raises:
        TypeError: If the value is not of the type.
    """
    try:
        sent = type_.convert_to_heksher(value)
        _check_json(sent)
        converted, coercions = type_.convert_from_heksher(sent)
    except (TypeError, ValueError, AttributeError) as error:
        raise TypeError(_wrong_value(what, name, type_, value, error)) from error
    if coercions:
        raise TypeError(_wrong_value(what, name, type_, value, "; ".join(coercions)))
    return converted


def check_signature(
    function: Callable[..., Any], parameters: str, what: str, *, may_be_coroutine: bool = False
) -> None:
    """Refuse a function that cannot be called with the arguments that it will get.

    Args:
        function: The function.
        parameters: The names of the arguments, separated by commas.
        what: What the function is, for the message.
        may_be_coroutine: Whether it may be a coroutine function.

    Raises:
        TypeError: If it cannot be called, cannot be called with these arguments, or is a coroutine function.
    """
    import inspect  # noqa: PLC0415 - takes milliseconds, and not every program has such functions

    if not callable(function):
        raise TypeError(f"{what} must be a function, not {function!r}")
    if not may_be_coroutine and inspect.iscoroutinefunction(function):
        raise TypeError(f"{what} must not be a coroutine function: {function!r}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions of C libraries have none
        return
    try:
        signature.bind(*parameters.split(", "))
    except TypeError as error:
        raise TypeError(f"{what} is called with ({parameters}), which {function!r} does not accept: {error}") from None


def _wrong_value(what: str, name: str, type_: SettingType[Any], value: Any, reason: object) -> str:
    shown = reprlib.repr(value)
    return f"the {what} {shown} of setting {name!r} is not of its type, {type_.heksher_string()}: {reason}"


def _split(text: str) -> list[str]:
    separated = "".join(character if CONTEXT_FEATURE_NAME.fullmatch(character) else " " for character in text)
    return separated.split()


def _check_json(value: Any) -> None:
    if isinstance(value, float):
        if not -_INFINITY < value < _INFINITY:  # nor is it NaN
            raise ValueError(f"{value!r} is not a JSON number")
    elif isinstance(value, int):
        if not _MIN_INTEGER <= value <= _MAX_INTEGER:
            raise ValueError("an integer is beyond 64 bits")
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_json(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_json(key)
            _check_json(item)


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a string has a lone surrogate")
