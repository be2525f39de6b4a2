"""Files that are replaced atomically, and files that are private to the user."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

_PRIVATE: Final = 0o600
_MAX_LINKS: Final = 40


def write_private_file(path: Path, content: Iterable[bytes]) -> None:
    """Replace a file atomically by one that only the user can read and write (mode 0600).

    A symbolic link at the path is replaced, not its target.

    Args:
        path: The path, in an existing directory.
        content: The content of the file, in pieces.

    Raises:
        OSError: If the file cannot be written. Then the existing file is unchanged.
    """
    temporary = path.with_name(f".heksherlite-{uuid4().hex}.tmp")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, _PRIVATE)) as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def read_private_file(path: Path, max_size: int) -> bytes:
    """Return the content of a file that only the user can read and write.

    Args:
        path: The path. A symbolic link is not followed.
        max_size: The maximum size in bytes.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not private to the user, or is too large.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        raise ValueError("it is a symbolic link")
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        if hasattr(os, "geteuid"):
            if status.st_uid != os.geteuid():
                raise ValueError("it belongs to another user")
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ValueError("other users can write to it")
            if status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
                raise ValueError("other users can read it")
        content = file.read(max_size + 1)
    if len(content) > max_size:
        raise ValueError(f"it is larger than {max_size:,} bytes")
    return content


def follow_trusted_links(path: Path) -> Path:
    """Return the target of a path that may be a symbolic link.

    In a directory in which other users can create files, such as ``/tmp``, a link must belong to the user or to root.
    Otherwise another user could choose the file that is read or replaced.

    Args:
        path: The path. It need not exist.

    Raises:
        PermissionError: If a link belongs to another user.
        OSError: If the links form a loop, or cannot be read.
    """
    for _ in range(_MAX_LINKS):
        try:
            status = path.lstat()
        except FileNotFoundError:
            return path
        if not stat.S_ISLNK(status.st_mode):
            return path
        check_owner(path, status)
        path = path.parent / path.readlink()
    raise OSError(f"{path} is part of a loop of symbolic links")


def check_owner(path: Path, status: os.stat_result) -> None:
    """Check that a file was not put in a shared directory by another user.

    Args:
        path: The path of the file.
        status: Its status.

    Raises:
        PermissionError: If other users can create files in its directory, and it belongs to another user.
    """
    if not hasattr(os, "geteuid") or status.st_uid in (os.geteuid(), 0):
        return
    if path.parent.stat().st_mode & stat.S_IWOTH:
        kind = "symbolic link" if stat.S_ISLNK(status.st_mode) else "file"
        raise PermissionError(f"{path} is a {kind} of another user in a directory where all users can create files")
