"""Turns: one thing at a time, of the clients one after the other, so that none of them keeps the others waiting."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, TypeVar

T = TypeVar("T")

current_client: Final = ContextVar("current_client", default="")
"""The client of the request that is being handled. Empty for work of the service itself."""


class Turns:
    """Computes one thing at a time in a thread. Clients that wait take turns, however much each of them wants."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def compute(self, work: Callable[[], T]) -> T:
        """Return what a function returns, which is called in a thread when it is the turn of the current client.

        A thread cannot be stopped. If this is cancelled meanwhile, the turn lasts until the function returns.

        Args:
            work: The function.
        """
        await self._take(current_client.get())
        computing = asyncio.ensure_future(asyncio.to_thread(work))
        computing.add_done_callback(self._pass_on)
        return await asyncio.shield(computing)

    async def _take(self, client: str) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._next()
            raise

    def _pass_on(self, computing: asyncio.Future[T]) -> None:
        if not computing.cancelled():
            computing.exception()  # nobody may be left to hear of it
        self._next()

    def _next(self) -> None:
        while self._waiting:
            client, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            if turns:
                self._waiting.move_to_end(client)
            else:
                del self._waiting[client]
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False
