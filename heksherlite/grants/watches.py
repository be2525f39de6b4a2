"""Watches: what tells that a source of facts has changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import anyio
import anyio.to_thread

_POLL_SECONDS: Final = 0.5


class Watch(Protocol):
    """Waits until a source has changed. A :class:`Layer` has the watches of its source."""

    async def wait(self) -> None:
        """Return as soon as the source may have changed since its facts were loaded. It may be cancelled.

        An exception is logged, and ends the watch until the facts are loaded again.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileWatch:
    """Waits until a file is replaced, changed, created or deleted. It looks twice in a second.

    Notifications of the operating system are not used, because many of them do not arrive: those for network drives,
    for mounted volumes of containers, and for files behind symbolic links that are switched.

    Args:
        path: The path.
        state: The state of the file before its facts were read.
    """

    path: Path
    state: tuple[int, ...] | None

    async def wait(self) -> None:
        """Return as soon as the file is no longer in this state."""
        while await anyio.to_thread.run_sync(file_state, self.path) == self.state:  # noqa: ASYNC110 - nothing tells
            await anyio.sleep(_POLL_SECONDS)

    def from_now(self) -> "FileWatch":
        """Return a watch for changes of the file from now on. Blocks."""
        return FileWatch(self.path, file_state(self.path))


@dataclass(frozen=True, slots=True)
class RetryWatch:
    """Lets facts be loaded again after a time, because they are old ones in the place of those that were not available.

    Args:
        seconds: The time in seconds.
    """

    seconds: float

    async def wait(self) -> None:
        """Return after the time."""
        await anyio.sleep(self.seconds)


def file_state(path: Path) -> tuple[int, ...] | None:
    """Return what differs if a file differs, or ``None`` if it cannot be found. Blocks."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
