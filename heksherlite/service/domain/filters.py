"""Parsers of query parameters: lists of settings, context filters, feature values, and moments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from heksherlite import names
from heksherlite.service.domain.entities import Conditions
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.times import read_time
from heksherlite.service.errors import BadRequestError, InvalidError

_VALUE = r"[^\s,:()*\"']+"  # to be checked as a value
_FEATURE_VALUE = re.compile(rf"({names.CONTEXT_FEATURE_NAME.pattern}):({_VALUE})")
_REVISION = re.compile(r"[0-9]{1,18}")
_FILTER_TERM = re.compile(
    rf"(?P<feature>{names.CONTEXT_FEATURE_NAME.pattern}):(?:\*|\((?P<values>{_VALUE}(?:,{_VALUE})*)\))"
)


@dataclass(frozen=True, slots=True)
class ContextFilter:
    """Selects the rules whose conditions are all allowed.

    ``allowed`` maps a context feature to its allowed values, or to None if all values are allowed.
    """

    allowed: Mapping[str, frozenset[str] | None]

    def canonical(self) -> str:
        """Return the filter as text, the same for all orders of its features and values."""
        return ",".join(
            f"{feature}:*" if values is None else f"{feature}:({','.join(sorted(values))})"
            for feature, values in sorted(self.allowed.items())
        )

    def passes(self, conditions: Conditions) -> bool:
        """Return whether a rule with these conditions is selected."""
        for feature, value in conditions:
            if feature not in self.allowed:
                return False
            values = self.allowed[feature]
            if values is not None and value not in values:
                return False
        return True


def parse_context_filter(text: str) -> ContextFilter | None:
    """Parse ``feature:*`` and ``feature:(v1,v2)``, separated by commas. Return None for ``*``, which means every rule.

    Raises:
        InvalidError: The text is malformed.
        BadRequestError: A feature is listed twice.
    """
    if text == "*":
        return None
    allowed: dict[str, frozenset[str] | None] = {}
    position = 0
    while position < len(text):
        term = _FILTER_TERM.match(text, position)
        if term is None:
            raise _malformed("context_filters", position, "feature:* or feature:(value,...)")
        if term["feature"] in allowed:
            raise BadRequestError(f"context feature {term['feature']!r} is listed twice in context_filters")
        values = None if term["values"] is None else frozenset(term["values"].split(","))
        if values is not None and not all(map(names.is_context_feature_value, values)):
            raise _malformed("context_filters", position, "feature:* or feature:(value,...)")
        allowed[term["feature"]] = values
        position = term.end()
        if position < len(text):
            if text[position] != "," or position + 1 == len(text):
                raise _malformed("context_filters", position, "a comma and another feature, or the end")
            position += 1
    return ContextFilter(allowed)


def parse_feature_values(text: str, *, parameter: str = "feature_values") -> dict[str, str]:
    """Parse ``f1:v1,f2:v2``.

    Args:
        text: The text.
        parameter: The parameter of the query that it comes from, for errors.

    Raises:
        InvalidError: The text is malformed or has a feature twice.
    """
    feature_values: dict[str, str] = {}
    for term in text.split(","):
        match = _FEATURE_VALUE.fullmatch(term)
        if match is None or match[1] in feature_values or not names.is_context_feature_value(match[2]):
            raise InvalidError("expected feature:value,... with each feature once", location=("query", parameter))
        feature_values[match[1]] = match[2]
    return feature_values


def parse_setting_names(text: str) -> list[str]:
    """Parse a list of setting names, separated by commas. An empty text is an empty list.

    Raises:
        InvalidError: A name is malformed.
    """
    setting_names = text.split(",") if text else []
    for name in setting_names:
        if names.SETTING_NAME.fullmatch(name) is None:
            raise InvalidError(f"{name!r} is not a name of a setting", location=("query", "settings"))
    return setting_names


def parse_moment(text: str, *, now: datetime) -> int | RevisionId | datetime:
    """Parse the number or the name of a revision, or a time that is not in the future.

    Raises:
        InvalidError: The text is neither.
        BadRequestError: The time is in the future.
    """
    if _REVISION.fullmatch(text):
        return int(text)
    if (revision := RevisionId.parse(text)) is not None:
        return revision
    try:
        time = read_time(text)
    except ValueError as error:
        raise InvalidError(f"{error}, nor a revision such as 42", location=("query", "at")) from error
    if time > now:
        raise BadRequestError(f"at {text} is in the future; give a revision or an earlier time")
    return time


def _malformed(parameter: str, position: int, expected: str) -> InvalidError:
    return InvalidError(f"at position {position}, expected {expected}", location=("query", parameter))
