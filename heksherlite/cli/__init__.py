"""The command line: ``heksherlite``. Each command has a file of its own.

Click and the service are imported when the command runs: they come with an extra that may not be installed.
"""

import sys
from importlib.util import find_spec

_NEEDED = ("click", "fastapi", "sqlalchemy", "aiosqlite", "alembic", "platformdirs", "uvicorn")


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(
            f"error: {', '.join(missing)} not found; the command line needs the service extra:"
            " pip install 'heksherlite[service]'"
        )
    from heksherlite.cli.commands import heksherlite  # noqa: PLC0415  # needs the extra

    heksherlite(prog_name="heksherlite")
