"""Files with facts: their size, encoding and errors."""

from pathlib import Path
from typing import Final

from heksherlite.grants.parse_error import ParseError

_MAX_SIZE: Final = 16 * 2**20
"""The maximum size of a file in bytes."""


def read_text(path: Path) -> str:
    """Return the text of a file. Blocks.

    Raises:
        OSError: If it cannot be read.
        ParseError: If it is too large, or not UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(_MAX_SIZE + 1)
    if len(content) > _MAX_SIZE:
        raise ParseError(f"it is larger than {_MAX_SIZE:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise ParseError("it is not UTF-8", before.count(b"\n") + 1, column) from None


def read_secret_text(path: Path) -> str:
    """Return the text of a file that contains one value, without the line break at its end. Blocks.

    Raises:
        ValueError: If it cannot be read. The message contains the path and the reason.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except ParseError as error:
        raise ValueError(f"{path}: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")
