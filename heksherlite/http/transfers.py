"""Bodies that are sent or received piece by piece, because they may be larger than the memory."""

from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import anyio
import anyio.lowlevel
import httpx

from heksherlite.http.daemon_threads import run_in_daemon_thread

_PIECE: Final = 1 << 20
"""The number of bytes that are read from a file at once."""


class ReadableFile(Protocol):
    """A binary file, or whatever can be read like one."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, and nothing at the end."""
        ...


async def take_body(response: httpx.Response, take: Callable[[bytes], object]) -> None:
    """Call a function with each piece of the body of a streamed response, as it was sent.

    An exception that the function raises ends this, and is raised.
    """
    failure: Exception | None = None
    with anyio.CancelScope() as scope:
        async for piece in response.aiter_raw():
            try:
                if failure is None:
                    take(piece)
            except Exception as error:  # noqa: BLE001 - raised below; see read_raw_body
                failure = error
                scope.cancel()
            # Received data may contain many pieces. Other tasks of the program run in between.
            await anyio.lowlevel.cancel_shielded_checkpoint()
    if failure is not None:
        raise failure


async def pieces_of(file: ReadableFile) -> AsyncIterator[bytes]:
    """Yield the rest of a file in pieces. It is read in other threads, because it may be a pipe."""
    while piece := await run_in_daemon_thread(file.read, _PIECE):
        yield piece
