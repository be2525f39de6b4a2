"""The file that keeps the last good state of a client. All calls block: make them in a worker thread."""

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Final

import orjson

from heksherlite.atomic_file import check_owner, follow_trusted_links, write_private_file
from heksherlite.engine.snapshots import LARGEST, Snapshot, decode, encode, unusable_because
from heksherlite.errors import SnapshotError
from heksherlite.http.urls import without_credentials

logger = logging.getLogger(__name__)

SUFFIX: Final = ".heksherlite-snapshot"
"""The suffix of the file's name, if the location is a folder."""

_SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))


class SnapshotFile:
    """The snapshot file of a client. Several processes may share it: each of them replaces it as a whole.

    Args:
        location: The file, or a folder for it. A path is a folder if it exists as one, or ends in a separator. In a
            folder, the name of the file depends on the service and the context features.
        service: The URL of the service. Credentials in it are ignored.
        context_features: The context features in the order that the program expects.
    """

    def __init__(self, location: str | os.PathLike[str], *, service: str, context_features: Sequence[str]) -> None:
        location = os.fspath(location)
        self._names_folder = location.endswith(_SEPARATORS)
        # Absolute, so that it stays where it is if the program changes its folder.
        self._location: Final = Path(location).absolute()
        self._service: Final = without_credentials(service)
        self._context_features: Final = tuple(context_features)
        self._failures = 0
        self._failing_since = 0.0
        self._reason: str | None = None

    @property
    def path(self) -> Path:
        """The path of the file."""
        if self._names_folder or os.path.isdir(self._location):  # noqa: PTH112 - Path.is_dir raises for odd paths
            identity = orjson.dumps([self._service, self._context_features])
            return self._location / (blake2b(identity, digest_size=8).hexdigest() + SUFFIX)
        return self._location

    def read(self, context_filters: str) -> Snapshot | None:
        """Return the snapshot, or ``None`` if there is no usable snapshot. The reason is logged if the file exists.

        Args:
            context_filters: What the client tracks, in the notation of the query.
        """
        path = self.path
        try:
            snapshot = decode(_content(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason: str | None = str(error)
        else:
            reason = unusable_because(
                snapshot,
                service=self._service,
                context_features=self._context_features,
                context_filters=context_filters,
            )
            if reason is None:
                return snapshot
        if reason != self._reason:
            self._reason = reason
            logger.warning(
                "snapshot cannot be used: %s", f"{path}: {reason}", extra={"path": str(path), "reason": reason}
            )
        return None

    def write(self, snapshot: Snapshot) -> bool:
        """Replace the file, and return whether that succeeded. Failures are logged when they begin and end."""
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, encode(snapshot))
        except (OSError, ValueError) as error:
            if self._failures == 0:
                self._failing_since = monotonic()
                logger.warning(
                    "snapshot cannot be written: %s",
                    f"{path}: {error}",
                    extra={"path": str(path), "reason": str(error)},
                )
            self._failures += 1
            return False
        else:
            if self._failures:
                seconds = monotonic() - self._failing_since
                extra = {"path": str(path), "failures": self._failures, "seconds": round(seconds, 3)}
                logger.info("snapshot can be written again: %s", path, extra=extra)
            self._failures = 0
            return True


def replace_file(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Replace a file atomically by a private one, as `write_private_file` does, following trusted symbolic links.

    Args:
        path: The path, in an existing directory.
        content: The content of the file, in one piece or in several.

    Raises:
        OSError: If the file cannot be written, or another user placed a symbolic link. Then the existing file is
            unchanged.
    """
    path = follow_trusted_links(path)
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is not a regular file")
    write_private_file(path, [content] if isinstance(content, bytes) else content)


def _content(path: Path) -> bytes:
    path = follow_trusted_links(path)
    with open(path, "rb", opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SnapshotError("it is not a regular file")
        check_owner(path, status)
        if status.st_size > LARGEST:
            raise SnapshotError(f"it is too large: {status.st_size:,} bytes, of at most {LARGEST:,}")
        return file.read()


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
