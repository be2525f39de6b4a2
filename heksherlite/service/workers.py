"""Runs the service in several processes that share an address, each with a replica of its own."""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from heksherlite.errors import ServiceStartError
from heksherlite.service.connections import another_listener, raise_file_limit, share_port, url_of
from heksherlite.service.metrics.multiprocess import MultiprocessDirectory
from heksherlite.service.options import ServiceOptions
from heksherlite.service.server import ServiceThread, load, remove_first_token, start_alone
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database

_START_SECONDS: Final = 300.0
_STOP_SECONDS: Final = 15.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0  # seconds between attempts to replace a worker

_logger = logging.getLogger(__name__)
_context = multiprocessing.get_context("spawn")


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    line: Connection
    """The worker sends a message when it is ready, and stops when the parent closes its end or dies."""
    pause: float
    ready: bool = False


class WorkerProcesses:
    """Processes that serve one address between `start` and `stop`, once. A process that ends early is replaced.

    Args:
        database: The database, as for `open_database`.
        listener: A bound socket. It is closed when the service stops.
        options: The options of each process.
        count: The number of processes.
        set_up: Called first in each process, for example to configure logging. It must be importable.
    """

    def __init__(
        self,
        database: str | os.PathLike[str],
        listener: socket.socket,
        options: ServiceOptions,
        *,
        count: int,
        set_up: Callable[[], object],
    ) -> None:
        self._database = database
        self._listener = listener
        self._count = count
        self._options = options
        self._set_up = set_up
        self._workers: list[_Worker] = []
        self._shares_port = False
        self._cleanup = ExitStack()
        self._multiprocess = ""
        self._watcher = threading.Thread(target=self._watch, name="heksherlite-workers", daemon=True)
        self._stopping = threading.Event()
        self.url = url_of(listener)
        """The URL of the service."""
        self.first_token: str | None = None
        """A token with all scopes that expires in 24 hours; None unless tokens are required and there was none."""

    @property
    def running(self) -> bool:
        """Whether workers that end early are replaced."""
        return self._watcher.is_alive()

    def start(self) -> None:
        """Prepare the database, start the workers, and return when all of them accept requests.

        Raises:
            ServiceStartError: The database cannot be used, or a worker cannot start. Nothing is left running.
        """
        try:
            asyncio.run(self._prepare())
            self._shares_port = share_port(self._listener)
            if not self._shares_port:
                self._listener.listen()
            self._multiprocess = self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="heksherlite-workers-"))
            self._workers = [self._new_worker(index, _FIRST_PAUSE) for index in range(self._count)]
            self._await_ready()
            self._watcher.start()
        except BaseException:
            self.stop()
            if self.first_token is not None:
                asyncio.run(self._remove_first_token(self.first_token))
            raise

    def stop(self) -> None:
        """Drain and stop the workers, and return when they have ended.

        Requests in progress have one second to complete.
        """
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._listener.close()
        for worker in self._workers:
            worker.line.close()
        deadline = time.monotonic() + self._options.drain + _STOP_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._cleanup.close()

    async def _prepare(self) -> None:
        database = open_database(self._database)
        store = Store(database)
        try:
            self.first_token = await load(store, database, self._options)
        finally:
            await store.close()

    async def _remove_first_token(self, first_token: str) -> None:
        store = Store(open_database(self._database))
        try:
            await remove_first_token(store, first_token)
        finally:
            await store.close()

    def _new_worker(self, index: int, pause: float) -> _Worker:
        line, workers_line = multiprocessing.Pipe()
        process = _context.Process(
            target=_work,
            args=(
                self._database,
                self._listener,
                self._shares_port,
                workers_line,
                self._options,
                self._set_up,
                self._multiprocess,
                index,
            ),
            name="heksherlite-worker",
            daemon=True,
        )
        process.start()
        workers_line.close()
        return _Worker(process, line, pause)  # pyright: ignore[reportArgumentType]  # a similar class on Windows

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        for worker in self._workers:
            if not _becomes_ready(worker, deadline - time.monotonic()):
                raise ServiceStartError("a worker process did not start; see the log for the reason")

    def _watch(self) -> None:
        while not self._stopping.is_set():
            lines = [worker.line for worker in self._workers if not worker.ready]
            wait([*lines, *(worker.process.sentinel for worker in self._workers)], timeout=0.5)
            for index, worker in enumerate(self._workers):
                worker.ready = worker.ready or _becomes_ready(worker, 0)
                if not worker.process.is_alive():
                    self._replace(index, worker)

    def _replace(self, index: int, worker: _Worker) -> None:
        status = worker.process.exitcode
        pid = worker.process.pid
        extra = {"pid": pid, "status": status}
        _logger.warning("a worker process ended and is replaced: process %s, exit status %s", pid, status, extra=extra)
        worker.line.close()
        pause = _FIRST_PAUSE
        if not worker.ready:
            self._stopping.wait(worker.pause)
            pause = min(2 * worker.pause, _LONGEST_PAUSE)
        if not self._stopping.is_set():
            self._workers[index] = self._new_worker(index, pause)


def _becomes_ready(worker: _Worker, seconds: float) -> bool:
    with suppress(EOFError, OSError):
        if worker.line.poll(max(0.0, seconds)):
            worker.ready = bool(worker.line.recv())
    return worker.ready


def _work(
    database: str | os.PathLike[str],
    listener: socket.socket,
    shares_port: bool,
    line: Connection,
    options: ServiceOptions,
    set_up: Callable[[], object],
    multiprocess: str,
    index: int,
) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole process group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    set_up()
    raise_file_limit()
    service = ServiceThread(
        open_database(database),
        another_listener(listener) if shares_port else listener,
        replace(options, context_features=()),
        multiprocess=MultiprocessDirectory(Path(multiprocess), str(index)),
        alone=True,
    )
    try:
        start_alone(service.start)
    except ServiceStartError as error:
        _logger.error("a worker process cannot start: %s", error)  # noqa: TRY400  # a sentence, no traceback
        raise SystemExit(1) from None
    line.send(True)
    while service.running and not stop.is_set() and not line.poll(0.5):
        continue
    failed = not service.running
    service.stop()
    if failed:
        raise SystemExit(1)
