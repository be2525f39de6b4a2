"""Grants for tests that count, wait and fail."""

import threading
from collections.abc import Mapping
from typing import Any

import anyio

from heksherlite.errors import GrantError
from heksherlite.grants.facts import Facts
from heksherlite.grants.grant import Grant, LoadRequest, load


class Counting:
    """Returns facts with the number of the load.

    Attributes:
        requests: The requests so far.
        held: Loads wait until this event is set.
        failing: The exception that loads raise, if any.
    """

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        self.requests: list[LoadRequest] = []
        self.held = threading.Event()
        self.held.set()
        self.failing: Exception | None = None

    async def aload(self, request: LoadRequest) -> Facts:
        self.requests.append(request)
        while not self.held.is_set():  # noqa: ASYNC110 - an event of threads
            await anyio.sleep(0.001)
        if self.failing is not None:
            raise self.failing
        return {"load": {"number": len(self.requests)}, **self.facts}


class Failing:
    """Raises a GrantError on each load."""

    def __init__(self, message: str) -> None:
        self.message = message

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:  # noqa: ARG002 - it always fails
        raise GrantError(self.message)

    def __repr__(self) -> str:
        return f"Failing({self.message!r})"


def loaded(grant: Grant, *, force_refresh: bool = False) -> Facts:
    """Return the facts of a grant, in synchronous code."""
    return anyio.run(load, grant, LoadRequest(force_refresh=force_refresh))
