"""Requests, responses, and the flows that exchange them."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

R = TypeVar("R")

_BATCH: Final = 50
"""The maximum number of requests that exist at the same time."""

_ABOUT_SOMETHING_ELSE: Final = frozenset({401, 404, 405, 407, 408, 425, 426, 429})
"""The statuses from 400 to 499 that do not depend on the content of a request. 404 has a way of its own."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request to the service.

    Attributes:
        method: The HTTP method.
        path: The path below the service's URL.
        params: The query parameters, in order.
        json: The body, or ``None`` for none.
        headers: Headers beside those of the HTTP client.
        accept: The statuses that count as a response; any other is an error.
        repeatable: Whether it may be sent again if it is not known whether the service received it.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accept: frozenset[int] = frozenset({200})
    repeatable: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response of the service, with a status that the request accepts.

    Attributes:
        request: The request that it belongs to.
        status: The HTTP status.
        content: The body.
        etag: The ``ETag`` header, if there was one.
        media_type: What the body is, without parameters, such as ``application/json``.
        offers_stream: Whether the service says that there is a stream of changes.
    """

    request: Request
    status: int
    content: bytes = b""
    etag: str | None = None
    media_type: str = ""
    offers_stream: bool = False


Flow: TypeAlias = Generator[Sequence[Request], Sequence[Response | Exception], R]
"""Work that needs responses to continue, like an httpx auth flow.

It yields requests to be sent concurrently. It is sent back the outcome of each one, a response or an exception, in the
same order. Finally it returns its result.
"""

CHECKPOINT: Final[Sequence[Request]] = ()
"""Yielded by a flow to let other work of the program run, like a checkpoint of anyio."""


def send(request: Request) -> Flow[Response]:
    """Send one request and return its response. Raise its exception if it failed."""
    (outcome,) = yield [request]
    return unwrap(outcome)


def send_all(requests: Iterable[Request]) -> Flow[list[Response | Exception]]:
    """Send many requests, which are created as they are needed, and return the outcome of each one.

    If all requests of a batch fail in a way that does not depend on their content, the remaining requests are not sent.
    Their outcome is the last failure.
    """
    remaining = iter(requests)
    outcomes: list[Response | Exception] = []
    while batch := list(islice(remaining, _BATCH)):
        batch_outcomes = yield batch
        outcomes += batch_outcomes
        if not any(isinstance(outcome, Response) or is_refusal(outcome, of_missing=True) for outcome in batch_outcomes):
            outcomes += [batch_outcomes[-1] for _ in remaining]
    return outcomes


def status_of(outcome: Response | Exception) -> int | None:
    """Return the HTTP status of an outcome, or ``None`` if there was no response."""
    if isinstance(outcome, Response):
        return outcome.status
    status = getattr(getattr(outcome, "response", None), "status_code", None)  # an httpx.HTTPStatusError has one
    return status if isinstance(status, int) else None


def is_refusal(outcome: Response | Exception, *, of_missing: bool = False) -> bool:
    """Return whether the service refuses the content of a request.

    Args:
        outcome: The outcome of the request.
        of_missing: Whether status 404 means that, too.
    """
    status = status_of(outcome)
    if status == 404:
        return of_missing
    return status is not None and 400 <= status < 500 and status not in _ABOUT_SOMETHING_ELSE


def unwrap(outcome: Response | Exception) -> Response:
    """Return the response, or raise the exception."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
