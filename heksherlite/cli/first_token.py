"""Where the first token of a service goes: to a person or a private file, and not into a log."""

import sys
from pathlib import Path

from heksherlite.atomic_file import write_private_file
from heksherlite.cli.location import data_folder


def deliver_first_token(token: str, file: Path | None) -> str:
    """Write the first token into a file, unless it is for the standard output, and return what to print about it.

    Args:
        token: The token.
        file: Where it goes; ``-`` is the standard output. None is the standard output if it is a terminal, and
            otherwise a file in the user's data folder.

    Raises:
        OSError: The file cannot be written.
    """
    described = "The first token, which has every scope and expires in 24 hours"
    if str(file) == "-" or (file is None and sys.stdout.isatty()):
        return f"{described}, is shown only this once: {token}"
    place = file or data_folder() / "first-token"
    write_private_file(place.absolute(), [f"{token}\n".encode()])
    return f"{described}, is in {place}"
