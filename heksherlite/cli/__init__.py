"""The command line: ``heksherlite``. Each command has a file of its own.

Click and the service are imported when they are needed: they come with an extra that may not be installed.
"""

import sys

_OF_LOGIN = ("psutil", "rich", "segno")


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    try:
        from heksherlite.cli.commands import heksherlite  # noqa: PLC0415  # requires the extra

        heksherlite(prog_name="heksherlite")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("heksherlite"):
            raise
        extra = "login" if error.name in _OF_LOGIN else "service"
        sys.exit(
            f"error: {error.name} is not installed; the command line needs the {extra} extra:"
            f" pip install 'heksherlite[{extra}]'"
        )
