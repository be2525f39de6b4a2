"""The files of a SQLite database: who may read them, and whether they are still the ones that were opened."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

from heksherlite.service.errors import DatabaseMovedError

FileId: TypeAlias = tuple[int, int]
"""The device and inode of a file."""

_COMPANIONS: Final = ("-wal", "-shm")
_PRIVATE: Final = stat.S_IRUSR | stat.S_IWUSR

_logger = logging.getLogger(__name__)


class SqliteFiles:
    """The file of a database with its ``-wal`` and ``-shm``.

    Args:
        path: The file.
        keep_permissions: Whether other users may keep access to the files.
    """

    def __init__(self, path: Path, *, keep_permissions: bool = False) -> None:
        self.path = path
        self._keep_permissions = keep_permissions
        self._opened: FileId | None = None
        self._companions: set[FileId] = set()

    def create(self) -> None:
        """Create the file if it does not exist. Other users have no access to it.

        Raises:
            OSError: It cannot be created.
        """
        # A file that exists is not opened: closing it would end all locks that this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE))

    def make_private(self) -> None:
        """Take away the access of other users. The file must be known to be a database of the service.

        SQLite gives ``-wal`` and ``-shm`` the permissions of the file.

        Raises:
            OSError: The file belongs to another user.
        """
        if os.name == "nt":  # permissions are not in the mode there
            return
        for path in (self.path, *self._companion_paths()):
            with suppress(FileNotFoundError):
                self._make_private(path)

    def note_opened(self) -> None:
        """Remember which files are open now."""
        self._opened = _file_id(self.path)
        self.note_companions()

    def note_companions(self) -> None:
        """Remember which ``-wal`` and ``-shm`` are open now: SQLite may have made others."""
        self._companions = {file_id for path in self._companion_paths() if (file_id := _file_id(path)) is not None}

    def require_same(self) -> None:
        """Check that the file is still the one that was opened.

        Raises:
            DatabaseMovedError: It was moved, removed or replaced.
        """
        present = _file_id(self.path)
        if present is None:
            raise DatabaseMovedError(f"the file {self.path} was moved or removed")
        if self._opened is None:
            self.note_opened()
        elif present != self._opened:
            raise DatabaseMovedError(f"the file {self.path} was replaced by another file")

    def were_replaced(self) -> bool:
        """Return whether another file is in the place of the one that was opened."""
        return self._opened is not None and _file_id(self.path) not in {None, self._opened}

    def remove_companions(self) -> None:
        """Remove the ``-wal`` and ``-shm`` of a file that was replaced: SQLite would apply them to the new file.

        All connections of this process must be closed.
        """
        with _exclusive(self.path.parent):
            for path in self._companion_paths():
                if _file_id(path) in self._companions:
                    path.unlink(missing_ok=True)
        self._companions = set()

    def _companion_paths(self) -> Iterator[Path]:
        for suffix in _COMPANIONS:
            yield self.path.with_name(self.path.name + suffix)

    def _make_private(self, path: Path) -> None:
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & (stat.S_IRWXG | stat.S_IRWXO):
            return
        extra = {"path": str(path), "mode": f"{mode:04o}"}
        if self._keep_permissions:
            _logger.warning("other users may read the database file %s (mode %04o)", path, mode, extra=extra)
            return
        path.chmod(_PRIVATE)
        _logger.warning(
            "other users could read the database file %s (mode %04o); its mode is now 0600", path, mode, extra=extra
        )


def _file_id(path: Path) -> FileId | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # takes half the time, and is done with each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Keep other processes that do the same in a folder from doing it at the same time."""
    if os.name == "nt":  # an open file cannot be replaced there
        yield
        return
    import fcntl  # noqa: PLC0415  # not on all systems

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
