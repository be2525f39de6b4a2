"""Files that are replaced as a whole."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


def write_atomically(path: Path, content: Iterable[bytes], *, mode: int) -> None:
    """Put a file in a place at once: who reads it meanwhile gets all of the old content or all of the new.

    A link in that place is replaced, and not what it leads to.

    Args:
        path: The place, in a folder that exists.
        content: What is to be in the file, in pieces.
        mode: Its permissions, less those that the umask of the process takes away.

    Raises:
        OSError: If that is not possible. Then the place is as it was.
    """
    temporary = path.with_name(f".heksherlite-{uuid4().hex}.tmp")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
