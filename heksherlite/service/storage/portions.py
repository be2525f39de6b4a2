"""Work in portions."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def portions(items: Iterable[T], *, size: int = 1_000) -> Iterator[list[T]]:
    """Yield the items in lists that are short enough not to delay other requests."""
    iterator = iter(items)
    while portion := list(islice(iterator, size)):
        yield portion
