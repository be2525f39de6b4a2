"""Does an engine's steps over HTTP, now and then again at every interval."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from time import perf_counter
from typing import Final, TypeVar

import anyio
import anyio.lowlevel

from heksherlite.clients.transport import Transport
from heksherlite.engine.engine import Engine
from heksherlite.engine.messages import Answer, Steps
from heksherlite.setting import Supplier

logger = logging.getLogger(__name__)

R = TypeVar("R")

_BREATH: Final = 0.001
"""For how many seconds the engine works before the rest of the program gets its turn."""


class Runner:
    """Keeps the settings of a client up to date, in one event loop.

    Args:
        engine: What to do.
        transport: How to reach the service.
        update_interval: Seconds between the updates.
        supplier: The client, for whom the settings are kept.
        modification_lock: Held while settings change.
        on_update_ok: Called after each update that went well.
        on_update_error: Called after each one that did not.
        declaration_failed: What to log if a declaration fails in the background.
    """

    def __init__(
        self,
        engine: Engine,
        transport: Transport,
        update_interval: float,
        *,
        supplier: Supplier,
        modification_lock: AbstractAsyncContextManager[object],
        on_update_ok: Callable[[], object],
        on_update_error: Callable[[Exception], object],
        declaration_failed: str,
    ) -> None:
        self._engine = engine
        self._transport = transport
        self._update_interval: Final = update_interval
        self._supplier = supplier
        self._modification_lock = modification_lock
        self._on_update_ok = on_update_ok
        self._on_update_error = on_update_error
        self._declaration_failed = declaration_failed
        self._one_at_a_time = anyio.Lock()
        self._next_update = anyio.current_time()
        self._woken = anyio.Event()

    async def read_context_features(self) -> None:
        """Learn the service's order of the context features; a failure is logged."""
        async with self._one_at_a_time:
            await self._perform(self._engine.read_context_features())

    async def update(self) -> None:
        """Declare what is to be declared, then load the rules. Restarts the interval.

        Raises:
            Exception: The first failure, with a note of the other. Rules are loaded even if a declaration failed.
        """
        async with self._one_at_a_time:
            declaration_failure = await self._declare()
            load_failure = await self._load()
        if declaration_failure is not None:
            if load_failure is not None:
                declaration_failure.add_note(f"loading the rules failed too: {load_failure!r}")
            raise declaration_failure
        if load_failure is not None:
            raise load_failure

    async def update_logging_failures(self) -> None:
        """Do the same as :meth:`update`, but log what fails."""
        async with self._one_at_a_time:
            if (failure := await self._declare()) is not None:
                logger.error(self._declaration_failed, exc_info=failure)
            if (failure := await self._load()) is not None:
                logger.error("error during heksher update", exc_info=failure)

    async def keep_updating(self) -> None:
        """Update at every interval, and when woken, until cancelled."""
        while True:
            with anyio.CancelScope(deadline=self._next_update):
                await self._woken.wait()
            if self._woken.is_set() or anyio.current_time() >= self._next_update:
                self._woken = anyio.Event()
                await self.update_logging_failures()

    def wake(self) -> None:
        """Let the next update happen at once. Must be called in the event loop."""
        self._woken.set()

    async def _declare(self) -> Exception | None:
        failure = None
        try:
            await self._perform(self._engine.declare_pending())
        except Exception as error:  # noqa: BLE001 - handed to the caller
            failure = error
        if self._engine.has_latest_defaults:
            async with self._modification_lock:
                self._engine.apply_latest_defaults()
        return failure

    async def _load(self) -> Exception | None:
        try:
            update = await self._perform(self._engine.fetch())
            if update is not None:
                async with self._modification_lock:
                    await self._perform(self._engine.apply(update, self._supplier))
        except Exception as error:  # noqa: BLE001 - handed to the caller
            self._call_back(self._on_update_error, error)
            return error
        else:
            self._call_back(self._on_update_ok)
            return None
        finally:
            self._next_update = anyio.current_time() + self._update_interval

    def _call_back(self, function: Callable[..., object], *args: object) -> None:
        try:
            function(*args)
        except Exception:
            logger.exception("error in a callback of heksher client", extra={"callback": repr(function)})

    async def _perform(self, steps: Steps[R]) -> R:
        breath = perf_counter()
        try:
            requests = next(steps)
            while True:
                answers: Sequence[Answer | Exception] = ()
                if requests:
                    answers = await self._transport.send(requests)
                    breath = perf_counter()
                elif perf_counter() - breath > _BREATH:
                    await anyio.lowlevel.checkpoint()
                    breath = perf_counter()
                requests = steps.send(answers)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
