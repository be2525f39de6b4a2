"""JSON bodies of requests. What JSON cannot express is named with its place, and never sent as something else."""

from math import isfinite
from typing import Any, Final

import orjson

from heksherlite.values.faults import Fault, Path

_MAX_DEPTH: Final = 254
"""How deep orjson nests."""

_CONTAINERS: Final = (dict, list, tuple)


def json_body(value: Any, request: str) -> bytes:
    """Return the JSON of a value.

    Args:
        value: The value.
        request: The request that it is the body of, for errors.

    Raises:
        TypeError: If a part of the value has no JSON, such as NaN, an object, or an integer of more than 64 bits.
    """
    try:
        body = orjson.dumps(value)
    except TypeError as error:
        raise _error(request, str(_fault(value) or error)) from error
    if b"null" in body and _has_special_number(value):  # orjson writes NaN as null
        raise _error(request, str(_fault(value)))
    return body


def _has_special_number(value: Any) -> bool:
    """Return whether there is NaN or an infinity anywhere. It is quick, because a body may have millions of values."""
    level: list[Any] = [[value]]
    while level:
        parts: list[Any] = []
        for each in level:
            parts += each.values() if isinstance(each, dict) else each
        if not all(map(isfinite, [each for each in parts if isinstance(each, float)])):
            return True
        level = [each for each in parts if isinstance(each, _CONTAINERS)]
    return False


def is_unicode(text: str) -> bool:
    """Return whether a text can be sent: it has no lone surrogates, which stand for bytes that are not text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _error(request: str, fault: str) -> TypeError:
    return TypeError(f"{request} cannot be sent: {fault.removeprefix('$.')}")


def _fault(value: Any, path: Path = ()) -> Fault | None:
    if len(path) > _MAX_DEPTH:
        return Fault(path[:3], f"it is nested more than {_MAX_DEPTH} levels deep")
    parts: Any
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        text = _fault_of_scalar(value)
        return Fault(path, text) if text else None
    for key, part in parts:
        if isinstance(value, dict) and (not isinstance(key, str) or not is_unicode(key)):
            return Fault(path, f"the key {key!a} is not text")
        if fault := _fault(part, (*path, key)):
            return fault
    return None


def _fault_of_scalar(value: Any) -> str | None:
    if isinstance(value, float):
        return None if isfinite(value) else f"{value} is not JSON"
    if isinstance(value, str) and not is_unicode(value):
        return f"{value!a} is not text: it contains a lone surrogate"
    try:
        orjson.dumps(value)
    except TypeError:
        if isinstance(value, int):
            return "the integer has more than 64 bits"
        return f"a {type(value).__name__} is not JSON"
    return None
