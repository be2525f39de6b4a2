"""A service inside this process: for tests, demonstrations, and programs on a single machine."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio import CancelScope, to_thread

from heksherlite.service.server import ServiceThread, listen
from heksherlite.service.storage.urls import open_database


def embedded(
    database: str | os.PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    context_features: Sequence[str] = (),
) -> "EmbeddedService":
    """Return a service that runs in this process within a ``with`` or ``async with`` block.

    ::

        with embedded(context_features=["environment", "user"]) as service:
            httpx.get(service.url + "/api/health")

    It runs on a thread with its own event loop, so it serves whatever the program itself does, under asyncio,
    trio or neither. When the block is left, nothing remains of it but the database.

    Args:
        database: A ``sqlite:///PATH`` or ``postgresql://`` URL, or the path of a SQLite file; None uses a
            temporary file.
        host: The address to listen on.
        port: The port to listen on; 0 picks a free one.
        context_features: The expected context features, in order. They are added if missing.

    Raises:
        ServiceStartError: On entering the block, if the service cannot start.
    """
    return EmbeddedService(database, host=host, port=port, context_features=context_features)


class EmbeddedService:
    """A context manager around a service; see `embedded`.

    Attributes:
        url: Where the service is, within the block.
    """

    def __init__(
        self,
        database: str | os.PathLike[str] | None,
        *,
        host: str,
        port: int,
        context_features: Sequence[str],
    ) -> None:
        self._database = database
        self._host = host
        self._port = port
        self._context_features = tuple(context_features)
        self._cleanup = ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            database = self._database
            if database is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heksherlite-"))
                database = Path(folder, "settings.db")
            service = ServiceThread(
                open_database(database), listen(self._host, self._port), context_features=self._context_features
            )
            stack.callback(service.stop)
            service.start()
            self.url = service.url
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    async def __aenter__(self) -> Self:
        try:
            return await to_thread.run_sync(self.__enter__)
        except BaseException:
            # A cancellation may arrive when the service has just started.
            await self.__aexit__(None, None, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with CancelScope(shield=True):
            await to_thread.run_sync(self._cleanup.close)
