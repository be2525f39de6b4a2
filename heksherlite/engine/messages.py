"""Requests and answers, and the steps that exchange them."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

R = TypeVar("R")

_AT_ONCE: Final = 50
"""How many requests are in hand at the same time."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request to the service.

    Attributes:
        method: The HTTP method.
        path: The path below the service's URL.
        params: The query parameters, in order.
        json: The body, or ``None`` for none.
        headers: Headers beside those of the HTTP client.
        accept: The statuses that count as an answer; any other is an error.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accept: frozenset[int] = frozenset({200})

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the service, with a status that the request accepts.

    Attributes:
        request: What it answers.
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


Steps: TypeAlias = Generator[Sequence[Request], Sequence[Answer | Exception], R]
"""Work that needs answers to go on: yields requests to be sent side by side, is sent back what became of each of them
(in the same order), and finally returns its result. Yielding no request gives way to whatever else the program does.
"""


def ask(request: Request) -> Steps[Answer]:
    """Send one request and return its answer; what went wrong is raised."""
    (answer,) = yield [request]
    return succeeded(answer)


def ask_all(requests: Iterable[Request]) -> Steps[list[Answer | Exception]]:
    """Send many requests, made as they are needed, and return what became of each of them.

    If all of those in hand fail, the others are not sent, and have the last failure too.
    """
    remaining = iter(requests)
    answers: list[Answer | Exception] = []
    while some := list(islice(remaining, _AT_ONCE)):
        became = yield some
        answers += became
        if all(isinstance(answer, Exception) for answer in became):
            answers += [became[-1] for _ in remaining]
    return answers


def succeeded(answer: Answer | Exception) -> Answer:
    """Return the answer, or raise what went wrong instead."""
    if isinstance(answer, Exception):
        raise answer
    return answer
