"""Find the parts of a query that a service refuses, so that they can be left out.

A query consists of names of settings and of tracked values. A service checks all of them, and responds with one status
for the whole query. The offending parts are found by dividing: both halves of a refused query are sent, then the halves
of those that are refused, and so on. One part among a thousand is found with some twenty requests.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from heksherlite.contexts import TRACK_ALL
from heksherlite.engine import protocol
from heksherlite.engine.messages import Flow, Request, Response, is_refusal
from heksherlite.engine.queries import ContextFilter, Query, context_filters
from heksherlite.errors import ServiceResponseError

T = TypeVar("T")

TrackedValue = tuple[str, str]
"""A context feature and one of its tracked values, or :data:`~heksherlite.TRACK_ALL`."""

TOO_LARGE: Final = frozenset({413, 414, 431})
"""The statuses for requests that are too long."""

_HOPELESS: Final = 50
"""If this many parts of a query are refused, and none is accepted, the service refuses whatever it is asked."""


class RefusedParts(NamedTuple):
    """The parts of a query that the service refuses, with the reasons.

    Attributes:
        names: Names of settings.
        values: Tracked values.
    """

    names: Mapping[str, str]
    values: Mapping[TrackedValue, str]


def find_refused_parts(query: Query, tracked: Mapping[str, set[str] | str]) -> Flow[RefusedParts]:
    """Find which parts of a refused query the service refuses, each on its own.

    Args:
        query: The query.
        tracked: The tracked values that its filter selects.

    Returns:
        The parts. There are none if only all of them together are refused.

    Raises:
        Exception: If there was no response, or every part of a long query is refused.
    """
    names = query.names.split(",")
    refused_names: Mapping[str, str] = {}
    if _refuses((yield from _outcome(_request(names, {})))):
        refused_names = yield from _find(names, lambda part: _request(part, {}))
        names = [name for name in names if name not in refused_names]
    refused_values: Mapping[TrackedValue, str] = {}
    values = [(feature, value) for feature, of_feature in tracked.items() for value in _values(of_feature)]
    # One setting is enough to find the values, and its response is small.
    if names and values and _refuses((yield from _outcome(_request(names[:1], tracked)))):
        refused_values = yield from _find(values, lambda part: _request(names[:1], _tracked(part)))
    return RefusedParts(refused_names, refused_values)


def error_of(refusal: Response | Exception) -> Exception:
    """Return the exception to raise for a refusal."""
    if isinstance(refusal, Exception):
        return refusal
    return ServiceResponseError(str(refusal.request), f"status {refusal.status}: {refusal.content[:200]!r}")


def _find(parts: Sequence[T], request: Callable[[Sequence[T]], Request]) -> Flow[dict[T, str]]:
    """Find the parts that are refused on their own, if all of them together are refused."""
    refused: dict[T, str] = {}
    groups = [parts]
    while groups:
        halves = [half for group in groups for half in _halves(group)]
        groups = []
        is_hopeless = len(halves) >= _HOPELESS
        for start in range(0, len(halves), _HOPELESS):
            batch = halves[start : start + _HOPELESS]
            outcomes = yield [request(half) for half in batch]
            for half, outcome in zip(batch, outcomes, strict=True):
                if not _refuses(outcome):
                    is_hopeless = False
                elif len(half) == 1:
                    refused[half[0]] = str(error_of(outcome))
                else:
                    groups.append(half)
            if is_hopeless:
                raise error_of(outcomes[-1])
    return refused


def _halves(group: Sequence[T]) -> list[Sequence[T]]:
    middle = len(group) // 2
    return [half for half in (group[:middle], group[middle:]) if half]


def _outcome(request: Request) -> Flow[Response | Exception]:
    (outcome,) = yield [request]
    return outcome


def _refuses(outcome: Response | Exception) -> bool:
    """Return whether the service refuses a request.

    Raises:
        Exception: If it is not known, because there was no response.
    """
    if is_refusal(outcome, of_missing=True):
        return True
    if isinstance(outcome, Exception):
        raise outcome
    return False


def _request(names: Sequence[str], tracked: Mapping[str, set[str] | str]) -> Request:
    return protocol.query(Query(",".join(names), ContextFilter(context_filters(tracked))), None)


def _values(values: set[str] | str) -> Sequence[str]:
    return [values] if isinstance(values, str) else sorted(values)


def _tracked(values: Sequence[TrackedValue]) -> dict[str, set[str] | str]:
    tracked: dict[str, set[str] | str] = {}
    for feature, value in values:
        tracked[feature] = value if value == TRACK_ALL else {*tracked.get(feature, ()), value}
    return tracked
