"""Runs the flows of an engine over HTTP."""

from time import perf_counter, sleep
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.lowlevel

from heksherlite.cancellation import let_signals_pass
from heksherlite.engine.messages import Flow, Response
from heksherlite.http.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

R = TypeVar("R")

_SLICE: Final = 0.001
"""The seconds for which a flow works before the rest of the program gets its turn."""

_MOMENT: Final = 1e-6
"""The shortest sleep, in seconds. On most systems it takes some fifty times as long."""


class FlowRunner:
    """Runs flows, and lets the rest of the program work in between.

    Args:
        transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._slice_began = perf_counter()

    async def run(self, flow: Flow[R]) -> R:
        """Run a flow to its end, and return its result."""
        try:
            requests = next(flow)
            while True:
                outcomes: Sequence[Response | Exception] = ()
                if requests:
                    try:
                        outcomes = await self._transport.send_all(requests)
                    except Exception as error:  # noqa: BLE001 - nothing could be sent, such as without an HTTP client
                        let_signals_pass(error)
                        outcomes = [error] * len(requests)
                    self._slice_began = perf_counter()
                elif perf_counter() - self._slice_began > _SLICE:
                    await self._let_others_run()
                requests = flow.send(outcomes)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    async def checkpoint(self) -> None:
        """Let other tasks and threads run, if this one has worked for a while."""
        if perf_counter() - self._slice_began > _SLICE:
            await self._let_others_run()

    async def _let_others_run(self) -> None:
        # Other threads wait for the interpreter until its holder has kept it for 5 ms (sys.getswitchinterval). An
        # event loop with work to do lets go of it more often, but takes it back before they wake up, and their time
        # begins again. Without sleep they would wait until all is done.
        sleep(_MOMENT)  # noqa: ASYNC251
        await anyio.lowlevel.checkpoint()
        self._slice_began = perf_counter()
