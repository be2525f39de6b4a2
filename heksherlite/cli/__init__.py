"""The command line: ``heksherlite``. Each command has a file of its own.

Click and the service are imported when they are needed: they come with an extra that may not be installed.
"""

import sys


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    try:
        from heksherlite.cli.commands import heksherlite  # noqa: PLC0415  # needs the extra

        heksherlite(prog_name="heksherlite")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("heksherlite"):
            raise
        sys.exit(
            f"error: {error.name} is not installed; the command line needs the service extra:"
            " pip install 'heksherlite[service]'"
        )
