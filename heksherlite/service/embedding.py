"""A service within the process of a program: for tests, demonstrations, and programs on a single machine."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio import CancelScope, to_thread

from heksherlite.service.connections import listen
from heksherlite.service.domain.limits import Limits
from heksherlite.service.options import AccessOptions, ServiceOptions
from heksherlite.service.server import ServiceThread
from heksherlite.service.storage.urls import open_database


def embedded(
    database: str | os.PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    context_features: Sequence[str] = (),
    access: AccessOptions = AccessOptions(),  # noqa: B008 - immutable
    limits: Limits = Limits(),  # noqa: B008 - immutable
    keep_history: timedelta | None = None,
    audit_retention: timedelta | None = timedelta(days=365),
    public_url: str | None = None,
    cors_origins: Sequence[str] = (),
    targeting_key_feature: str | None = None,
) -> "EmbeddedService":
    """Return a service that runs in this process within a ``with`` or ``async with`` block.

    ::

        with embedded(context_features=["environment", "user"]) as service:
            httpx.get(service.url + "/api/health")

    The service runs on a thread with its own event loop, so it is independent of the program, which may use asyncio,
    trio or neither. When the block ends, nothing remains of the service but its database.

    Args:
        database: A ``sqlite:///PATH`` or ``postgresql://`` URL, or the path of a SQLite file; None uses a
            temporary file.
        host: The address to listen on.
        port: The port to listen on; 0 picks a free one.
        context_features: The expected context features, in order. They are added if missing.
        access: Who may use the service. By default every request is authorized, and the address must be a loopback one.
        limits: The limits of the service.
        keep_history: How long the history keeps changes; None keeps them forever.
        audit_retention: How long the audit record is kept; None keeps it forever.
        public_url: The URL of the service for its clients, such as ``https://settings.example.com``; None takes it
            from their requests and from trusted proxies.
        cors_origins: The origins whose pages may evaluate flags, such as ``https://shop.example.com``.
        targeting_key_feature: The context feature that the targeting key of OFREP is the value of.

    Raises:
        TypeError: ``context_features`` is a string.
        ValueError: The public URL, an origin or the context feature is invalid.
        ServiceStartError: On entering the block: the service cannot start.
    """
    if isinstance(context_features, str):
        raise TypeError(f"context_features must be a list of names: write [{context_features!r}]")
    options = ServiceOptions(
        context_features=tuple(context_features),
        keep_history=keep_history,
        audit_retention=audit_retention,
        access=access,
        limits=limits,
        public_url=public_url,
        cors_origins=tuple(cors_origins),
        targeting_key_feature=targeting_key_feature,
    )
    return EmbeddedService(database, host=host, port=port, options=options)


class EmbeddedService:
    """A context manager around a service; see `embedded`.

    Attributes:
        url: The URL of the service, within the block.
        first_token: A token with all scopes that expires in 24 hours; None unless tokens are required and the database
            had none.
    """

    def __init__(
        self,
        database: str | os.PathLike[str] | None,
        *,
        host: str,
        port: int,
        options: ServiceOptions,
    ) -> None:
        self._database = database
        self._host = host
        self._port = port
        self._options = options
        self._cleanup = ExitStack()
        self._is_entered = False
        self.url = ""
        self.first_token: str | None = None

    def __enter__(self) -> Self:
        self._require_stopped()
        with ExitStack() as stack:
            database = self._database
            if database is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heksherlite-"))
                database = Path(folder, "settings.db")
            opened = open_database(database)
            service = ServiceThread(opened, listen(self._host, self._port, self._options.access), self._options)
            stack.callback(service.stop)
            service.start()
            self.url = service.url
            self.first_token = service.first_token
            self._cleanup = stack.pop_all()
            self._is_entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    async def __aenter__(self) -> Self:
        self._require_stopped()
        try:
            return await to_thread.run_sync(self.__enter__)
        except BaseException:
            # The cancellation may arrive when the service has already started.
            await self.__aexit__(None, None, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with CancelScope(shield=True):
            await to_thread.run_sync(self._stop)

    def _require_stopped(self) -> None:
        if self._is_entered:
            raise RuntimeError(f"the service at {self.url} runs already; embedded() returns another one")

    def _stop(self) -> None:
        self._is_entered = False
        self._cleanup.close()
