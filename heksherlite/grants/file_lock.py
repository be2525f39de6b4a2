"""Locks between processes."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

_POLL_SECONDS: Final = 0.05
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


@asynccontextmanager
async def file_lock(path: Path) -> AsyncIterator[None]:
    """Hold the lock of a file, which is created if it does not exist and is never deleted.

    The lock ends with the process, whatever becomes of it.

    Raises:
        OSError: If the file cannot be opened.
    """
    descriptor = await anyio.to_thread.run_sync(os.open, path, _FLAGS, 0o600)
    try:
        while not _try_lock(descriptor):  # noqa: ASYNC110 - other processes set no event
            await anyio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
