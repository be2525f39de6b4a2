"""What is wrong, in the words of the pages: people do not know the fields, the operations and the scopes of the API."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import ValidationError

from heksherlite.json_texts import parse_json
from heksherlite.service.api.bodies import BodyError
from heksherlite.service.domain.tokens import PERMITS, Scope
from heksherlite.service.errors import BadRequestError, NotPermittedError, OutsidePrefixError, RequestError

_FAULTS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "too_short": "is empty",
    "dict_type": 'is not a JSON object, such as {"key": "text"}',
    "list_type": "is not a list",
    "string_too_long": "is too long",
    "enum": "is not one of those that the form offers",
}
"""What is wrong with a field, by the type of the fault."""

_MOST_FAULTS: Final = 10


def words_of(error: RequestError | BodyError | ValidationError) -> str:
    """Return what is wrong, to be shown as a sentence."""
    match error:
        case ValidationError():
            return faults_of(error)
        case NotPermittedError(needed_scope=str(scope)):
            return f"you may not {PERMITS[Scope(scope)]} yourself"
        case OutsidePrefixError():
            return f"you may only use settings whose names begin with {error.setting_prefix!r}"
        case BodyError():
            return error.detail
    return error.message


def faults_of(error: ValidationError, *, with_places: bool = False) -> str:
    """Return what is wrong with the fields of a form, or of a file.

    Args:
        error: What pydantic found.
        with_places: Whether to say where each fault is, as it is in the file.
    """
    found = []
    for fault in error.errors():
        place = ".".join(map(str, fault["loc"])) if with_places else _field(fault["loc"])
        if fault["type"] in _FAULTS:
            found.append(f"{place} {_FAULTS[fault['type']]}")
        elif fault["type"] == "value_error" and not with_places:
            found.append(fault["msg"].removeprefix("Value error, "))
        else:
            found.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(list(dict.fromkeys(found))[:_MOST_FAULTS])


def _field(location: tuple[int | str, ...]) -> str:
    names = [part for part in location if isinstance(part, str)]
    return f"the field {names[-1].replace('_', ' ')!r}" if names else "the form"


def read_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        BadRequestError: The text is not JSON.
    """
    try:
        return parse_json(text)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(fault_of_json(text, error)) from error


def fault_of_json(text: str, error: orjson.JSONDecodeError) -> str:
    """Return what is wrong with a text that is not JSON.

    Args:
        text: The text.
        error: What the decoder found.
    """
    if not text.strip():
        return "enter a value in JSON"
    return f"this is not JSON: {error.msg}, in line {error.lineno}, column {error.colno}"
