"""Which database a command is about."""

from pathlib import Path

import click

database_option = click.option(
    "--database",
    metavar="URL",
    envvar="HEKSHER_DB_CONNECTION_STRING",
    show_envvar=True,
    help="Where settings and rules are kept: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE."
    " By default a file in the user's data folder.",
)


def default_database() -> Path:
    """Return the file that is used if no database is named; its folder is created."""
    from platformdirs import user_data_path  # noqa: PLC0415  # requires the service extra, and this option does not

    return user_data_path("heksherlite", appauthor=False, ensure_exists=True) / "settings.db"
