"""Long lists, of which a page shows a part, so that pages stay small."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request

from heksherlite.service.console.numbers import read_number

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of a list.

    Attributes:
        items: The items.
        number: The number of the part, from 1.
        count: How many parts there are.
        total: How many items the whole list has.
        parameter: The parameter of the URL that chooses the part.
    """

    items: Sequence[T]
    number: int
    count: int
    total: int
    parameter: str

    def shown(self, show: Callable[[T], U]) -> "Part[U]":
        """Return the same part with its items as the page shows them."""
        return Part([show(each) for each in self.items], self.number, self.count, self.total, self.parameter)


def part_of(request: Request, items: Sequence[T], *, size: int, parameter: str = "page") -> Part[T]:
    """Return the part of a list that a request asks for: the first one by default, and at most the last one.

    Args:
        request: The request.
        items: The whole list.
        size: How many items a part has.
        parameter: The parameter of the URL that chooses the part.

    Raises:
        BadRequestError: The parameter is not a number.
    """
    count = max(1, -(-len(items) // size))
    number = min(count, read_number(request.query_params.get(parameter, "1"), "page"))
    return Part(items[(number - 1) * size : number * size], number, count, len(items), parameter)
