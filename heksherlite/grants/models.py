"""Conversion of groups to dataclasses and attrs classes by cattrs, and to pydantic models by pydantic."""

import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from typing import Any, TypeVar, cast

from heksherlite.errors import FactsShapeError, FaktsError
from heksherlite.grants.facts import describe_type

M = TypeVar("M")

_TRUE_AND_FALSE = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def structure(found: Any, path: str | None, into: type[M]) -> M:
    """Return a group as an instance of a class.

    Strings are converted to numbers, because the environment has only strings.

    Args:
        found: The group.
        path: Its path, for the error.
        into: A dataclass, an attrs class or a pydantic model.

    Raises:
        FactsShapeError: If the group does not fit. The error lists every offending key, but no values, which may be
            secret.
        FaktsError: If cattrs is not installed.
        TypeError: If the class is not one of these.
    """
    pydantic = sys.modules.get("pydantic")  # it is imported if the class is a model
    if pydantic is not None and isinstance(into, type) and issubclass(into, pydantic.BaseModel):
        try:
            return cast("M", cast("Any", into).model_validate(found))
        except pydantic.ValidationError as error:
            problems = {_dotted(item["loc"]): item["msg"] for item in error.errors(include_input=False)}
            raise FactsShapeError(path, problems) from None
    if not isinstance(into, type) or not (is_dataclass(into) or hasattr(into, "__attrs_attrs__")):
        raise TypeError(f"into must be a dataclass, an attrs class or a pydantic model, not {into!r}")
    return _structure_by_cattrs(found, path, into)


def _structure_by_cattrs(found: Any, path: str | None, into: type[M]) -> M:
    try:
        import cattrs  # noqa: PLC0415 - requires an extra
        from cattrs.errors import ClassValidationError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "cattrs":
            raise
        message = "into= requires cattrs, which is not installed: pip install 'heksherlite[models]'"
        raise FaktsError(message) from None
    converter = cattrs.Converter()
    for type_, convert in _PRIMITIVES.items():
        converter.register_structure_hook(type_, partial(_apply, convert))
    if not isinstance(found, dict):
        raise FactsShapeError(path, {path or "facts": f"expected a mapping, not {describe_type(found)}"})
    try:
        return converter.structure(found, into)
    except ClassValidationError as error:
        problems = dict(_problem(line) for line in cattrs.transform_error(error, format_exception=_reason))
        raise FactsShapeError(path, problems) from None


def _apply(convert: Callable[[Any], Any], value: Any, _: object) -> Any:
    return convert(value)


class _UnfitError(ValueError):
    """A value does not fit its type. The message does not quote it."""


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, _UnfitError):
        return str(error)
    if isinstance(error, KeyError):
        return "it is missing"
    return f"it does not fit ({type(error).__name__})"


def _problem(line: str) -> tuple[str, str]:
    """Return the key and the reason in a line such as ``it is missing @ $.key``."""
    reason, _, place = line.rpartition(" @ $")
    return place.lstrip(".") or "facts", reason


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)) or "facts"


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, str):
            return int(value)
    except ValueError:
        pass
    raise _UnfitError(f"expected an integer, not {describe_type(value)}")


def _float(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        if isinstance(value, str):
            return float(value)
    except ValueError:
        pass
    raise _UnfitError(f"expected a number, not {describe_type(value)}")


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE_AND_FALSE:
        return _TRUE_AND_FALSE[value.lower()]
    raise _UnfitError(f"expected true or false, not {describe_type(value)}")


def _str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _UnfitError(f"expected a string, not {describe_type(value)}")


_PRIMITIVES: dict[type, Callable[[Any], Any]] = {int: _int, float: _float, bool: _bool, str: _str}
