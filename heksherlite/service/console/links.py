"""Links to the same page with another query, because every state of a page is a URL."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request

CONTEXT: Final = "c."
"""The beginning of the parameters that hold the context."""


def here(request: Request) -> Callable[..., str]:
    """Return a function that returns the query of the request after some changes; None removes a parameter."""
    present = request.query_params.multi_items()

    def query(changes: Mapping[str, Any] | None = None, **more: Any) -> str:
        return query_of(present, {**(changes or {}), **more})

    return query


def query_of(present: Iterable[tuple[str, str]], changes: Mapping[str, Any]) -> str:
    """Return a query such as ``?q=ttl&page=2``, or ``?`` if nothing is left.

    Args:
        present: The parameters.
        changes: The new values by parameter: a text, a number, a list of texts, or None for none.
    """
    pairs = [(name, value) for name, value in present if name not in changes and value]
    for name, value in changes.items():
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        pairs += [(name, str(each)) for each in values]
    return "?" + urlencode(pairs)
