"""Programs that run a client, whichever it is, seen from outside: from another thread."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from heksherlite import AsyncHeksherClient, ThreadHeksherClient
from tests.sdk.conftest import ALL
from tests.sdk.threads import own_threads
from tests.service.api import FEATURES

Client: TypeAlias = AsyncHeksherClient | ThreadHeksherClient

INTERVAL = 0.01


class Program:
    """Starts and ends clients.

    Args:
        portal: Where asynchronous clients run; None for thread clients.
    """

    def __init__(self, portal: BlockingPortal | None) -> None:
        self._portal = portal
        self._started: list[Client] = []

    @property
    def declaration_failed(self) -> str:
        """The message that the client logs if a declaration fails in the background."""
        return "declaration failed" if self._portal is None else "setting declaration failed"

    def client(self, url: str, interval: float = INTERVAL, **options: Any) -> Client:
        """Return a client that tracks everything, polls, and is not started yet."""
        kind = ThreadHeksherClient if self._portal is None else AsyncHeksherClient
        arguments = {"verify": False, **options.pop("http_client_args", {})}
        client = kind(url, interval, FEATURES, http_client_args=arguments, **{"push": False, **options})
        client.track_contexts(**ALL)
        return client

    def start(self, client: Client) -> None:
        """Make a client the main client."""
        if isinstance(client, ThreadHeksherClient):
            client.set_as_main()
        else:
            self._in_loop().call(client.set_as_main)
        self._started.append(client)

    def run(self, url: str, interval: float = INTERVAL, **options: Any) -> Client:
        """Return a client that is the main client."""
        client = self.client(url, interval, **options)
        self.start(client)
        return client

    def reload(self, client: Client) -> None:
        """Update now. The asynchronous client raises an error; the thread client logs it."""
        if isinstance(client, ThreadHeksherClient):
            client.reload()
        else:
            self._in_loop().call(client.reload)

    def wait_until_fresh(self, client: Client, timeout: float = 10) -> None:
        """Wait until the client has recovered."""
        if isinstance(client, ThreadHeksherClient):
            client.wait_until_fresh(timeout)
        else:
            self._in_loop().call(client.wait_until_fresh, timeout)

    def close(self) -> None:
        """Close the clients that were started."""
        while self._started:
            client = self._started.pop()
            if isinstance(client, ThreadHeksherClient):
                client.close()
            else:
                self._in_loop().call(client.aclose)

    def running(self) -> set[object]:
        """Return the threads of the clients, and the running tasks."""
        tasks: set[object] = self._in_loop().call(_other_tasks) if self._portal is not None else set()
        return {*own_threads(), *tasks}

    def _in_loop(self) -> BlockingPortal:
        assert self._portal is not None
        return self._portal


async def _other_tasks() -> set[object]:
    own = anyio.get_current_task().id
    return {task.id for task in anyio.get_running_tasks() if task.id != own}


KINDS = [pytest.param("asyncio", marks=pytest.mark.thorough), "trio", "thread"]
"""The thread client is the asynchronous one on asyncio, so that faults of that one show in it too."""


@contextmanager
def program_of(kind: str) -> Iterator[Program]:
    """Return a program of one kind. Its clients are closed after the block."""
    if kind == "thread":
        program = Program(None)
        try:
            yield program
        finally:
            program.close()
    else:
        with start_blocking_portal(kind, name="the program") as portal:
            program = Program(portal)
            try:
                yield program
            finally:
                program.close()


class Log:
    """Everything that was logged, by any library."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Return the level and message, without the reason, of every record from WARNING up."""
        return [
            (record.levelname, without_reason(record))
            for record in self._caplog.records
            if record.levelno >= logging.WARNING
        ]

    def times(self, message: str) -> int:
        """Return the number of records with this message at INFO or above, whatever their reason."""
        return sum(
            without_reason(record) == message for record in self._caplog.records if record.levelno >= logging.INFO
        )


def without_reason(record: logging.LogRecord) -> str:
    """Return the message of a record without what is told after its colon."""
    return record.msg.removesuffix(": %s") if record.args else record.getMessage()
